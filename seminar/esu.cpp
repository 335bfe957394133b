#include "seminar/esu.h"

namespace seminar::inline SEMINAR_PRECISION {

Var Esu::operator()(const Var& targets, const Var& history, const Retrieved& retrieved,
                    const std::vector<int32_t>& ages) const {
  const int64_t batch = targets.size(0), count = targets.size(1), d = targets.size(2), length = history.size(1);
  std::vector<int32_t> rows(retrieved.positions), kept_ages(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] += static_cast<int32_t>(static_cast<int64_t>(i) / (count * retrieved.k) * length);
    kept_ages[i] = ages[rows[i]];
  }
  const Var kept = embedding(reshape(history, {batch * length, d}), Ids({batch * count, retrieved.k}, std::move(rows)));
  const Var one_each = reshape(targets, {batch * count, 1, d});
  return reshape(attention(one_each, age(kept, kept_ages), retrieved.mask), {batch, count, d});
}

}  // namespace seminar::inline SEMINAR_PRECISION
