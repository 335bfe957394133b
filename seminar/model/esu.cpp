#include "seminar/model/esu.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// Each target as a batch row of its own.
Var one_each(const Var& targets) { return reshape(targets, {targets.size(0) * targets.size(1), 1, targets.size(2)}); }

}  // namespace

Var Esu::keys(const Var& history, const Retrieved& retrieved, const std::vector<int32_t>& ages) const {
  const int64_t batch = history.size(0), length = history.size(1), d = history.size(2);
  const Ids rows = retrieved.rows_of(batch, length);
  std::vector<int32_t> kept_ages;
  for (const int32_t row : rows.span()) kept_ages.push_back(ages[row]);
  return age(embedding(reshape(history, {batch * length, d}), rows), kept_ages);
}

Var Esu::x_lifelong(const Var& targets, const Var& history, const Retrieved& retrieved,
                    const std::vector<int32_t>& ages) const {
  return reshape(attention(one_each(targets), keys(history, retrieved, ages), retrieved.mask), targets.shape());
}

Var Esu::weights(const Var& targets, const Var& history, const Retrieved& retrieved,
                 const std::vector<int32_t>& ages) const {
  return softmax(attention.scores(one_each(targets), keys(history, retrieved, ages)), retrieved.mask);
}

}  // namespace seminar::inline SEMINAR_PRECISION
