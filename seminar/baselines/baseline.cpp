#include "seminar/baselines/baseline.h"

namespace seminar::inline SEMINAR_PRECISION {

FusedBatch BaselineModel::fuse(const Dataset& data, const Batch& batch, const Mode& mode) const {
  return fuse_batch(fusion, encoders(data, batch.items, batch.queries, mode), batch);
}

Var BaselineModel::logits(const Interest& found, const UnitInput& in, const Mode& mode) const {
  return predict(found.lifelong, masked_mean(in.fused.history, in.batch.mask),
                 found.item.defined() ? found.item : in.fused.targets, mode);
}

Var BaselineModel::loss(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode,
                        std::vector<LossPart>* parts) const {
  const FusedBatch fused = fuse(data, batch, mode);
  const UnitInput in{data, batch, encoders, fusion, fused, run, run.gsu_weight > 0};
  const Interest found = interest(in, mode);
  Var ctr = ctr_loss(logits(found, in, mode), batch, run);
  if (parts) parts->push_back({"ctr", ctr.value().item()});
  if (!found.own_loss.defined()) return ctr;
  if (parts) parts->push_back({"gsu", found.own_loss.value().item()});
  return ctr + scale(found.own_loss, static_cast<real>(run.gsu_weight));
}

Tensor BaselineModel::score(const Dataset& data, const Batch& batch, const RunSettings& run) const {
  const NoGrad guard;
  const FusedBatch fused = fuse(data, batch, Mode());
  const UnitInput in{data, batch, encoders, fusion, fused, run, false};
  return logits(interest(in, Mode()), in, Mode()).value();
}

std::optional<Retrieved> BaselineModel::retrieve(const Dataset& data, const Batch& batch,
                                                 const RunSettings& run) const {
  const NoGrad guard;
  const FusedBatch fused = fuse(data, batch, Mode());
  return interest({data, batch, encoders, fusion, fused, run, false}, Mode()).retrieved;
}

int32_t history_length(const Batch& batch, int64_t b) { return batch.rows[b].position - batch.begins[b]; }

Retrieved recent_behaviours(const Batch& batch, int64_t k) {
  return retrieve_rows(batch.size(), batch.length(), k, [&](int64_t b) {
    std::vector<int32_t> newest_first;
    for (int32_t l = history_length(batch, b) - 1; l >= 0; --l) newest_first.push_back(l);
    return newest_first;
  });
}

Var kept_behaviours(const Var& history, const Retrieved& retrieved) {
  const int64_t batch = history.size(0), length = history.size(1), d = history.size(2);
  return embedding(reshape(history, {batch * length, d}), retrieved.rows_of(batch, length));
}

}  // namespace seminar::inline SEMINAR_PRECISION
