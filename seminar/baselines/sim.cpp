#include "seminar/baselines/sim.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t items_of_a_class = 100;  // one of these many must have the attribute

}  // namespace

Interest Sim::operator()(const UnitInput& in, const Mode& mode) const {
  const auto& [channels, targets, history] = in.fused;
  const Var scores = search.scores(targets, history);
  const Retrieved best = Gsu::retrieve(scores.value(), in.batch.mask, in.batch.candidates(), in.run.k);
  return {esu(targets, history, best, behaviour_ages(in.batch)), best,
          in.training_loss ? search.loss(scores, in, mode.split("search")) : Var()};
}

std::vector<int32_t> item_categories(const Dataset& data) {
  std::vector<int64_t> items_with(static_cast<std::size_t>(data.attributes()), 0);
  std::vector<int32_t> last(items_with.size(), 0);  // a list that names an attribute twice counts once
  for (int32_t item = 1; item <= data.items(); ++item)
    for (const int32_t a : data.item_attributes(item))
      if (std::exchange(last.at(a), item) != item) ++items_with[a];
  std::vector<int32_t> categories{0};
  for (int32_t item = 1; item <= data.items(); ++item) {
    int32_t best = 0;
    for (const int32_t a : data.item_attributes(item)) {
      if (items_with[a] * items_of_a_class < data.items()) continue;
      if (best == 0 || std::pair(items_with[a], a) < std::pair(items_with[best], best)) best = a;
    }
    categories.push_back(best);
  }
  return categories;
}

SimHard::SimHard(const ModelSettings& s, const Dataset& data, const Rng& rng)
    : categories(item_categories(data)), esu(s, rng.split("esu")) {}

Interest SimHard::operator()(const UnitInput& in, const Mode&) const {
  const Batch& batch = in.batch;
  const int64_t candidates = batch.candidates(), length = batch.length();
  const auto category = [&](const Ids& ids, int64_t at) { return categories[batch.items[ids[at]]]; };
  const Retrieved same = retrieve_rows(batch.size() * candidates, length, in.run.k, [&](int64_t row) {
    const int64_t b = row / candidates;
    const int32_t wanted = category(batch.targets.item, row);
    std::vector<int32_t> newest_first;
    for (int32_t l = history_length(batch, b) - 1; l >= 0 && wanted != 0; --l)
      if (category(batch.history.item, b * length + l) == wanted) newest_first.push_back(l);
    return newest_first;
  });
  return {esu(in.fused.targets, in.fused.history, same, behaviour_ages(batch)), same};
}

}  // namespace seminar::inline SEMINAR_PRECISION
