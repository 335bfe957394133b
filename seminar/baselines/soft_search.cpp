#include "seminar/baselines/soft_search.h"

#include <cmath>

namespace seminar::inline SEMINAR_PRECISION {
namespace {

Tensor projection(int64_t d, Rng rng) { return Tensor::normal({1, d, d}, rng, 1 / std::sqrt(static_cast<double>(d))); }

}  // namespace

SoftSearch::SoftSearch(const ModelSettings& s, const Rng& rng)
    : wa(projection(s.dim, rng.split("wa"))), wb(projection(s.dim, rng.split("wb"))), head(s, rng.split("head")) {}

Var SoftSearch::loss(const Var& scores, const UnitInput& in, const Mode& mode, const Tensor& weight) const {
  const int64_t batch = in.batch.size(), length = in.batch.length();
  Tensor share = in.batch.mask.clone();  // 1 / n where there is a behaviour
  real* y = share.write();
  for (int64_t i = 0; i < share.numel(); ++i)
    if (y[i] != 0) y[i] /= static_cast<real>(history_length(in.batch, i / length));
  const Var sum = matmul(scores * share.reshape({batch, 1, length}), in.fused.history);
  const Var own =
      head.y_hat(sum, masked_mean(in.fused.history, in.batch.mask), in.fused.targets, mode, learns_bias(in.run));
  return ctr_loss(own, in.batch, in.run, weight);
}

}  // namespace seminar::inline SEMINAR_PRECISION
