#include "seminar/studies/planted_study.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "seminar/evaluation/evaluate.h"
#include "seminar/model/seminar_model.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t users_at_once = 64;

const SeminarModel& seminar_of(const Model& model) {
  const SeminarModel* seminar = dynamic_cast<const SeminarModel*>(&model);
  if (!seminar) throw Bug("planted study: measures need a seminar model");
  return *seminar;
}

// Per item: how well the cosine of fused item vectors tells items of its topic from others (AUC), weighted so that the
// mean over all items is that of old items less that of the others.
std::vector<double> old_item_knowledge(const Model& any, const Dataset& data, const RunSettings&) {
  const NoGrad guard;
  const SeminarModel& model = seminar_of(any);
  const auto topic = data.truth("topic").subspan(1), old = data.truth("old").subspan(1);  // without the padding row
  const int64_t n = data.items();
  std::vector<int32_t> items(static_cast<std::size_t>(n));
  std::iota(items.begin(), items.end(), 1);
  const std::vector<int32_t> no_query{0};
  std::vector<int32_t> rows(items.size());
  std::iota(rows.begin(), rows.end(), 0);
  const Var x = normalize(
      model.fusion.items(model.gsu.project(model.encoders(data, items, no_query, Mode())), Ids(std::move(rows))));
  const Tensor cosine = matmul_transposed(x, x).value().contiguous();
  const double old_count = static_cast<double>(std::count(old.begin(), old.end(), 1)), all = static_cast<double>(n);
  std::vector<double> values;
  for (int64_t i = 0; i < n; ++i) {
    std::vector<uint8_t> same;
    std::vector<real> others;
    for (int64_t j = 0; j < n; ++j) {
      if (j == i) continue;
      same.push_back(topic[j] == topic[i] ? 1 : 0);
      others.push_back(cosine.data()[i * n + j]);
    }
    values.push_back(auc(others, same) * (old[i] == 1 ? all / old_count : -all / (all - old_count)));
  }
  return values;
}

// Per user: the share of the variance of the GSU's scores over the history that comes from the channel "attribute".
std::vector<double> attribute_share(const Model& any, const Dataset& data, const RunSettings& run) {
  const NoGrad guard;
  const SeminarModel& model = seminar_of(any);
  const auto& features = model.encoders.vocabulary.features;
  const auto found =
      std::find_if(features.begin(), features.end(), [](const FeatureScale& f) { return f.channel == "attribute"; });
  check(found != features.end(), "study: the data set has no channel 'attribute'");
  const int64_t loud = 2 + (found - features.begin()), d = model.settings().dim;  // behind text and attributes
  const std::vector<Target> targets = held_out_targets(data, Split::test);
  const Tensor folded = model.gsu.folded();
  std::vector<double> values;
  for (std::size_t begin = 0; begin < targets.size(); begin += users_at_once) {
    const auto part = std::span(targets).subspan(begin, std::min(users_at_once, targets.size() - begin));
    const Batch batch = make_batch(data, part, {run.history, 1, 1.0}, Rng(static_cast<uint64_t>(run.seed)));
    const FusedBatch fused = model.fused(data, batch, Mode());
    const Tensor gamma = model.fusion.weights(fused.channels, batch.history).value().contiguous();
    for (int64_t b = 0; b < batch.size(); ++b) {
      const Tensor asked = matmul(reshape(slice(slice(fused.targets, 0, b, b + 1), 1, 0, 1), {1, d}), folded).value();
      const Tensor scores = matmul_transposed(slice(fused.history, 0, b, b + 1), reshape(asked, {1, 1, d})).value();
      const Tensor channel =
          matmul_transposed(fused.channels.item[static_cast<std::size_t>(loud)], asked).value();  // [items, 1]
      double n = 0, sum = 0, square = 0, share = 0, product = 0;
      for (int64_t l = 0; l < batch.length(); ++l) {
        const int64_t at = b * batch.length() + l;
        if (batch.mask.data()[at] == 0) continue;
        const double s = scores.data()[l], c = gamma.data()[at * gamma.size(1) + 1 + loud] *
                                               static_cast<double>(channel.data()[batch.history.item[at]]);
        n += 1;
        sum += s;
        square += s * s;
        share += c;
        product += s * c;
      }
      const double variance = square / n - sum / n * (sum / n);
      values.push_back(variance > 0 ? (product / n - sum / n * (share / n)) / variance : none);
    }
  }
  return values;
}

SyntheticSettings small_data(bool quick) {
  SyntheticSettings s;
  s.users = quick ? 400 : 800;
  s.items = 1500;
  s.popularity = 0.4;
  s.interests = 5;
  s.topics = 12;
  s.min_length = 60;
  s.max_length = 120;
  s.drift = 0.02;
  s.feature_width = 0;
  s.picture_size = 0;
  s.exposures = 0;
  return s;
}

Experiment small_experiment(const std::string& name, bool quick) {
  Experiment e{name, 0, "seminar"};
  e.model.dim = 16;
  e.model.heads = e.model.text_heads = 2;
  e.model.hidden = 32;
  e.model.text = "bag";
  e.run.history = 120;
  e.run.k = 20;
  e.run.batch = 64;
  e.run.negatives = 4;
  e.run.targets = 40;
  e.run.epochs = quick ? 4 : 6;
  e.run.keep = "last";
  e.run.ctr_loss = "softmax";
  e.run.lr = 1e-2;
  return e;
}

