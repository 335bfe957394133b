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
#include "tensor/io/print.h"

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

void print(const Calibration& c) {
  print_out("log loss {:.4f}, mean prediction {:.4f} / mean label {:.4f} = {:.3f}, calibration error {:.4f}\n",
            c.log_loss, c.mean_prediction, c.mean_label, c.ratio(), c.error);
}

void evaluate_shown(const EvalArguments& a, const Scorer& scorer, const Dataset& data) {
  check(a.ranks.empty(), "--ranks: not with --exposures");
  const ExposureMetrics m = evaluate_exposures(scorer, data, world());
  if (!leads()) return;
  std::vector<double> user_auc;
  for (const UserAuc& user : m.users) user_auc.push_back(user.auc);
  const Interval interval =
      user_auc.empty() ? Interval{} : bootstrap(user_auc, static_cast<uint64_t>(a.flags.run.eval_seed));
  if (write_output(a.json, metrics_json(a.model, m, interval))) return;
  print_out("{} shown, {} clicked, {} users with both; {} users clicked all or nothing and count for AUC only\n",
            m.shown, m.clicked, m.users.size(), m.dropped_users);
  print_out("AUC {:.4f}  GAUC by impressions {:.4f}, by clicks {:.4f}, unweighted {:.4f} [{:.4f}, {:.4f}]\n", m.auc,
            m.gauc, m.gauc_clicks, m.gauc_users, interval.low, interval.high);
  if (m.scores) print(*m.scores);
}

void rank_held_out(const EvalArguments& a, const Scorer& scorer, const Dataset& data) {
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
  const std::vector<Interval> intervals =
      metric_intervals(ranks.ranks, m.ties, static_cast<uint64_t>(settings.eval_seed));
  const std::string json = metrics_json(a.model, ranks.protocol, m, intervals);
  if (!a.ranks.empty()) save_ranks(ranks, a.model, a.ranks);
  if (write_output(a.json, json)) return;
  print_out("{} users, {} candidates each: {}; target query {}\n", m.users, m.candidates,
            ranks.protocol.at("candidates"), ranks.protocol.at("query"));
  if (ranks.protocol.contains(history_key))
    print_out("history L = {}, kept K = {}\n", ranks.protocol.at(history_key), ranks.protocol.at(kept_key));
  print_out("ties {}: {:.2f} % of the users have one\n{:<9} {:>7}  95 % interval\n", a.ties, 100 * m.tie_rate, "metric",
            "");
  for (std::size_t i = 0; i < intervals.size(); ++i)
    print_out("{:<9} {:>7.4f}  [{:.4f}, {:.4f}]\n", user_metrics()[i].name, intervals[i].mean, intervals[i].low,
              intervals[i].high);
  if (ranks.auc) print_out("{:<9} {:>7.4f}  of all candidates together\n", "auc", m.auc);
  if (m.calibration) print(*m.calibration);
}

// A model is evaluated as it was trained, where the flags do not say otherwise.
void take_trained(EvalArguments& a, const CLI::App& command, const SafetensorsFile& file) {
  const RunSettings trained = run_settings_from_json(file.meta("run"), file.path());
  if (!is_given(command, "--task")) a.flags.run.task = trained.task;
  for (const auto& [flag, member] :
       {std::pair{"--history", &RunSettings::history}, {"--k", &RunSettings::k}, {"--k1", &RunSettings::k1}})
    if (!is_given(command, flag)) a.flags.run.*member = trained.*member;
}

void run(EvalArguments& a, const CLI::App& command) {
  a.flags.apply({"seminar", "qin"});
  ties_named(a.ties);
  const Dataset data = Dataset::open(a.data);
  std::unique_ptr<Model> model;
  std::unique_ptr<Scorer> scorer;
  if (a.model == "popularity") {
    scorer = std::make_unique<Popularity>(data, a.leave_out.value_or(a.valid ? 2 : 1));
  } else if (a.model == "random") {
    scorer = std::make_unique<Chance>(static_cast<uint64_t>(a.flags.run.eval_seed));
  } else if (is_exported(a.model)) {
    check(a.index.empty(), "--index: an exported model has its codes in it, from 'seminar export --pq'");
    const auto [history, k] = exported_settings(a.model);
    if (!is_given(command, "--history")) a.flags.run.history = history;
    if (!is_given(command, "--k")) a.flags.run.k = std::min(k, a.flags.run.history);
    scorer = std::make_unique<RuntimeScorer>(a.model, data, a.flags.run);
  } else {
    model = load_model(a.model, data);
    take_trained(a, command, SafetensorsFile(a.model));
    limit_memory(a.max_memory, estimate_evaluation(*model, data, a.flags.run), "eval");
    use_gsu(*model, data, a.flags.run, a.index);
    a.flags.refuse_unread({model->kind()});
    scorer = std::make_unique<ModelScorer>(*model, data, a.flags.run);
  }
  (a.exposures ? evaluate_shown : rank_held_out)(a, *scorer, data);
}

}  // namespace

void add_eval_command(CLI::App& app) {
  auto a = std::make_shared<EvalArguments>();
  CLI::App* command = app.add_subcommand("eval", "Rank every user's held-out action among sampled negatives");
  add_input(*command, "--data", a->data, "data set folder", "FOLDER")->required();
  add_input(*command, "--model", a->model, "model file, trained or exported, or 'popularity', or 'random'")->required();
  add_output(*command, "--json", a->json, "write the metrics as JSON to this file ('-': standard output)");
  add_output(*command, "--ranks", a->ranks, "write where each user's item stands to this file, for 'compare'");
  add_input(*command, "--index", a->index, "codes for --gsu pq, from 'seminar quantize' (default: trained now)");
  command->add_flag("--valid", a->valid, "the validation actions instead of the test actions");
  command->add_flag("--show-query", a->show_query, "candidates share the target's query, as in search");
  add_option(*command, "--users", a->users, "rank at most this many users, drawn by the seed (0: all)", from_0);
  add_option(*command, "--ties", a->ties, "where an item stands among equal scores: expected, optimistic, pessimistic");
  add_option(*command, "--leave-out", a->leave_out,
             "popularity: last actions of each user that do not count (default: from the evaluated one on)", from_0);
  command->add_flag("--exposures", a->exposures, "AUC and GAUC on what users were shown, instead of ranking");
  add_memory_limit(*command, a->max_memory);
  a->flags.add_evaluation(*command);
  add_option(*command, "--seed", a->flags.run.eval_seed, "the same as --eval-seed", from_0)
      ->group("Evaluation")
      ->default_str("");
  for (const char* flag : {"--history", "--k", "--k1", "--task"}) command->get_option(flag)->default_str("as trained");
  command->callback([a, command] { run(*a, *command); });
  command->footer(
      "Examples:\n"
      "  seminar eval --data data --model model.safetensors\n"
      "  seminar eval --data data --model popularity --ranks popularity.ranks");
}

}  // namespace seminar
