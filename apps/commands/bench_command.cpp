// seminar bench
#include <fmt/format.h>

#include "apps/bench/measure.h"
#include "apps/cli.h"
#include "tensor/gemm.h"
#include "tensor/io/file.h"
#include "tensor/io/print.h"
#include "tensor/kernels.h"
#include "tensor/parallel.h"

namespace seminar {
namespace {

struct BenchArguments {
  std::string suite = "all", json, rivals = SEMINAR_RIVALS;
  int repeats = 11;
};

void run(const BenchArguments& a) {
  std::vector<bench::Line> lines;
  const auto add = [&](const std::vector<bench::Line>& more) { lines.insert(lines.end(), more.begin(), more.end()); };
  const bool all = a.suite == "all";
  print_out(
      "kernels {}, {}; {:.0f} GFLOPS in matrix products by {} threads; reads {:.0f} GB/s from L2, {:.0f} from memory\n",
      kernels().isa, blas_description(), bench::product_speed(), threads(), bench::read_speed(int64_t{1} << 18),
      bench::read_speed(int64_t{1} << 28));
  if (all || a.suite == "retrieval") add(bench::retrieval_suite(a.rivals, a.repeats));
  if (all || a.suite == "engine") add(bench::engine_suite(a.rivals, a.repeats));
  if (all || a.suite == "train") add(bench::train_suite(a.rivals, a.repeats));
  bench::print(lines);
  write_output(a.json, bench::json(lines));
}

}  // namespace

void add_bench_command(CLI::App& app) {
  auto a = std::make_shared<BenchArguments>();
  CLI::App* command =
      app.add_subcommand("bench", "Measure against rivals that run beside: ratios of medians, with their spread");
  add_choice(*command, "--suite", a->suite, "what to measure", {"engine", "train", "retrieval", "all"});
  add_option(*command, "--repeats", a->repeats, "times that both sides are measured, one after the other", {1, 1000});
  add_option(*command, "--rivals", a->rivals, "folder of the rivals' programs; those that are missing are left out");
  add_output(*command, "--json", a->json, "write the figures to this file as well");
  command->callback([a] { run(*a); });
  command->footer("Example:\n  seminar bench --suite retrieval --json bench.json");
}

}  // namespace seminar