// Items that only their ids tell apart, and none twice: a model has to learn topics to rank at all.
SyntheticSettings id_data(bool quick) {
  SyntheticSettings s = small_data(quick);
  s.items = 600;
  s.topics = 6;
  s.interests = 2;
  s.popularity = 0.2;
  s.repeat = 0;
  s.text_truth = s.attribute_truth = 0;
  return s;
}

PlantedEffect old_items(bool planted, bool quick) {
  SyntheticSettings data = id_data(quick);
  data.fit = 0.95;
  data.recall = 0;
  data.drift = 0.03;
  data.old_vanish = planted ? 1 : 0;
  data.search_share = 0;
  const std::string set = planted ? "old items vanish" : "old items stay";
  Experiment pretrained = small_experiment("pretrained", quick), scratch = small_experiment("no pretraining", quick);
  pretrained.pretrain = pretrained.run;
  pretrained.pretrain->epochs = 8;
  pretrained.pretrain->targets = 0;
  pretrained.run.epochs = 3;
  pretrained.run.window = scratch.run.window = 15;  // trained on recent actions, as in production
  pretrained.run.targets = scratch.run.targets = 15;
  scratch.run.epochs = 48;  // as many targets as the other sees in all
  pretrained.measure = scratch.measure = old_item_knowledge;
  return {"old-items",
          planted,
          {{set, data}},
          {scratch, pretrained},
          {"pretraining teaches more about old-only items than about others",
           {{set, "pretrained", 1}, {set, "no pretraining", -1}},
           "measured"}};
}

Experiment search_experiment(double lambda, bool quick) {
  Experiment e = small_experiment(fmt::format("λ = {}", lambda), quick);
  e.model.lambda = lambda;
  e.run.hide_query = 0;
  e.show_query = true;
  return e;
}

PlantedEffect queries(bool planted, bool quick) {
  SyntheticSettings data = small_data(quick);
  data.search_share = 0.8;
  data.query_truth = planted ? 0.9 : 0;
  const std::string set = planted ? "queries tell the intent" : "queries tell nothing";
  return {"queries",
          planted,
          {{set, data}},
          {search_experiment(0, quick), search_experiment(0.5, quick)},
          {"reading queries helps in search", {{set, "λ = 0.5", 1}, {set, "λ = 0", -1}}}};
}

PlantedEffect lambda(bool planted, bool quick) {
  SyntheticSettings few = id_data(quick);
  few.fit = 0.6;
  few.query_truth = 1;  // a query tells more than the item that was taken
  SyntheticSettings many = few;
  few.search_share = planted ? 0.1 : 0.4;
  many.search_share = planted ? 0.9 : 0.4;
  many.seed = few.seed + 1;
  const std::string low = planted ? "few searches" : "some searches",
                    high = planted ? "many searches" : "as many searches";
  Experiment small = search_experiment(0.1, quick), large = search_experiment(0.9, quick);
  for (Experiment* e : {&small, &large}) {
    e->model.norms = "unit";  // else training makes up for a weight by the channel's length
    e->run.lr = 3e-3;
    e->run.epochs = 10;
  }
  return {"lambda",
          planted,
          {{low, few}, {high, many}},
          {small, large},
          {"the best λ is larger where there are more searches",
           {{high, large.name, 1}, {high, small.name, -1}, {low, large.name, -1}, {low, small.name, 1}}}};
}

PlantedEffect norms(bool planted, bool quick) {
  SyntheticSettings data = small_data(quick);
  data.feature_width = 16;
  data.norm_text = data.norm_image = 1;
  data.norm_attribute = planted ? 8 : 1;
  if (planted) data.noise_attribute = 20;
  const std::string set = planted ? "a loud channel of noise" : "equal norms";
  Experiment raw = small_experiment("norms as they are", quick);
  raw.model.features = "raw";
  raw.run.epochs = 1;
  raw.run.lr = 1e-3;  // as the paper says
  raw.measure = attribute_share;
  Experiment unit = raw;
  unit.name = "unit norms";
  unit.model.norms = "unit";
  return {"norms",
          planted,
          {{set, data}},
          {raw, unit},
          {"the loud channel makes up more of the scores' variance than it does with unit norms, by over a quarter",
           {{set, "norms as they are", 1}, {set, "unit norms", -1}},
           "measured",
           0.25}};
}

}  // namespace

std::vector<std::string> planted_effects() { return {"old-items", "queries", "lambda", "norms"}; }

std::vector<PlantedEffect> planted_effect(const std::string& name, bool quick) {
  const std::pair<const char*, PlantedEffect (*)(bool, bool)> effects[] = {
      {"old-items", old_items}, {"queries", queries}, {"lambda", lambda}, {"norms", norms}};
  for (const auto& [known, make] : effects)
    if (name == known) return {make(true, quick), make(false, quick)};
  fail("--effect: must be one of {}: '{}'", fmt::join(planted_effects(), ", "), name);
}

}  // namespace seminar::inline SEMINAR_PRECISION
