#include "seminar/baselines/mean_pool.h"

namespace seminar::inline SEMINAR_PRECISION {

MeanPool::MeanPool(const ModelSettings& s, const Vocabulary& v, Rng rng)
    : Model(s, v),
      encoders(s, v, rng.split("encoders")),
      fusion(s, encoders.item_channels(), rng.split("fusion")),
      head(s.dim, s.hidden, rng.split("head")) {}

Var MeanPool::logits(const Dataset& data, const Batch& batch, int64_t k, const Mode& mode) const {
  const FusedBatch fused = fuse_batch(fusion, encoders(data, batch.items, batch.queries, mode), batch);
  Tensor recent = batch.mask.clone();
  real* keep = recent.write();
  const std::vector<int32_t> ages = behaviour_ages(batch);
  for (std::size_t i = 0; i < ages.size(); ++i)
    if (ages[i] > k) keep[i] = 0;
  const Var mean = masked_mean(fused.history, recent);
  return head(repeat_targets(mean, batch.candidates()), mean, fused.targets, mode);
}

Var MeanPool::loss(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode,
                   std::vector<LossPart>* parts) const {
  const Var ctr = ctr_loss(logits(data, batch, run.k, mode), run);
  if (parts) parts->push_back({"ctr", ctr.value().item()});
  return ctr;
}

Tensor MeanPool::score(const Dataset& data, const Batch& batch, const RunSettings& run) const {
  const NoGrad guard;
  return logits(data, batch, run.k, Mode()).value();
}

}  // namespace seminar::inline SEMINAR_PRECISION
