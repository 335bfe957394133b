#include "seminar/baselines/sim.h"

namespace seminar::inline SEMINAR_PRECISION {

Interest Sim::operator()(const UnitInput& in, const Mode& mode) const {
  const auto& [channels, targets, history] = in.fused;
  const Var scores = search.scores(targets, history);
  const Retrieved best = retrieve_top_k(scores.value(), in.batch.mask, in.batch.candidates(), in.run.k);
  return {esu.x_lifelong(targets, history, best, behaviour_ages(in.batch)), best,
          in.training_loss ? search.loss(scores, in, mode.split("search")) : Var()};
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
  return {esu.x_lifelong(in.fused.targets, in.fused.history, same, behaviour_ages(batch)), same};
}

}  // namespace seminar::inline SEMINAR_PRECISION
