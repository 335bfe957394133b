#include "seminar/model/gsu.h"

namespace seminar::inline SEMINAR_PRECISION {

Gsu::Gsu(const ModelSettings& s, int64_t channels, Rng rng)
    : attention(s.dim, s.heads, rng.split("attention"), s.projections == "frozen"), head(s, rng.split("head")) {
  for (int64_t c = 0; c < channels; ++c) {
    Tensor identity = Tensor::zeros({s.dim, s.dim});
    real* x = identity.write();
    for (int64_t i = 0; i < s.dim; ++i) x[i * s.dim + i] = 1;
    g.emplace_back(identity);
  }
}

Channels Gsu::project(const Channels& channels) const {
  Channels out = channels;
  out.query = matmul(channels.query, g[0]);
  for (std::size_t m = 0; m < channels.item.size(); ++m) out.item[m] = matmul(channels.item[m], g[m + 1]);
  return out;
}

Tensor Gsu::folded() const {
  const NoGrad guard;
  return sum(matmul_transposed(attention.wq, attention.wk), 0).value();
}

Var Gsu::logits(const Var& scores, const FusedBatch& fused, const Tensor& mask, const Mode& mode, bool biased) const {
  const Var found = attention.values(softmax(scores, mask), fused.history);
  return head.y_hat(found, masked_mean(fused.history, mask), fused.targets, mode, biased);
}

}  // namespace seminar::inline SEMINAR_PRECISION
