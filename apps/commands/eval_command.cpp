// seminar eval
#include <fmt/format.h>

#include "apps/cli.h"
#include "apps/commands/training.h"
#include "apps/commands/world.h"
#include "apps/serve/runtime_scorer.h"
#include "seminar/evaluation/evaluate.h"
#include "seminar/evaluation/ranks_file.h"
#include "seminar/training/model_file.h"
#include "tensor/io/file.h"

namespace seminar {
namespace {

struct EvalArguments {
  std::string data, model, json, index, ranks, ties = name_of(Ties::expected);
  bool valid = false, show_query = false, exposures = false;
  int64_t users = 0;
  std::optional<int64_t> leave_out;
  int64_t max_memory = 0;
  SettingsFlags flags;
};

// Prints the JSON and returns true if standard output was asked for; else writes it if a file was.
bool give_json(const std::string& path, const std::string& json) {
  if (path == "-") fmt::print("{}\n", json);
  if (!path.empty() && path != "-") write_file(path, json + "\n");
  return path == "-";
}

void print(const Calibration& c) {
  fmt::print("log loss {:.4f}, mean prediction {:.4f} / mean label {:.4f} = {:.3f}, calibration error {:.4f}\n",
             c.log_loss, c.mean_prediction, c.mean_label, c.ratio(), c.error);
}

void evaluate_shown(const EvalArguments& a, const Scorer& scorer, const Dataset& data) {
  check(a.ranks.empty(), "--ranks: not with --exposures");
  const ExposureMetrics m = evaluate_exposures(scorer, data, world());
  if (!leads()) return;
  std::vector<double> user_auc;
  for (const UserAuc& user : m.users) user_auc.push_back(user.auc);
  const Interval interval =
      user_auc.empty() ? Interval{} : bootstrap(user_auc, static_cast<uint64_t>(a.flags.run.seed));
  if (give_json(a.json, metrics_json(a.model, m, interval))) return;
  fmt::print("{} shown, {} clicked, {} users with both; {} users clicked all or nothing and count for AUC only\n",
             m.shown, m.clicked, m.users.size(), m.dropped_users);
  fmt::print("AUC {:.4f}  GAUC by impressions {:.4f}, by clicks {:.4f}, unweighted {:.4f} [{:.4f}, {:.4f}]\n", m.auc,
             m.gauc, m.gauc_clicks, m.gauc_users, interval.low, interval.high);
  if (m.scores) print(*m.scores);
}

void rank_held_out(const EvalArguments& a, const Scorer& scorer, const Dataset& data) {
  if (!a.ranks.empty() && leads()) check_writable(a.ranks);
  const RunSettings& settings = a.flags.run;
  Progress progress("eval", "users", !leads());
  const UserRanks ranks = rank_users(scorer, data, settings,
                                     {a.valid ? Split::valid : Split::test, a.show_query, a.users,
                                      [&](int64_t done, int64_t total) {
                                        if (interrupted()) throw Interrupted{};
                                        progress.update(done, total, done, "");
                                      },
                                      &world()});
  if (!leads()) return;
  const RankingMetrics m = ranking_metrics(ranks, ties_named(a.ties));
  const std::vector<Interval> intervals = metric_intervals(ranks.ranks, m.ties, static_cast<uint64_t>(settings.seed));
  const std::string json = metrics_json(a.model, ranks.protocol, m, intervals);
  if (!a.ranks.empty()) save_ranks(ranks, a.model, a.ranks);
  if (give_json(a.json, json)) return;
  fmt::print("{} users, {} candidates each: {}; target query {}\n", m.users, m.candidates,
             ranks.protocol.at("candidates"), ranks.protocol.at("query"));
  fmt::print("ties {}: {:.2f} % of the users have one\n{:<9} {:>7}  95 % interval\n", a.ties, 100 * m.tie_rate,
             "metric", "");
  for (std::size_t i = 0; i < intervals.size(); ++i)
    fmt::print("{:<9} {:>7.4f}  [{:.4f}, {:.4f}]\n", user_metrics()[i].name, intervals[i].mean, intervals[i].low,
               intervals[i].high);
  if (ranks.auc) fmt::print("{:<9} {:>7.4f}  of all candidates together\n", "auc", m.auc);
  if (m.calibration) print(*m.calibration);
}

void run(EvalArguments& a) {
  a.flags.apply();
  ties_named(a.ties);
  check(a.users >= 0, "--users: must be 0 or more: {}", a.users);
  if (!a.json.empty() && a.json != "-" && leads()) check_writable(a.json);
  const Dataset data = Dataset::open(a.data);
  std::unique_ptr<Model> model;
  std::unique_ptr<Scorer> scorer;
  if (a.model == "popularity") {
    scorer = std::make_unique<Popularity>(data, a.leave_out.value_or(a.valid ? 2 : 1));
  } else if (a.model == "random") {
    scorer = std::make_unique<Chance>(static_cast<uint64_t>(a.flags.run.seed));
  } else if (is_exported(a.model)) {
    check(a.index.empty(), "--index: an exported model has its codes in it, from 'seminar export --pq'");
    scorer = std::make_unique<RuntimeScorer>(a.model, data, a.flags.run);
  } else {
    model = load_model(a.model, data);
    limit_memory(a.max_memory, estimate_evaluation(*model, data, a.flags.run), "eval");
    use_gsu(*model, data, a.flags.run, a.index);
    scorer = std::make_unique<ModelScorer>(*model, data, a.flags.run);
  }
  (a.exposures ? evaluate_shown : rank_held_out)(a, *scorer, data);
}

}  // namespace

void add_eval_command(CLI::App& app) {
  auto a = std::make_shared<EvalArguments>();
  CLI::App* command = app.add_subcommand("eval", "Rank every user's held-out action among sampled negatives");
  command->add_option("--data", a->data, "data set folder")->required();
  command->add_option("--model", a->model, "model file, trained or exported, or 'popularity', or 'random'")->required();
  command->add_option("--json", a->json, "write the metrics as JSON to this file ('-': standard output)");
  command->add_option("--ranks", a->ranks, "write where each user's item stands to this file, for 'compare'");
  command->add_option("--index", a->index, "codes for --gsu pq, from 'seminar quantize' (default: trained now)");
  command->add_flag("--valid", a->valid, "the validation actions instead of the test actions");
  command->add_flag("--show-query", a->show_query, "candidates share the target's query, as in search");
  command->add_option("--users", a->users, "rank at most this many users, drawn by the seed (0: all)")
      ->capture_default_str();
  command->add_option("--ties", a->ties, "where an item stands among equal scores: expected, optimistic, pessimistic")
      ->capture_default_str();
  command->add_option("--leave-out", a->leave_out,
                      "popularity: last actions of each user that do not count (default: from the evaluated one on)");
  command->add_flag("--exposures", a->exposures, "AUC and GAUC on what users were shown, instead of ranking");
  add_memory_limit(*command, a->max_memory);
  a->flags.add(*command, false);
  command->callback([a] { run(*a); });
}

}  // namespace seminar
