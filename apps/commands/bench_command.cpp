// seminar bench
#include <fmt/format.h>

#include "apps/bench/measure.h"
#include "apps/cli.h"
#include "tensor/gemm.h"
#include "tensor/io/file.h"
#include "tensor/kernels.h"
#include "tensor/parallel.h"

namespace seminar {
namespace {

struct BenchArguments {
  std::string suite = "all", json, rivals = SEMINAR_RIVALS;
  int repeats = 11;
};

void run(const BenchArguments& a) {
  if (!a.json.empty()) check_writable(a.json);
  std::vector<bench::Line> lines;
  const auto add = [&](const std::vector<bench::Line>& more) { lines.insert(lines.end(), more.begin(), more.end()); };
  const bool all = a.suite == "all";
  fmt::print(
      "kernels {}, {}; {:.0f} GFLOPS in matrix products by {} threads; reads {:.0f} GB/s from L2, {:.0f} from memory\n",
      kernels().isa, blas_description(), bench::product_speed(), threads(), bench::read_speed(int64_t{1} << 18),
      bench::read_speed(int64_t{1} << 28));
  if (all || a.suite == "retrieval") add(bench::retrieval_suite(a.rivals, a.repeats));
  if (all || a.suite == "engine") add(bench::engine_suite(a.rivals, a.repeats));
  if (all || a.suite == "train") add(bench::train_suite(a.rivals, a.repeats));
  bench::print(lines);
  if (!a.json.empty()) write_file(a.json, bench::json(lines) + "\n");
}

}  // namespace

void add_bench_command(CLI::App& app) {
  auto a = std::make_shared<BenchArguments>();
  CLI::App* command =
      app.add_subcommand("bench", "Measure against rivals that run beside: ratios of medians, with their spread");
  command->add_option("--suite", a->suite, "what to measure")
      ->check(CLI::IsMember({"engine", "train", "retrieval", "all"}))
      ->capture_default_str();
  command->add_option("--repeats", a->repeats, "times that both sides are measured, one after the other")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--rivals", a->rivals, "folder of the rivals' programs; those that are missing are left out")
      ->capture_default_str();
  command->add_option("--json", a->json, "write the figures to this file as well");
  command->callback([a] { run(*a); });
}

}  // namespace seminar
