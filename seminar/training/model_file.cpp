#include "seminar/training/model_file.h"

#include <algorithm>

#include "nn/checkpoint.h"
#include "seminar/baselines/authors.h"
#include "seminar/baselines/authors_losses.h"
#include "seminar/baselines/din.h"
#include "seminar/baselines/eta.h"
#include "seminar/baselines/mean_pool.h"
#include "seminar/baselines/qin.h"
#include "seminar/baselines/sasrec.h"
#include "seminar/baselines/sdim.h"
#include "seminar/baselines/sim.h"
#include "seminar/baselines/twin.h"
#include "seminar/model/seminar_model.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

template <class M>
std::unique_ptr<Model> make(const ModelSettings& settings, const Vocabulary& vocabulary, const Dataset& data,
                            const Rng& rng) {
  if constexpr (std::is_base_of_v<BaselineModel, M>)
    return std::make_unique<M>(build<M>(settings, vocabulary, data, rng));
  else
    return std::make_unique<M>(build<M>(settings, vocabulary, rng));
}

std::unique_ptr<Model> make_psu(const ModelSettings& settings, const Vocabulary& vocabulary, const Dataset&,
                                const Rng& rng) {
  return std::make_unique<Psu>(
      build<Psu>(settings, vocabulary, rng, PsuLossForms{soft_clip_loss, inverted_relevance_loss}));
}

template <class Unit>
constexpr MakeModel authors = make<Baseline<Unit, AuthorsHead>>;

constexpr ModelKind kinds[] = {
    {"seminar", "GSU, ESU and CTR head of SEMINAR", "projections gsu search-weight search-by side history-mean",
     make<SeminarModel>},
    {"psu", "SEMINAR's pretraining search unit",
     "projections next-weight align-weight relevance-weight align-loss relevance-loss chunks history-mean", make_psu},
    {"mean_pool", "mean of the last K behaviours", "form side history-mean", make<Baseline<MeanPool>>,
     authors<AuthorsMeanPool>},
    {"din", "an activation unit weighs the last K", "side history-mean", make<Baseline<Din>>},
    {"sim", "K by learned relevance, then target attention", "form projections search-weight side history-mean",
     make<Baseline<Sim>>, authors<AuthorsSim>},
    {"sim_hard", "the last K of the target's category, then target attention", "projections side history-mean",
     make<Baseline<SimHard>>},
    {"eta", "K by SimHash, then target attention", "form projections hash-bits side history-mean", make<Baseline<Eta>>,
     authors<AuthorsEta>},
    {"sdim", "behaviours that collide with the target in hash buckets", "hash-bits hash-width side history-mean",
     make<Baseline<Sdim>>},
    {"twin", "one relevance for K and for attention, one K for all heads", "form side history-mean",
     make<Baseline<Twin>>, authors<AuthorsTwin>},
    {"twin_heads", "the same, every head with its own K", "side history-mean", make<Baseline<TwinHeads>>},
    {"qin", "K1 by the target query, K of them by the item, attention by both",
     "form projections k1 search-weight side history-mean", make<Baseline<Qin>>, authors<AuthorsQin>},
    {"sasrec", "causal Transformer over the last behaviours", "blocks positions position-negatives", make<SasRec>},
};

std::string names(bool authors_form) {
  std::string all;
  for (const ModelKind& kind : kinds)
    if (!authors_form || kind.make_authors) all += fmt::format("{}{}", all.empty() ? "" : ", ", kind.name);
  return all;
}

}  // namespace

bool ModelKind::names(std::string_view setting) const {
  for (std::string_view rest = settings; !rest.empty();) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, end) == setting) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

std::span<const ModelKind> model_kinds() { return kinds; }

std::vector<const ModelKind*> readers_of(std::string_view setting) {
  std::vector<const ModelKind*> readers;
  for (const ModelKind& kind : kinds)
    if (kind.names(setting)) readers.push_back(&kind);
  return readers;
}

const ModelKind& model_kind(const std::string& name) {
  for (const ModelKind& kind : kinds)
    if (kind.name == name) return kind;
  fail("--model: must be one of {}: '{}'", names(false), name);
}

std::unique_ptr<Model> make_model(const std::string& kind, const ModelSettings& settings, const Dataset& data,
                                  const Rng& rng, std::shared_ptr<const Tokenizer> tokenizer) {
  const ModelKind& found = model_kind(kind);
  const bool authors_form = settings.form == "authors";
  check(!authors_form || found.make_authors, "--form authors: {} has no such form, only {} have", kind, names(true));
  const Vocabulary vocabulary = Vocabulary::of(data, settings, std::move(tokenizer));
  return (authors_form ? found.make_authors : found.make)(settings, vocabulary, data, rng);
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
  add_parameters(file, model.frozen());
  return file;
}

void save_model(const Model& model, const Dataset& data, const RunSettings& run, const std::string& path) {
  model_file(model, data, run).save(path);
}

RunSettings load_run_settings(const std::string& path) {
  return run_settings_from_json(SafetensorsFile(path).meta("run"), path);
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
  Params params = model->params();
  const Params frozen = model->frozen();
  params.insert(params.end(), frozen.begin(), frozen.end());
  const auto own = std::count_if(file.entries().begin(), file.entries().end(),
                                 [](const auto& entry) { return !entry.first.starts_with(training_prefix); });
  check(own == std::ssize(params), "{}: {} tensors in the file, {} in the model", path, own, params.size());
  load_parameters(file, params);
  return model;
}

}  // namespace seminar::inline SEMINAR_PRECISION
