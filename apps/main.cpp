// The one binary. Exit codes: 0 done, 1 a mistake of the program, 2 the user's mistake or a bad file, 130/143
// interrupted.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "apps/cli.h"
#include "apps/commands/world.h"
#include "apps/config_file.h"
#include "apps/suggest.h"
#include "tensor/error.h"
#include "tensor/gemm.h"
#include "tensor/io/print.h"
#include "tensor/kernels.h"
#include "tensor/parallel.h"

namespace seminar {
namespace {

// A line on stderr. Of several ranks with something to say the first says it and ends them all. The others wait until
// they hear of that by a signal.
void report(const std::string& line) {
  if (speaks_first())
    print_error("seminar: {}{}\n", world().size() > 1 ? fmt::format("rank {}: ", world().rank()) : "", line);
  else
    while (!interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

// Commands whose work several ranks share. All others refuse to be started by mpirun.
constexpr std::string_view shared_commands[] = {"pretrain", "train",   "eval",        "scaling", "table2", "table3",
                                                "figure3",  "figure4", "corrections", "lengths", "planted"};

void refuse_ranks(CLI::App& command) {
  const std::vector<CLI::App*> inner = command.get_subcommands([](CLI::App*) { return true; });
  for (CLI::App* sub : inner) refuse_ranks(*sub);
  const std::string name = command.get_name();
  if (inner.empty() &&
      std::find(std::begin(shared_commands), std::end(shared_commands), name) == std::end(shared_commands))
    command.preparse_callback(
        [name](std::size_t) { check(world().size() == 1, "{}: runs as one rank: start it without mpirun", name); });
}

// The exit code after all that was printed: what could not be written makes a success a failure.
int end_output(int code) {
  const int out = flush_text(stdout), error = flush_text(stderr);
  if (out != 0) report(fmt::format("standard output: cannot be written: {}", errno_text(out)));
  return code == 0 && (out != 0 || error != 0) ? 2 : code;
}

int run(int argc, char** argv) {
  CLI::App app{"seminar: lifelong multi-modal recommendation on a CPU, from scratch"};
  app.set_version_flag("--version", [] {
    return fmt::format("seminar {}\nkernels {}, {} threads, {}", SEMINAR_VERSION, kernels().isa, threads(),
                       blas_description());
  });
  app.name("seminar");
  app.set_help_all_flag("--help-all", "print the help with the settings of all models");
  app.footer("seminar help COMMAND, or seminar COMMAND --help: the flags of a command, with examples");
  app.require_subcommand(1);
  add_data_command(app);
  add_train_commands(app);
  add_clip_commands(app);
  add_eval_command(app);
  add_compare_command(app);
  add_explore_command(app);
  add_export_command(app);
  add_inspect_command(app);
  add_quantize_command(app);
  add_rank_command(app);
  add_report_command(app);
#ifdef SEMINAR_HTTP
  add_serve_command(app);
#endif
  add_study_command(app);
  add_bench_command(app);
  add_demo_command(app);
  add_scaling_command(app);
  add_completion_commands(app);
  finish_commands(app);
  refuse_ranks(app);
  install_signal_handlers();
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments[0] == "help") {
    arguments.erase(arguments.begin());
    arguments.emplace_back("--help");
  }
  try {
    join_world();
    check_commands(app, arguments);
    CLI::App* const command = command_of(app, arguments).first;
    arguments = with_config(app, arguments);
    if (std::find(arguments.begin(), arguments.end(), "--print-config") != arguments.end())
      for (CLI::Option* option : command->get_options()) option->required(false);
    try {
      app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::CallForHelp&) {
      prepare_help(*command);
      if (leads()) print_out("{}", app.help());
    } catch (const CLI::CallForAllHelp&) {
      if (leads()) print_out("{}", app.help());
    } catch (const CLI::CallForVersion& e) {
      if (leads()) print_out("{}\n", e.what());
    } catch (const CLI::ParseError& e) {
      check_flags(app, arguments);
      const std::string name = command == &app ? "" : full_name(*command) + " ";
      fail("{} (see seminar {}--help)", e.what(), name);
    }
    return 0;
  } catch (const Printed&) {
    return 0;
  } catch (const Interrupted&) {
    return interrupt_exit_code();
  } catch (const Error& e) {
    report(with_origin(e.what()));
    return 2;
  } catch (const std::bad_alloc&) {
    report("out of memory: use a smaller --batch, --history or --dim");
    return 2;
  } catch (const std::exception& e) {
    report(fmt::format("internal error, please report it: {}", e.what()));
    return 1;
  }
}

}  // namespace
}  // namespace seminar

int main(int argc, char** argv) {
  seminar::reserve_standard_streams();
  const int code = seminar::end_output(seminar::run(argc, argv));
  if (code == 0)
    seminar::leave_world();
  else
    seminar::abort_world(code);
  return code;
}
