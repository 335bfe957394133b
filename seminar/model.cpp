#include "seminar/model.h"

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
  const int32_t top = static_cast<int32_t>(table->shape()[0]) - 1;
  std::vector<int32_t> buckets;
  for (int32_t age : ages)
    buckets.push_back(std::min(top, static_cast<int32_t>(2 * std::log2(static_cast<double>(age)))));
  return keys + reshape(embedding(*table, Ids(std::move(buckets))), keys.shape());
}

std::vector<int32_t> behaviour_ages(const Batch& batch) {
  std::vector<int32_t> ages;
  for (int64_t b = 0; b < batch.size(); ++b)
    for (int32_t l = 0; l < batch.length(); ++l)
      ages.push_back(std::max(1, batch.rows[b].position - batch.begins[b] - l));
  return ages;
}

Var ctr_loss(const Var& logits, const RunSettings& run) {
  const int64_t batch = logits.size(0), candidates = logits.size(1);
  if (run.ctr_loss == "softmax")
    return cross_entropy(logits, Ids(std::vector<int32_t>(static_cast<std::size_t>(batch), 0)));
  Tensor labels = Tensor::zeros({batch, candidates});
  real* y = labels.write();
  for (int64_t b = 0; b < batch; ++b) y[b * candidates] = 1;
  return bce_with_logits(logits, labels);
}

}  // namespace seminar::inline SEMINAR_PRECISION
