#include "seminar/model/gsu.h"

#include "pq/topk.h"
#include "tensor/kernels.h"

namespace seminar::inline SEMINAR_PRECISION {

Gsu::Gsu(const ModelSettings& s, int64_t channels, Rng rng)
    : attention(s.dim, s.heads, rng.split("attention"), s.projections == "frozen"),
      head(s.dim, s.hidden, rng.split("head")) {
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

Retrieved Gsu::retrieve(const Tensor& scores, const Tensor& mask, int64_t targets, int64_t k) {
  check(k >= 1, "gsu: k must be at least 1: {}", k);
  const int64_t heads = scores.size(1) / targets, length = scores.size(2);
  const Tensor a = scores.contiguous(), m = mask.contiguous();
  return retrieve_rows(scores.size(0) * targets, length, k, [&](int64_t r) {
    std::vector<real> total(static_cast<std::size_t>(length), 0);
    for (int64_t h = 0; h < heads; ++h) kernels().axpy(length, 1, a.data() + (r * heads + h) * length, total.data());
    const std::span<const real> real_ones(m.data() + r / targets * length, static_cast<std::size_t>(length));
    return top_k(total, real_ones, k);
  });
}

Var Gsu::logits(const Var& scores, const FusedBatch& fused, const Tensor& mask, const Mode& mode) const {
  const Var found = attention.values(softmax(scores, mask), fused.history);
  return head(found, masked_mean(fused.history, mask), fused.targets, mode);
}

}  // namespace seminar::inline SEMINAR_PRECISION
