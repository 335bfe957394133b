#include "seminar/model/losses.h"

namespace seminar::inline SEMINAR_PRECISION {

Tensor candidate_labels(const Batch& batch) {
  Tensor labels = Tensor::zeros({batch.size(), batch.candidates()});
  real* y = labels.write();
  for (int64_t b = 0; b < batch.size(); ++b) y[b * batch.candidates()] = 1;
  return labels;
}

Var l_next(const Var& logits, const Tensor& weight) {
  std::vector<int32_t> true_pair(static_cast<std::size_t>(logits.size(0)), 0);
  for (std::size_t b = 0; b < true_pair.size() && weight.defined(); ++b)
    if (weight.at({static_cast<int64_t>(b), 0}) == 0) true_pair[b] = -1;
  return cross_entropy(logits, Ids(std::move(true_pair)));
}

Var ctr_loss(const Var& logits, const Batch& batch, const RunSettings& run, const Tensor& weight) {
  return run.ctr_loss == "bce" ? bce_with_logits(logits, candidate_labels(batch), weight) : l_next(logits, weight);
}

}  // namespace seminar::inline SEMINAR_PRECISION
