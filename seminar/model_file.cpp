#include "seminar/model_file.h"

#include <algorithm>

#include "nn/checkpoint.h"
#include "seminar/baselines/mean_pool.h"
#include "seminar/seminar_model.h"

namespace seminar::inline SEMINAR_PRECISION {

std::unique_ptr<Model> make_model(const std::string& kind, const ModelSettings& settings, const Dataset& data,
                                  const Rng& rng, std::shared_ptr<const Tokenizer> tokenizer) {
  const Vocabulary vocabulary = Vocabulary::of(data, settings, std::move(tokenizer));
  if (kind == "psu") return std::make_unique<Psu>(build<Psu>(settings, vocabulary, rng));
  if (kind == "seminar") return std::make_unique<SeminarModel>(build<SeminarModel>(settings, vocabulary, rng));
  if (kind == "mean_pool") return std::make_unique<MeanPool>(build<MeanPool>(settings, vocabulary, rng));
  fail("model: unknown kind '{}': psu, seminar or mean_pool", kind);
}

SafetensorsWriter model_file(const Model& model, const Dataset& data, const RunSettings& run) {
  ModelSettings settings = model.settings();
  RunSettings kept = run;
  kept.threads = 0;  // the result does not depend on it
  SafetensorsWriter file;
  file.meta("format", model_format);
  file.meta("kind", model.kind());
  file.meta("settings", settings_json(settings));
  file.meta("run", settings_json(kept));
  file.meta("data", data.fingerprint());
  if (model.tokenizer()) file.meta("tokenizer", model.tokenizer()->text());
  add_parameters(file, model.params());
  return file;
}

void save_model(const Model& model, const Dataset& data, const RunSettings& run, const std::string& path) {
  model_file(model, data, run).save(path);
}

std::unique_ptr<Model> load_model(const std::string& path, const Dataset& data) {
  const SafetensorsFile file(path);
  check(file.meta("format") == model_format, "{}: not a model of this program: format '{}'", path, file.meta("format"));
  check(file.meta("data") == data.fingerprint(), "{}: made for another data set: {}, this one is {}", path,
        file.meta("data"), data.fingerprint());
  const ModelSettings settings = model_settings_from_json(file.meta("settings"), path);
  std::shared_ptr<const Tokenizer> tokenizer;
  if (settings.tokens == "bpe")
    tokenizer = std::make_shared<Tokenizer>(Tokenizer::from_text(file.meta("tokenizer"), path + ": tokenizer"));
  std::unique_ptr<Model> model = make_model(file.meta("kind"), settings, data, Rng(0), std::move(tokenizer));
  const Params params = model->params();
  const auto own = std::count_if(file.entries().begin(), file.entries().end(),
                                 [](const auto& entry) { return !entry.first.starts_with(training_prefix); });
  check(own == std::ssize(params), "{}: {} tensors in the file, {} in the model", path, own, params.size());
  load_parameters(file, params);
  return model;
}

}  // namespace seminar::inline SEMINAR_PRECISION
