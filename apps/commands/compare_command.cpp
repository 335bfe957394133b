// seminar compare
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/cli.h"
#include "seminar/evaluation/bootstrap.h"
#include "seminar/evaluation/ranks_file.h"
#include "tensor/error.h"
#include "tensor/io/file.h"
#include "tensor/io/print.h"

namespace seminar {
namespace {

struct CompareArguments {
  std::vector<std::string> files, metrics{"ndcg@5", "ndcg@10", "ndcg@50", "hr@10", "mrr", "user_auc"};
  std::string ties = name_of(Ties::expected), json;
  int64_t seed = 42;
};

// A file of ranks and what it means.
struct RankedModel {
  std::string file;
  UserRanks ranks;
  RankingMetrics means;
};

// A file against the first, in one metric.
struct Comparison {
  std::string file;
  double mean = 0;
  Interval difference;  // to the first
  double p = 1, p_holm = 1;
};

std::vector<RankedModel> load(const std::vector<std::string>& files, Ties ties) {
  check(files.size() >= 2, "compare: needs two files or more");
  std::vector<RankedModel> all;
  for (const std::string& file : files) {
    all.push_back({file, load_ranks(file), {}});
    check_comparable(all[0].ranks, files[0], all.back().ranks, file);
    all.back().means = ranking_metrics(all.back().ranks, ties);
    check_identities(all.back().means);
  }
  return all;
}

// All files in one metric; the first row is the first file itself.
std::vector<Comparison> compare(std::span<const RankedModel> all, const Metric& metric, uint64_t seed) {
  const auto values = [&](const RankedModel& r) { return gains(metric, r.ranks.ranks, r.means.ties); };
  const std::vector<double> first = values(all[0]);
  std::vector<Comparison> rows{{all[0].file, all[0].means.*metric.mean, {}}};
  std::vector<double> p;
  for (const RankedModel& other : all.subspan(1)) {
    const std::vector<double> its = values(other);
    p.push_back(sign_flip_test(its, first, seed));
    rows.push_back({other.file, other.means.*metric.mean, bootstrap_difference(its, first, seed), p.back()});
  }
  const std::vector<double> corrected = holm(p);
  for (std::size_t i = 0; i < p.size(); ++i) rows[i + 1].p_holm = corrected[i];
  return rows;
}

void print(const char* metric, std::span<const Comparison> rows) {
  std::size_t width = 0;
  for (const Comparison& r : rows) width = std::max(width, r.file.size());
  print_out("\n{:<{}}    mean  difference  95 % interval            p  p (Holm)\n", metric, width);
  print_out("{:<{}}  {:.4f}\n", rows[0].file, width, rows[0].mean);
  for (const Comparison& r : rows.subspan(1))
    print_out("{:<{}}  {:.4f}     {:+.4f}  [{:+.4f}, {:+.4f}]  {:.4f}    {:.4f}\n", r.file, width, r.mean,
              r.difference.mean, r.difference.low, r.difference.high, r.p, r.p_holm);
}

nlohmann::ordered_json json_of(const char* metric, std::span<const Comparison> rows) {
  nlohmann::ordered_json json{{"metric", metric}, {"first", {{"file", rows[0].file}, {"mean", rows[0].mean}}}};
  for (const Comparison& r : rows.subspan(1))
    json["others"].push_back({{"file", r.file},
                              {"mean", r.mean},
                              {"difference", r.difference.mean},
                              {"interval", {r.difference.low, r.difference.high}},
                              {"p", r.p},
                              {"p_holm", r.p_holm}});
  return json;
}

void run(const CompareArguments& a) {
  const Ties ties = ties_named(a.ties);
  std::vector<Metric> metrics;
  for (const std::string& name : a.metrics) metrics.push_back(metric_named(name));
  const std::vector<RankedModel> all = load(a.files, ties);
  std::vector<std::vector<Comparison>> tables;
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Metric& metric : metrics) {
    tables.push_back(compare(all, metric, static_cast<uint64_t>(a.seed)));
    json.push_back(json_of(metric.name, tables.back()));
  }
  if (write_output(a.json, json.dump(2))) return;
  print_out("{} users; differences to {}, paired by user; ties {}\n", all[0].ranks.users.size(), a.files[0], a.ties);
  print_out("intervals by bootstrap over users; p by random signs, corrected by Holm for {} comparisons a metric\n",
            a.files.size() - 1);
  for (std::size_t m = 0; m < metrics.size(); ++m) print(metrics[m].name, tables[m]);
}

}  // namespace

void add_compare_command(CLI::App& app) {
  auto a = std::make_shared<CompareArguments>();
  CLI::App* command = app.add_subcommand("compare", "Differences between models on the same users, with intervals");
  add_input(*command, "FILES", a->files, "files written by 'eval --ranks'; all are compared with the first")
      ->required();
  add_option(*command, "--metrics", a->metrics, "ndcg@ and hr@ 1, 5, 10, 50, mrr, user_auc");
  add_option(*command, "--ties", a->ties, "where an item stands among equal scores: expected, optimistic, pessimistic");
  add_option(*command, "--seed", a->seed, "seed of intervals and tests", from_0);
  add_output(*command, "--json", a->json, "write the table as JSON to this file ('-': standard output)");
  command->callback([a] { run(*a); });
  command->footer("Example:\n  seminar compare a.ranks b.ranks --metrics ndcg@10,mrr");
}

}  // namespace seminar
