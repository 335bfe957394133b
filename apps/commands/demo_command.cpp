// seminar demo: the main job on the data that the repository ships, from CSV files to one table and one user's
// retrieval.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "apps/cli.h"
#include "apps/commands/retrieval_example.h"
#include "apps/commands/training.h"
#include "apps/commands/training_log.h"
#include "seminar/data/import.h"
#include "seminar/model/seminar_model.h"
#include "seminar/training/model_file.h"
#include "tensor/io/print.h"

namespace seminar {
namespace {

namespace fs = std::filesystem;

struct DemoArguments {
  std::string source = SEMINAR_DEMO_DATA, work = "seminar-demo";
  int64_t pretrain_epochs = 2;
  bool quick = false;
  SettingsFlags flags;
};

struct DemoRow {
  std::string name;
  int64_t passes;
  RankingMetrics metrics;
  double seconds;
};

// Trains one model of the table and puts its test metrics there.
std::unique_ptr<Model> add_row(std::vector<DemoRow>& table, const std::string& name, std::unique_ptr<Model> model,
                               const Dataset& data, const RunSettings& run, int64_t passes_before,
                               const std::string& file) {
  const auto begin = std::chrono::steady_clock::now();
  CheckpointArguments files;
  files.log = training_log_path(file);
  train_shown(name, *model, data, run, files);
  save_model(*model, data, run, file);
  const RankingMetrics metrics = evaluate(*model, data, run, {});
  table.push_back({name, passes_before + run.epochs, metrics,
                   std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()});
  return model;
}

void print_table(const std::vector<DemoRow>& table) {
  print_out("\n{:<34} {:>6} {:>7} {:>8} {:>8} {:>7} {:>7} {:>7} {:>9}\n", "model", "passes", "NDCG@5", "NDCG@10",
            "NDCG@50", "HR@10", "MRR", "AUC", "time");
  for (const DemoRow& r : table) {
    const RankingMetrics& m = r.metrics;
    print_out("{:<34} {:>6} {:>7.4f} {:>8.4f} {:>8.4f} {:>7.4f} {:>7.4f} {:>7.4f} {:>9}\n", r.name, r.passes, m.ndcg5,
              m.ndcg10, m.ndcg50, m.hr10, m.mrr, m.auc, r.seconds > 0 ? duration(r.seconds) : "");
  }
}

void print_retrieval(const SeminarModel& model, const Dataset& data, const RunSettings& run) {
  const RetrievalExample example = retrieval_example(model, data, run, example_user(data), 10);
  print_out("\nUser {} with {} behaviours. Target: {}\nThe {} behaviours that GSU retrieved, best first:\n",
            example.user, example.behaviours, example.target, example.retrieved.size());
  for (std::size_t i = 0; i < example.retrieved.size(); ++i) {
    const RetrievedBehaviour& b = example.retrieved[i];
    print_out("  {:>2}. {}, {} ago{}\n", i + 1, b.title, b.ago,
              b.query.empty() ? "" : fmt::format("   (query: {})", b.query));
  }
}

// What --quick makes smaller, unless it was asked for: the demo then takes less than a minute.
void shorten(DemoArguments& a, const CLI::App& command) {
  RunSettings& run = a.flags.run;
  if (!is_given(command, "--pretrain-epochs")) a.pretrain_epochs = 1;
  if (!is_given(command, "--epochs")) run.epochs = 1;
  if (!is_given(command, "--targets")) run.targets = 10;
  if (!is_given(command, "--history")) run.history = 100;
  if (!is_given(command, "--k")) run.k = 25;
}

void run(DemoArguments& a, const CLI::App& command) {
  if (a.quick) shorten(a, command);
  a.flags.apply({"seminar", "psu"});
  const auto begin = std::chrono::steady_clock::now();
  const std::string data_dir = a.work + "/data";
  fs::create_directories(a.work);
  if (fs::exists(data_dir + "/manifest.json")) fs::remove_all(data_dir);
  ImportOptions import;
  import.seed = static_cast<uint64_t>(a.flags.run.seed);
  import_dataset("movielens", a.source, data_dir, import);
  const Dataset data = Dataset::open(data_dir);
  print_out(
      "{} users, {} items, {} behaviours, {:.1f} % with a query (typed tags, the rest made from genre and decade)\n",
      data.users(), data.items(), data.interactions(), 100 * data.query_share());

  const Rng init = Rng(static_cast<uint64_t>(a.flags.run.seed)).split("init");
  RunSettings pretrain = a.flags.run, all_passes = a.flags.run;
  pretrain.epochs = a.pretrain_epochs;
  all_passes.epochs = a.flags.run.epochs + a.pretrain_epochs;
  std::vector<DemoRow> table;
  table.push_back({"popularity", 0, ranking_metrics(rank_users(Popularity(data, 1), data, a.flags.run, {})), 0});
  add_row(table, "mean pooling", make_model("mean_pool", a.flags.model, data, init), data, all_passes, 0,
          a.work + "/mean_pool.safetensors");
  add_row(table, "SEMINAR without pretraining", make_model("seminar", a.flags.model, data, init), data, all_passes, 0,
          a.work + "/scratch.safetensors");
  const auto psu = add_row(table, "PSU (pretraining alone)", make_model("psu", a.flags.model, data, init), data,
                           pretrain, 0, a.work + "/psu.safetensors");
  auto model = make_model("seminar", a.flags.model, data, init);
  model->restore(dynamic_cast<const Psu&>(*psu), a.flags.run.restore == "all");
  model = add_row(table, "SEMINAR", std::move(model), data, a.flags.run, a.pretrain_epochs,
                  a.work + "/seminar.safetensors");
  print_table(table);
  print_retrieval(dynamic_cast<const SeminarModel&>(*model), data, a.flags.run);
  print_out("\nModels and data are in {0}/: 'seminar report {0} --out report.html' shows them. Whole demo: {1}.\n",
            a.work, duration(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()));
}

}  // namespace

void add_demo_command(CLI::App& app) {
  auto a = std::make_shared<DemoArguments>();
  CLI::App* command =
      app.add_subcommand("demo", "The main job on the shipped data: import, pretrain, fine-tune, compare, retrieve");
  add_input(*command, "--source", a->source, "MovieLens folder", "FOLDER");
  add_option(*command, "--work", a->work, "folder for the data set and the models");
  add_option(*command, "--pretrain-epochs", a->pretrain_epochs,
             "passes of pretraining; models without it get as many more", {0, 10000});
  command->add_flag("--quick", a->quick,
                    "less than a minute: one pass, few targets, short histories, unless they are asked for");
  a->flags.add_all(*command);
  command->callback([a, command] { run(*a, *command); });
  before_help(*command, [command] { hide_unread(*command, {"seminar", "psu"}); });
  command->footer("Examples:\n  seminar demo\n  seminar demo --quick --work quick");
}

}  // namespace seminar
