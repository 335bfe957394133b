#include "seminar/model/model.h"

#include <algorithm>
#include <cmath>

namespace seminar::inline SEMINAR_PRECISION {

FusedBatch fuse_batch(const Fusion& fusion, Channels channels, const Batch& batch) {
  FusedBatch fused;
  const int64_t d = channels.query.size(1);
  fused.targets = reshape(fusion(channels, batch.targets), {batch.size(), batch.candidates(), d});
  fused.history = reshape(fusion(channels, batch.history), {batch.size(), batch.length(), d});
  fused.channels = std::move(channels);
  return fused;
}

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

Tensor candidate_labels(const Batch& batch) {
  Tensor labels = Tensor::zeros({batch.size(), batch.candidates()});
  real* y = labels.write();
  for (int64_t b = 0; b < batch.size(); ++b) y[b * batch.candidates()] = 1;
  return labels;
}

Var softmax_loss(const Var& logits, const Tensor& weight) {
  std::vector<int32_t> clicked(static_cast<std::size_t>(logits.size(0)), 0);
  for (std::size_t b = 0; b < clicked.size() && weight.defined(); ++b)
    if (weight.at({static_cast<int64_t>(b), 0}) == 0) clicked[b] = -1;
  return cross_entropy(logits, Ids(std::move(clicked)));
}

Var ctr_loss(const Var& logits, const Batch& batch, const RunSettings& run, const Tensor& weight) {
  return run.ctr_loss == "bce" ? bce_with_logits(logits, candidate_labels(batch), weight)
                               : softmax_loss(logits, weight);
}

}  // namespace seminar::inline SEMINAR_PRECISION
