// seminar compare
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/cli.h"
#include "seminar/bootstrap.h"
#include "seminar/ranks_file.h"
#include "tensor/error.h"
#include "tensor/file.h"

namespace seminar {
namespace {

struct CompareArguments {
  std::vector<std::string> files, metrics{"ndcg@5", "ndcg@10", "ndcg@50", "hr@10", "mrr", "user_auc"};
  std::string ties = name_of(Ties::expected), json;
  int64_t seed = 42;
};

// One file against the first, in one metric.
struct Comparison {
  std::string file, metric;
  double mean = 0;
  Interval difference;  // to the first
  double p = 1, p_holm = 1;
};

// All files in one metric; the first row is the first file itself.
std::vector<Comparison> compare(const CompareArguments& a, std::span<const UserRanks> ranks, const std::string& name) {
  const uint64_t seed = static_cast<uint64_t>(a.seed);
  const Metric& metric = metric_named(name);
  const std::vector<double> first = gains(metric, ranks[0].ranks, ties_named(a.ties));
  std::vector<Comparison> rows;
  std::vector<double> p;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const std::vector<double> values = gains(metric, ranks[i].ranks, ties_named(a.ties));
    const RankingMetrics means = ranking_metrics(ranks[i], ties_named(a.ties));
    check_identities(means);
    rows.push_back({a.files[i], name, means.*metric.mean, bootstrap_difference(values, first, seed)});
    if (i > 0) p.push_back(rows.back().p = sign_flip_test(values, first, seed));
  }
  const std::vector<double> corrected = holm(p);
  for (std::size_t i = 0; i < p.size(); ++i) rows[i + 1].p_holm = corrected[i];
  return rows;
}

void print(std::span<const Comparison> rows, std::size_t width) {
  fmt::print("\n{:<{}}    mean  difference  95 % interval            p  p (Holm)\n", rows[0].metric, width);
  fmt::print("{:<{}}  {:.4f}\n", rows[0].file, width, rows[0].mean);
  for (const Comparison& r : rows.subspan(1))
    fmt::print("{:<{}}  {:.4f}     {:+.4f}  [{:+.4f}, {:+.4f}]  {:.4f}    {:.4f}\n", r.file, width, r.mean,
               r.difference.mean, r.difference.low, r.difference.high, r.p, r.p_holm);
}

void run(const CompareArguments& a) {
  check(a.files.size() >= 2, "compare: needs two files or more");
  if (!a.json.empty()) check_writable(a.json);
  std::vector<UserRanks> ranks;
  std::size_t width = 0;
  for (const std::string& file : a.files) {
    ranks.push_back(load_ranks(file));
    check_comparable(ranks[0], a.files[0], ranks.back(), file);
    width = std::max(width, file.size());
  }
  fmt::print("{} users; differences to {}, paired by user; ties {}\n", ranks[0].users.size(), a.files[0], a.ties);
  fmt::print("intervals by bootstrap over users; p by random signs, corrected by Holm for {} comparisons a metric\n",
             a.files.size() - 1);
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const std::string& metric : a.metrics) {
    const std::vector<Comparison> rows = compare(a, ranks, metric);
    print(rows, width);
    for (const Comparison& r : rows) {
      json.push_back({{"metric", r.metric}, {"file", r.file}, {"mean", r.mean}});
      if (&r == &rows[0]) continue;
      json.back()["difference"] = r.difference.mean;
      json.back()["interval"] = {r.difference.low, r.difference.high};
      json.back()["p"] = r.p;
      json.back()["p_holm"] = r.p_holm;
    }
  }
  if (!a.json.empty()) write_file(a.json, json.dump(2) + "\n");
}

}  // namespace

void add_compare_command(CLI::App& app) {
  auto a = std::make_shared<CompareArguments>();
  CLI::App* command = app.add_subcommand("compare", "Differences between models on the same users, with intervals");
  command->add_option("FILES", a->files, "files written by 'eval --ranks'; all are compared with the first")
      ->required();
  command->add_option("--metrics", a->metrics, "ndcg@ and hr@ 1, 5, 10, 50, mrr, user_auc")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--ties", a->ties, "where an item stands among equal scores: expected, optimistic, pessimistic")
      ->capture_default_str();
  command->add_option("--seed", a->seed, "seed of intervals and tests")->capture_default_str();
  command->add_option("--json", a->json, "write the table as JSON to this file");
  command->callback([a] { run(*a); });
}

}  // namespace seminar
