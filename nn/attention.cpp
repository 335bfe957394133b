#include "nn/attention.h"

#include <cmath>

namespace seminar::inline SEMINAR_PRECISION {
namespace {

Tensor fan_in_normal(const Shape& shape, int64_t fan_in, Rng rng) {
  return Tensor::normal(shape, rng, 1 / std::sqrt(static_cast<double>(fan_in)));
}

}  // namespace

Var target_scores(const Var& q, const Var& keys, const Var& wq, const Var& wk) {
  check_inputs("target_scores", {q, keys, wq, wk});
  check(q.rank() == 3 && keys.rank() == 3 && wq.rank() == 3 && wk.rank() == 3 && q.size(0) == keys.size(0) &&
            wq.size(1) == q.size(2) && wk.size(1) == keys.size(2) && wk.size(0) == wq.size(0) &&
            wk.size(2) == wq.size(2),
        "target_scores: q {}, keys {}, wq {}, wk {}", q.shape(), keys.shape(), wq.shape(), wk.shape());
  const int64_t batch = q.size(0), targets = q.size(1), d = q.size(2), heads = wq.size(0);
  const Var folded = matmul_transposed(wq, wk);                        // [H, d, d]
  const Var asked = matmul(reshape(q, {batch * targets, d}), folded);  // [H, B * T, d]
  const Var per_history = reshape(swap_axes(asked, 0, 1), {batch, targets * heads, d});
  return scale(matmul_transposed(per_history, keys), 1 / std::sqrt(static_cast<real>(d)));
}

Var target_values(const Var& p, const Var& keys, const Var& wv, const Var& wo) {
  check_inputs("target_values", {p, keys, wv, wo});
  check(p.rank() == 3 && keys.rank() == 3 && wv.rank() == 3 && wo.rank() == 2 && p.size(0) == keys.size(0) &&
            p.size(2) == keys.size(1) && wv.size(0) > 0 && p.size(1) % wv.size(0) == 0 && wv.size(1) == keys.size(2) &&
            wv.size(2) == keys.size(2) && wo.size(0) == wv.size(0) * wv.size(2),
        "target_values: p {}, keys {}, wv {}, wo {}", p.shape(), keys.shape(), wv.shape(), wo.shape());
  const int64_t batch = p.size(0), heads = wv.size(0), targets = p.size(1) / heads, d = keys.size(2);
  const Var pooled = reshape(matmul(p, keys), {batch * targets, heads, d});
  const Var values = matmul(swap_axes(pooled, 0, 1), wv);  // [H, B * T, d]
  return reshape(matmul(reshape(swap_axes(values, 0, 1), {batch * targets, heads * d}), wo),
                 {batch, targets, wo.size(1)});
}

Var target_attention(const Var& q, const Var& keys, const Tensor& mask, const Var& wq, const Var& wk, const Var& wv,
                     const Var& wo) {
  return target_values(softmax(target_scores(q, keys, wq, wk), mask), keys, wv, wo);
}

TargetAttention::TargetAttention(int64_t width, int64_t heads, Rng rng, bool frozen_projections)
    : wq(fan_in_normal({heads, width, width}, width, rng.split("wq"))),
      wk(fan_in_normal({heads, width, width}, width, rng.split("wk"))),
      wv(fan_in_normal({heads, width, width}, width, rng.split("wv"))),
      wo(fan_in_normal({heads * width, width}, heads * width, rng.split("wo"))),
      frozen(frozen_projections) {}

}  // namespace seminar::inline SEMINAR_PRECISION
