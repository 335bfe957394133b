#include "seminar/training/training_state.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "nn/checkpoint.h"
#include "seminar/training/model_file.h"
#include "tensor/io/text.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

using Json = nlohmann::json;

const std::string adam_prefix = std::string(training_prefix) + "adam.",
                  best_prefix = std::string(training_prefix) + "best.",
                  start_prefix = std::string(training_prefix) + "epoch_start.";
constexpr const char* state_key = "training";

// Throws Error naming the first setting in which two flat JSON objects differ.
void check_same_settings(const std::string& path, const std::string& stored, const std::string& wanted) {
  const Json theirs = Json::parse(stored, nullptr, false), ours = Json::parse(wanted);
  check(theirs.is_object(), "{}: its settings are not a JSON object", path);
  for (const auto& [name, value] : ours.items()) {
    const auto it = theirs.find(name);
    if (it == theirs.end() || *it != value)
      fail("{}: made with --{} {}, this run has {}: resume with the settings it was started with", path, name,
           it == theirs.end() ? "missing" : shown(it->dump(-1, ' ', false, Json::error_handler_t::replace)),
           value.dump());
  }
  check(theirs.size() == ours.size(), "{}: made with settings that this program does not have", path);
}

// What train() was given, as model_file() writes it: the same keys must say the same.
void check_same_run(const SafetensorsFile& file, const Model& model, const Dataset& data, const RunSettings& run) {
  const std::string& path = file.path();
  check(file.metadata().count(state_key) != 0, "{}: not a checkpoint of training", path);
  ModelSettings settings = model.settings();
  RunSettings kept = run;
  kept.threads = 0;
  check(file.meta("format") == model_format, "{}: not a checkpoint of this program: format {}", path,
        shown(file.meta("format")));
  check(file.meta("kind") == model.kind(), "{}: of a {} model, not {}", path, shown(file.meta("kind")), model.kind());
  check(file.meta("data") == data.fingerprint(), "{}: made for another data set: {}, this one is {}", path,
        shown(file.meta("data")), data.fingerprint());
  check_same_settings(path, file.meta("settings"), settings_json(settings));
  check_same_settings(path, file.meta("run"), settings_json(kept));
  check(!model.tokenizer() || file.meta("tokenizer") == model.tokenizer()->text(), "{}: made with another tokenizer",
        path);
}

}  // namespace

void save_checkpoint(const TrainingState& state, const Adam& adam, const Model& model, const Dataset& data,
                     const RunSettings& run, const std::string& path) {
  const Params params = model.params();
  SafetensorsWriter file = model_file(model, data, run);
  file.meta(state_key, Json{{"epoch", state.epoch},
                            {"batch", state.batch},
                            {"targets", state.targets},
                            {"best_epoch", state.best_epoch},
                            {"best_ndcg10", state.best_ndcg10},
                            {"adam_steps", adam.steps()}}
                           .dump());
  add_optimizer(file, adam_prefix, params, adam);
  add_values(file, best_prefix, params, state.best);
  add_values(file, start_prefix, params, state.epoch_start);
  file.save(path);
}

TrainingState load_checkpoint(const std::string& path, Adam& adam, const Model& model, const Dataset& data,
                              const RunSettings& run) {
  const SafetensorsFile file(path);
  check_same_run(file, model, data, run);
  const Json json = Json::parse(file.meta(state_key), nullptr, false);
  check(json.is_object(), "{}: '{}' is not a JSON object", path, state_key);
  const auto number = [&](const char* name) {
    const auto it = json.find(name);
    check(it != json.end() && it->is_number_unsigned() && it->get<uint64_t>() <= INT64_MAX,
          "{}: '{}': member missing or not a count: '{}'", path, state_key, name);
    return it->get<int64_t>();
  };
  TrainingState state;
  state.epoch = number("epoch");
  state.batch = number("batch");
  state.targets = number("targets");
  state.best_epoch = number("best_epoch");
  check(state.epoch <= run.epochs && state.best_epoch <= state.epoch && (state.best_epoch > 0) == (state.epoch > 0),
        "{}: damaged: epoch {} of {}, the best one is {}", path, state.epoch, run.epochs, state.best_epoch);
  const auto best = json.find("best_ndcg10");
  check(best != json.end() && best->is_number(), "{}: '{}': member missing: 'best_ndcg10'", path, state_key);
  state.best_ndcg10 = best->get<double>();
  const Params params = model.params();
  const auto has = [&](const std::string& prefix) {
    const auto at = file.entries().lower_bound(prefix);
    return at != file.entries().end() && at->first.starts_with(prefix);
  };
  if (state.best_epoch > 0) state.best = load_values(file, best_prefix, params);
  if (has(start_prefix)) state.epoch_start = load_values(file, start_prefix, params);
  load_optimizer(file, adam_prefix, params, number("adam_steps"), adam);
  load_parameters(file, params);
  load_parameters(file, model.frozen());
  return state;
}

std::vector<Tensor> snapshot(const Params& params) {
  std::vector<Tensor> values;
  for (const NamedParam& p : params) values.push_back(p.var.value().clone());
  return values;
}

void put_back(const std::vector<Tensor>& values, const Params& params) {
  for (std::size_t i = 0; i < params.size(); ++i) {
    Tensor target = params[i].var.value();
    std::copy_n(values[i].data(), values[i].numel(), target.write());
  }
}

}  // namespace seminar::inline SEMINAR_PRECISION
