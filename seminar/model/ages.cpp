#include "seminar/model/ages.h"

#include <algorithm>
#include <cmath>

namespace seminar::inline SEMINAR_PRECISION {

AgeEmbedding::AgeEmbedding(const ModelSettings& s) {
  if (s.ages > 0) table.emplace(Tensor::zeros({s.ages, s.dim}));
}

Var AgeEmbedding::operator()(const Var& keys, const std::vector<int32_t>& ages) const {
  if (!table) return keys;
  return keys + embedding(*table, age_buckets(ages, keys.shape().leading(), table->shape()[0]));
}

Ids age_buckets(const std::vector<int32_t>& ages, const Shape& shape, int64_t count) {
  std::vector<int32_t> buckets;
  buckets.reserve(ages.size());
  for (const int32_t age : ages)
    buckets.push_back(
        std::min(static_cast<int32_t>(count) - 1, static_cast<int32_t>(2 * std::log2(static_cast<double>(age)))));
  return {shape, std::move(buckets)};
}

std::vector<int32_t> behaviour_ages(const Batch& batch) {
  std::vector<int32_t> ages;
  for (int64_t b = 0; b < batch.size(); ++b)
    for (int32_t l = 0; l < batch.length(); ++l)
      ages.push_back(std::max(1, batch.rows[b].position - batch.begins[b] - l));
  return ages;
}

}  // namespace seminar::inline SEMINAR_PRECISION
