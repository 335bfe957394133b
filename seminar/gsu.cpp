#include "seminar/gsu.h"

#include <algorithm>

#include "tensor/kernels.h"
#include "tensor/parallel.h"
#include "tensor/topk.h"

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
  const int64_t batch = scores.size(0), heads = scores.size(1) / targets, length = scores.size(2),
                kept = std::min(k, length);
  Retrieved out{kept, std::vector<int32_t>(static_cast<std::size_t>(batch * targets * kept), 0),
                Tensor::zeros({batch * targets, kept})};
  const Tensor a = scores.contiguous(), m = mask.contiguous();
  real* keep = out.mask.write();
  parallel_for(batch * targets, 16, [&](int64_t begin, int64_t end) {
    std::vector<real> total(static_cast<std::size_t>(length));
    for (int64_t r = begin; r < end; ++r) {
      std::fill(total.begin(), total.end(), real{0});
      for (int64_t h = 0; h < heads; ++h) kernels().axpy(length, 1, a.data() + (r * heads + h) * length, total.data());
      const std::span<const real> real_ones(m.data() + r / targets * length, static_cast<std::size_t>(length));
      const std::vector<int32_t> best = top_k(total, real_ones, kept);
      std::copy(best.begin(), best.end(), out.positions.begin() + r * kept);
      std::fill_n(keep + r * kept, best.size(), real{1});
    }
  });
  return out;
}

Var Gsu::logits(const Var& scores, const FusedBatch& fused, const Tensor& mask, const Mode& mode) const {
  const Var found = attention.values(softmax(scores, mask), fused.history);
  return head(found, masked_mean(fused.history, mask), fused.targets, mode);
}

}  // namespace seminar::inline SEMINAR_PRECISION
