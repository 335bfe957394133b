#include "seminar/baselines/baseline.h"

#include "seminar/model/restore.h"

namespace seminar::inline SEMINAR_PRECISION {

void BaselineModel::restore(const Psu& psu, bool all) { restore_inputs(psu, encoders, fusion, all); }

Var BaselineModel::logits(const Interest& found, const UnitInput& in, const Mode& mode) const {
  return y_hat(found.lifelong, masked_mean(in.fused.history, in.batch.mask),
               found.item.defined() ? found.item : in.fused.targets, mode, learns_bias(in.run),
               side ? (*side)(in.data, in.batch) : Var());
}

Var BaselineModel::loss(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode,
                        std::vector<LossPart>* parts) const {
  const FusedBatch pairs = fused(encoders, fusion, data, batch, mode);
  const UnitInput in{data, batch, encoders, fusion, pairs, run, run.search_weight > 0};
  const Interest found = interest(in, mode);
  Var ctr = ctr_loss(logits(found, in, mode), batch, run);
  if (parts) parts->push_back({"ctr", ctr.value().item()});
  if (!found.own_loss.defined()) return ctr;
  if (parts) parts->push_back({"gsu", found.own_loss.value().item()});
  return ctr + scale(found.own_loss, static_cast<real>(run.search_weight));
}

Tensor BaselineModel::score(const Dataset& data, const Batch& batch, const RunSettings& run) const {
  const NoGrad guard;
  const FusedBatch pairs = fused(encoders, fusion, data, batch, Mode());
  const UnitInput in{data, batch, encoders, fusion, pairs, run, false};
  return logits(interest(in, Mode()), in, Mode()).value();
}

std::optional<Retrieved> BaselineModel::retrieve(const Dataset& data, const Batch& batch,
                                                 const RunSettings& run) const {
  const NoGrad guard;
  const FusedBatch pairs = fused(encoders, fusion, data, batch, Mode());
  return interest({data, batch, encoders, fusion, pairs, run, false}, Mode()).retrieved;
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
