#include "seminar/esu.h"

namespace seminar::inline SEMINAR_PRECISION {

Var Esu::operator()(const Var& targets, const Var& history, const Retrieved& retrieved,
                    const std::vector<int32_t>& ages) const {
  const int64_t batch = targets.size(0), count = targets.size(1), d = targets.size(2), length = history.size(1);
  const Ids rows = retrieved.rows_of(batch, length);
  std::vector<int32_t> kept_ages;
  for (const int32_t row : rows.span()) kept_ages.push_back(ages[row]);
  const Var kept = embedding(reshape(history, {batch * length, d}), rows);
  const Var one_each = reshape(targets, {batch * count, 1, d});
  return reshape(attention(one_each, age(kept, kept_ages), retrieved.mask), {batch, count, d});
}

}  // namespace seminar::inline SEMINAR_PRECISION
