// The one binary. Exit codes: 0 done, 1 a mistake of the program, 2 the user's mistake or a bad file, 130/143
// interrupted.
#include <fmt/format.h>

#include <cstdio>
#include <new>

#include "apps/cli.h"
#include "tensor/gemm.h"
#include "tensor/kernels.h"
#include "tensor/parallel.h"

int main(int argc, char** argv) {
  using namespace seminar;
  CLI::App app{"seminar: lifelong multi-modal recommendation on a CPU, from scratch"};
  app.set_version_flag("--version", [] {
    return fmt::format("seminar {}\nkernels {}, {} threads, {}", SEMINAR_VERSION, kernels().isa, threads(),
                       blas_description());
  });
  app.require_subcommand(1);
  add_data_command(app);
  add_train_commands(app);
  add_clip_commands(app);
  add_eval_command(app);
  add_compare_command(app);
  add_inspect_command(app);
  add_quantize_command(app);
  add_report_command(app);
  add_study_command(app);
  add_demo_command(app);
  install_signal_handlers();
  try {
    app.parse(argc, argv);
    if (std::fflush(stdout) != 0) fail("standard output: cannot be written");
    return 0;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app.exit(e);
    fmt::print(stderr, "seminar: {} (see --help)\n", e.what());
    return 2;
  } catch (const Interrupted&) {
    return interrupt_exit_code();
  } catch (const Error& e) {
    fmt::print(stderr, "seminar: {}\n", e.what());
    return 2;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "seminar: out of memory: use a smaller --batch, --history or --dim\n");
    return 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "seminar: internal error, please report it: {}\n", e.what());
    return 1;
  }
}
