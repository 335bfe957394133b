// seminar pretrain, seminar train
#include <fmt/format.h>

#include "apps/cli.h"
#include "apps/commands/training.h"
#include "apps/commands/training_log.h"
#include "apps/commands/world.h"
#include "seminar/model/seminar_model.h"
#include "seminar/training/model_file.h"
#include "tensor/io/file.h"

namespace seminar {
namespace {

struct TrainArguments {
  std::string data, out, init, model = "seminar";
  CheckpointArguments checkpoint;
  int64_t max_memory = 0;
  SettingsFlags flags;
};

// The model to train: new, or from --init. A PSU file gives "seminar" its encoders and attention; a file of the same
// kind is trained on.
std::unique_ptr<Model> start_model(const std::string& kind, const TrainArguments& a, const Dataset& data) {
  const Rng rng = Rng(static_cast<uint64_t>(a.flags.run.seed)).split("init");
  check(a.flags.run.freeze == "none" || !a.init.empty(), "--freeze {}: needs --init, whose encoder is kept",
        a.flags.run.freeze);
  if (a.init.empty()) return make_model(kind, a.flags.model, data, rng);
  std::unique_ptr<Model> from = load_model(a.init, data);
  if (kind == from->kind()) return from;
  const Psu* psu = dynamic_cast<const Psu*>(from.get());
  check(psu && kind == "seminar", "{}: a {} model cannot start a {} model", a.init, from->kind(), kind);
  std::unique_ptr<Model> model = make_model(kind, psu->settings(), data, rng, psu->tokenizer());
  dynamic_cast<SeminarModel&>(*model).restore(*psu);
  return model;
}

void run(const std::string& label, const std::string& kind, TrainArguments& a) {
  a.flags.apply();
  a.checkpoint.file = a.out + ".checkpoint";
  if (leads()) {
    check_writable(a.out);
    check_writable(a.checkpoint.file);
    a.checkpoint.log = training_log_path(a.out);
  }
  check(a.checkpoint.resume || !file_exists(a.checkpoint.file),
        "{}: left by a run that was stopped: go on with --resume, or remove it", a.checkpoint.file);
  const Dataset data = Dataset::open(a.data);
  const std::unique_ptr<Model> model = start_model(kind, a, data);
  limit_memory(a.max_memory, estimate_training(*model, data, a.flags.run), label);
  const TrainReport report = train_shown(label, *model, data, a.flags.run, a.checkpoint);
  if (!leads()) return;
  save_model(*model, data, a.flags.run, a.out);
  remove_file(a.checkpoint.file);
  fmt::print("{}: {} parameters, {} targets in {} steps, best epoch {} with validation NDCG@10 {:.4f}, written to {}\n",
             kind, count(model->params()), report.targets, report.steps, report.best_epoch, report.best_ndcg10, a.out);
}

CLI::App* add_command(CLI::App& app, const char* name, const char* help, TrainArguments& a) {
  CLI::App* command = app.add_subcommand(name, help);
  command->add_option("--data", a.data, "data set folder, from 'data import'")->required();
  command->add_option("--out", a.out, "model file to write")->required();
  command->add_option("--init", a.init, "model file to start from; its model settings hold");
  command->add_flag("--resume", a.checkpoint.resume,
                    "go on from OUT.checkpoint, given the same settings; the result is the same as without the stop");
  command
      ->add_option("--checkpoint-every", a.checkpoint.every,
                   "seconds between checkpoints, written besides after every epoch (0: after every step)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--stats", a.checkpoint.stats, "after every epoch: where a step's time goes, bytes sent by a rank");
  add_memory_limit(*command, a.max_memory);
  a.flags.add(*command, true);
  return command;
}

}  // namespace

void add_train_commands(CLI::App& app) {
  auto pretrain = std::make_shared<TrainArguments>(), train = std::make_shared<TrainArguments>();
  add_command(app, "pretrain", "Pretrain the PSU: next pair, alignment, query-item relevance", *pretrain)
      ->callback([pretrain] { run("pretrain", "psu", *pretrain); });
  CLI::App* command = add_command(app, "train", "Train SEMINAR (GSU, ESU, CTR head) or a baseline", *train);
  std::string kinds;
  for (const ModelKind& kind : model_kinds()) kinds += fmt::format("\n  {:<11}{}", kind.name, kind.help);
  command->add_option("--model", train->model, "what to train:" + kinds)->capture_default_str();
  command->callback([train] {
    model_kind(train->model);
    run("train", train->model, *train);
  });
}

}  // namespace seminar
