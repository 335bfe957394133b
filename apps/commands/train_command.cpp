// seminar pretrain, seminar train
#include <fmt/format.h>

#include <set>

#include "apps/cli.h"
#include "apps/commands/training.h"
#include "apps/commands/training_log.h"
#include "apps/commands/world.h"
#include "apps/config_file.h"
#include "seminar/model/seminar_model.h"
#include "seminar/training/model_file.h"
#include "tensor/io/file.h"
#include "tensor/io/print.h"

namespace seminar {
namespace {

struct TrainArguments {
  std::string data, out, init, model = "seminar";
  CheckpointArguments checkpoint;
  int64_t max_memory = 0;
  SettingsFlags flags;
};

// The model to train: new, or from --init. A PSU file gives every other model what --restore says; a file of the same
// kind is trained on.
std::unique_ptr<Model> start_model(const std::string& kind, TrainArguments& a, const Dataset& data) {
  const Rng rng = Rng(static_cast<uint64_t>(a.flags.run.seed)).split("init");
  check(a.flags.run.freeze == "none" || !a.init.empty(), "--freeze {}: needs --init, whose encoder is kept",
        a.flags.run.freeze);
  if (a.init.empty()) return make_model(kind, a.flags.model, data, rng);
  std::unique_ptr<Model> from = load_model(a.init, data);
  if (kind == from->kind()) {
    a.flags.check_model(from->settings(), a.init);
    return from;
  }
  const Psu* psu = dynamic_cast<const Psu*>(from.get());
  check(psu, "{}: a {} model cannot start a {} model", a.init, from->kind(), kind);
  // The PSU's settings hold, but for those that only the other model reads.
  ModelSettings settings = psu->settings();
  a.flags.model.visit([&](const SettingInfo& given, auto& value) {
    static const std::set<std::string> own{"form",      "hash-bits",    "hash-width", "blocks",
                                           "positions", "history-mean", "side",       "search-by"};
    if (!a.flags.given(given.name) || !own.contains(given.name)) return;
    settings.visit([&](const SettingInfo& s, auto& target) {
      if constexpr (std::is_same_v<decltype(target), decltype(value)>)
        if (std::string_view(s.name) == given.name) target = value;
    });
  });
  a.flags.check_model(settings, a.init);
  std::unique_ptr<Model> model = make_model(kind, settings, data, rng, psu->tokenizer());
  model->restore(*psu, a.flags.run.restore == "all");
  return model;
}

void run(const std::string& label, const std::string& kind, TrainArguments& a, const CLI::App& command) {
  a.flags.apply({kind});
  a.checkpoint.file = a.out + ".checkpoint";
  check(!written_through(a.out), "--out: {} is a pipe or a device: a file is needed, with a checkpoint beside it",
        a.out);
  if (leads()) {
    check_writable(a.checkpoint.file);
    a.checkpoint.log = training_log_path(a.out);
    check_writable(a.checkpoint.log);
  }
  check(a.checkpoint.resume || !file_exists(a.checkpoint.file),
        "{}: left by a run that was stopped: go on with --resume, or remove it", a.checkpoint.file);
  const Dataset data = Dataset::open(a.data);
  const std::unique_ptr<Model> model = start_model(kind, a, data);
  limit_memory(a.max_memory, estimate_training(*model, data, a.flags.run), label);
  if (leads() && file_exists(a.out)) print_error("{}: exists and is replaced at the end\n", a.out);
  if (leads() && is_given(command, "--k") && a.flags.run.k > a.flags.run.history)
    print_error("--k {}: more than --history {}: no more than {} behaviours can be kept\n", a.flags.run.k,
                a.flags.run.history, a.flags.run.history);
  const TrainReport report = train_shown(label, *model, data, a.flags.run, a.checkpoint);
  if (!leads()) return;
  save_model(*model, data, a.flags.run, a.out);
  remove_file(a.checkpoint.file);
  print_out("{}: {} parameters, {} targets in {} steps, best epoch {} with validation NDCG@10 {:.4f}, written to {}\n",
            kind, count(model->params()), report.targets, report.steps, report.best_epoch, report.best_ndcg10, a.out);
}

CLI::App* add_command(CLI::App& app, const char* name, const char* help, TrainArguments& a) {
  CLI::App* command = app.add_subcommand(name, help);
  add_input(*command, "--data", a.data, "data set folder, from 'data import'", "FOLDER")->required();
  add_output(*command, "--out", a.out, "model file to write")->required();
  add_input(*command, "--init", a.init, "model file to start from; its model settings hold");
  command->add_flag("--resume", a.checkpoint.resume,
                    "go on from OUT.checkpoint, given the same settings; the result is the same as without the stop");
  add_option(*command, "--checkpoint-every", a.checkpoint.every,
             "seconds between checkpoints, written besides after every epoch (0: after every step)", from_0);
  command->add_flag("--stats", a.checkpoint.stats,
                    "after every epoch: where the time of a step goes, bytes sent per rank");
  add_option(*command, "--tensorboard", a.checkpoint.tensorboard,
             "folder for a TensorBoard event file: losses per step, validation per epoch")
      ->type_name("FOLDER");
  add_output(*command, "--step-log", a.checkpoint.step_log, "CSV file with the losses of every step");
  add_memory_limit(*command, a.max_memory);
  a.flags.add_all(*command);
  return command;
}

}  // namespace

void add_train_commands(CLI::App& app) {
  auto pretrain = std::make_shared<TrainArguments>(), train = std::make_shared<TrainArguments>();
  CLI::App* psu =
      add_command(app, "pretrain", "Pretrain the PSU: next pair, alignment, query-item relevance", *pretrain);
  psu->callback([pretrain, psu] { run("pretrain", "psu", *pretrain, *psu); });
  psu->footer("Example:\n  seminar pretrain --data data --out psu.safetensors");
  before_help(*psu, [psu] { hide_unread(*psu, {"psu"}); });

  CLI::App* command = add_command(app, "train", "Train SEMINAR (GSU, ESU, CTR head) or a baseline", *train);
  std::string kinds;
  std::vector<std::string> names;
  for (const ModelKind& kind : model_kinds()) {
    kinds += fmt::format("\n  {:<11}{}", kind.name, kind.help);
    names.emplace_back(kind.name);
  }
  note_choices(add_option(*command, "--model", train->model, "what to train:" + kinds), names);
  command->callback([train, command] {
    model_kind(train->model);
    run("train", train->model, *train, *command);
  });
  before_help(*command, [train, command] { hide_unread(*command, {model_kind(train->model).name}); });
  command->footer(
      "Examples:\n"
      "  seminar train --data data --init psu.safetensors --out model.safetensors\n"
      "  seminar train --model sim --data data --out sim.safetensors\n"
      "The settings of another model: seminar train --model NAME --help");
}

}  // namespace seminar
