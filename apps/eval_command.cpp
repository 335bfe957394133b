// seminar eval
#include <fmt/format.h>

#include "apps/cli.h"
#include "apps/training.h"
#include "seminar/evaluate.h"
#include "seminar/model_file.h"
#include "tensor/file.h"

namespace seminar {
namespace {

struct EvalArguments {
  std::string data, model, json, index;
  bool valid = false, show_query = false, exposures = false;
  std::optional<int64_t> leave_out;
  int64_t max_memory = 0;
  SettingsFlags flags;
};

void run(EvalArguments& a) {
  a.flags.apply();
  if (!a.json.empty() && a.json != "-") check_writable(a.json);
  const Dataset data = Dataset::open(a.data);
  const EvaluationOptions options{a.valid ? Split::valid : Split::test, a.show_query};
  std::unique_ptr<Model> model;
  if (a.model != "popularity") {
    model = load_model(a.model, data);
    limit_memory(a.max_memory, estimate_evaluation(*model, data, a.flags.run), "eval");
    use_gsu(*model, data, a.flags.run, a.index);
  }
  if (a.exposures) {
    check(model != nullptr, "--exposures: needs a model file, not '{}'", a.model);
    const ExposureMetrics m = evaluate_exposures(*model, data, a.flags.run);
    fmt::print("{} shown, {} clicked, {} users with both: AUC {:.4f}  GAUC {:.4f}\n", m.shown, m.clicked, m.users,
               m.auc, m.gauc);
    return;
  }
  const RankingMetrics m = model ? evaluate(*model, data, a.flags.run, options)
                                 : evaluate_popularity(data, a.flags.run, options, a.leave_out);
  const std::string json = metrics_json(a.model, m);
  if (a.json == "-") {
    fmt::print("{}\n", json);
    return;
  }
  if (!a.json.empty()) write_file(a.json, json + "\n");
  fmt::print("{} users, {} candidates each, {}\n", m.users, m.candidates,
             a.show_query ? "target query shown" : "target query hidden");
  fmt::print("NDCG@5 {:.4f}  @10 {:.4f}  @50 {:.4f}  HR@10 {:.4f}  MRR {:.4f}  AUC {:.4f}\n", m.ndcg5, m.ndcg10,
             m.ndcg50, m.hr10, m.mrr, m.auc);
}

}  // namespace

void add_eval_command(CLI::App& app) {
  auto a = std::make_shared<EvalArguments>();
  CLI::App* command = app.add_subcommand("eval", "Rank every user's held-out action among sampled negatives");
  command->add_option("--data", a->data, "data set folder")->required();
  command->add_option("--model", a->model, "model file, or 'popularity'")->required();
  command->add_option("--json", a->json, "write the metrics as JSON to this file ('-': standard output)");
  command->add_option("--index", a->index, "codes for --gsu pq, from 'seminar quantize' (default: trained now)");
  command->add_flag("--valid", a->valid, "the validation actions instead of the test actions");
  command->add_flag("--show-query", a->show_query, "candidates share the target's query, as in search");
  command->add_option("--leave-out", a->leave_out,
                      "popularity: last actions of each user that do not count (default: from the evaluated one on)");
  command->add_flag("--exposures", a->exposures, "AUC and GAUC on what users were shown, instead of ranking");
  add_memory_limit(*command, a->max_memory);
  a->flags.add(*command, false);
  command->callback([a] { run(*a); });
}

}  // namespace seminar
