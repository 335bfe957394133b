#include "seminar/evaluation/attention_profile.h"

#include <bit>
#include <cmath>

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// Sums over behaviours, of which the profile is the ratios.
struct Sums {
  std::vector<double> weight, attended, norm, square;  // by channel
  std::vector<double> age, age_attended;               // by power of two
  double behaviours = 0, attention = 0, searches = 0, search_attended = 0;
  explicit Sums(std::size_t channels) : weight(channels), attended(channels), norm(channels), square(channels) {}
};

std::size_t age_class(int64_t age) { return static_cast<std::size_t>(std::bit_width(static_cast<uint64_t>(age)) - 1); }

// Lengths of the rows of a table.
Tensor row_norms(const Var& x) { return sqrt(sum(x * x, -1)).value(); }

// The attention that each behaviour [B * L] of a batch of single targets gets, mean over heads.
std::vector<double> attention_of(const SeminarModel& model, const FusedBatch& fused, const Batch& batch,
                                 const Retrieved& retrieved) {
  const Tensor p =
      model.esu.weights(fused.targets, fused.history, retrieved, behaviour_ages(batch)).value().contiguous();
  const int64_t heads = p.size(1);
  std::vector<double> attention(static_cast<std::size_t>(batch.size() * batch.length()), 0);
  for (int64_t b = 0; b < batch.size(); ++b)
    for (int64_t k = 0; k < retrieved.k; ++k) {
      if (retrieved.mask.data()[b * retrieved.k + k] == 0) continue;
      double total = 0;
      for (int64_t h = 0; h < heads; ++h) total += static_cast<double>(p.data()[(b * heads + h) * retrieved.k + k]);
      attention[b * batch.length() + retrieved.positions[b * retrieved.k + k]] = total / static_cast<double>(heads);
    }
  return attention;
}

void add(Sums& sums, const SeminarModel& model, const Dataset& data, const RunSettings& run, const Batch& batch) {
  const NoGrad guard;
  const FusedBatch fused = model.fused(data, batch, Mode());
  const Tensor scores = model.gsu.scores(fused.targets, fused.history).value();
  const std::vector<double> attention = attention_of(model, fused, batch, retrieve_top_k(scores, batch.mask, 1, run.k));
  const Tensor gamma = model.fusion.weights(fused.channels, batch.history).value().contiguous();
  std::vector<Tensor> norms{row_norms(fused.channels.query)};
  for (const Var& channel : fused.channels.item) norms.push_back(row_norms(channel));
  const std::vector<int32_t> ages = behaviour_ages(batch);
  const auto queries = batch.history.query.span(), items = batch.history.item.span();
  for (std::size_t at = 0; at < attention.size(); ++at) {
    if (batch.mask.data()[at] == 0) continue;
    const double a = attention[at];
    const bool search = queries[at] != 0;
    sums.behaviours += 1;
    sums.attention += a;
    sums.searches += search;
    sums.search_attended += search ? a : 0;
    for (std::size_t c = 0; c < norms.size(); ++c) {
      const double weight = static_cast<double>(gamma.data()[at * norms.size() + c]),
                   norm = static_cast<double>(norms[c].data()[c == 0 ? queries[at] : items[at]]);
      sums.weight[c] += weight;
      sums.attended[c] += a * weight;
      sums.norm[c] += norm;
      sums.square[c] += norm * norm;
    }
    const std::size_t age = age_class(ages[at]);
    if (sums.age.size() <= age) {
      sums.age.resize(age + 1);
      sums.age_attended.resize(age + 1);
    }
    sums.age[age] += 1;
    sums.age_attended[age] += a;
  }
}

}  // namespace

std::vector<std::string> channel_names(const SeminarModel& model) {
  std::vector<std::string> names{"query", "text", "attributes"};
  for (const FeatureScale& feature : model.encoders.vocabulary.features) names.push_back(feature.channel);
  names.resize(static_cast<std::size_t>(model.encoders.item_channels() + 1));
  return names;
}

AttentionProfile attention_profile(const SeminarModel& model, const Dataset& data, const RunSettings& run) {
  const std::vector<Target> targets = held_out_targets(data, Split::test);
  check(!targets.empty(), "attention profile: no user has a held-out action with a history before it");
  const std::vector<std::string> names = channel_names(model);
  Sums sums(names.size());
  for (std::size_t begin = 0; begin < targets.size(); begin += users_at_once) {
    const auto part = std::span(targets).subspan(begin, std::min<std::size_t>(users_at_once, targets.size() - begin));
    std::vector<int32_t> items;
    for (const Target& t : part) items.push_back(data.user_items(t.user)[static_cast<std::size_t>(t.position)]);
    add(sums, model, data, run, make_batch(data, part, run.history, items, std::vector<int32_t>(items.size(), 0)));
  }
  AttentionProfile profile;
  profile.users = std::ssize(targets);
  profile.behaviours = static_cast<int64_t>(sums.behaviours);
  for (std::size_t c = 0; c < names.size(); ++c) {
    const double mean = sums.norm[c] / sums.behaviours;
    profile.channels.push_back({names[c], sums.weight[c] / sums.behaviours, sums.attended[c] / sums.attention, mean,
                                std::sqrt(std::max(0.0, sums.square[c] / sums.behaviours - mean * mean))});
  }
  for (std::size_t age = 0; age < sums.age.size(); ++age)
    profile.ages.push_back({int64_t{1} << age, (int64_t{2} << age) - 1, sums.age[age] / sums.behaviours,
                            sums.age_attended[age] / sums.attention});
  profile.search_share = sums.searches / sums.behaviours;
  profile.search_attended = sums.search_attended / sums.attention;
  return profile;
}

}  // namespace seminar::inline SEMINAR_PRECISION
