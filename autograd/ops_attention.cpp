// Self-attention as one op: the heads are read and written in place in the packed projections, nothing is copied.
#include <algorithm>
#include <cmath>

#include "autograd/op_row.h"
#include "autograd/ops.h"
#include "tensor/gemm.h"
#include "tensor/kernels.h"
#include "tensor/parallel.h"

namespace seminar::inline SEMINAR_PRECISION {

// P = softmax(Q Kᵀ / √w), y = P V per head of width w:
// dV = Pᵀ g,  dP = g Vᵀ,  dS = P (dP - Σ dP P),  dQ = dS K / √w,  dK = dSᵀ Q / √w. Saves qkv and P [B, heads, T, T].
Var self_attention(const Var& qkv, int64_t heads, const Tensor& mask) {
  check(qkv.rank() == 3 && heads >= 1 && qkv.size(2) % (3 * heads) == 0, "self_attention: qkv {} for {} heads", qkv.shape(), heads);
  const int64_t batch = qkv.size(0), length = qkv.size(1), d = qkv.size(2) / 3, width = d / heads;
  check(!mask.defined() || mask.shape() == Shape({batch, length}), "self_attention: mask {} for qkv {}", mask.shape(), qkv.shape());
  const Tensor x = qkv.value().contiguous(), keep = mask.defined() ? mask.contiguous() : Tensor();
  const real s = 1 / std::sqrt(static_cast<real>(width));
  Tensor probabilities = Tensor::empty({batch, heads, length, length}), y = Tensor::empty({batch, length, d});
  const int64_t grain = row_grain(length * d);
  parallel_for(batch, grain, [&, p = probabilities.write(), out = y.write()](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b)
      for (int64_t h = 0; h < heads; ++h) {
        const real* q = x.data() + b * length * 3 * d + h * width;
        real* ph = p + (b * heads + h) * length * length;
        gemm(false, true, length, length, width, s, q, 3 * d, q + d, 3 * d, 0, ph, length);
        for (int64_t t = 0; t < length; ++t)
          kernels().softmax(length, ph + t * length, ph + t * length, keep.defined() ? keep.data() + b * length : nullptr);
        gemm(false, false, length, width, length, 1, ph, length, q + 2 * d, 3 * d, 0, out + b * length * d + h * width, d);
      }
  });
  return record("self_attention", y, {qkv},
                [x = Saved(x), probabilities = Saved(probabilities), batch, length, d, width, heads, s, grain](const Tensor& g, Sink in) {
                  real* dx = in.acc(0).write();
                  parallel_for(batch, grain, [&, px = x->data(), pp = probabilities->data()](int64_t begin, int64_t end) {
                    Tensor scratch = Tensor::empty({2, length, length});
                    real *dp = scratch.write(), *ds = dp + length * length;
                    for (int64_t b = begin; b < end; ++b)
                      for (int64_t h = 0; h < heads; ++h) {
                        const int64_t at = b * length * 3 * d + h * width;
                        const real *q = px + at, *p = pp + (b * heads + h) * length * length, *gy = g.data() + b * length * d + h * width;
                        gemm(true, false, length, width, length, 1, p, length, gy, d, 1, dx + at + 2 * d, 3 * d);
                        gemm(false, true, length, length, width, 1, gy, d, q + 2 * d, 3 * d, 0, dp, length);
                        std::fill_n(ds, length * length, real{0});
                        for (int64_t t = 0; t < length; ++t) kernels().softmax_grad(length, ds + t * length, dp + t * length, p + t * length);
                        gemm(false, false, length, width, length, s, ds, length, q + d, 3 * d, 1, dx + at, 3 * d);
                        gemm(true, false, length, width, length, s, ds, length, q, 3 * d, 1, dx + at + d, 3 * d);
                      }
                  });
                });
}

#ifdef SEMINAR_OP_ROWS
namespace {
// Head by head, position by position, by the definition.
Tensor naive_self_attention(const Tensor& x, int64_t heads, const Tensor& mask) {
  const int64_t length = x.size(1), d = x.size(2) / 3, width = d / heads;
  return tabulate({x.size(0), length, d}, [&](int64_t at) {
    const int64_t b = at / (length * d), t = at / d % length, h = at % d / width;
    real total = 0, y = 0;
    for (int64_t l = 0; l < length; ++l) {
      if (mask.defined() && mask.at({b, l}) == 0) continue;
      real score = 0;
      for (int64_t i = h * width; i < (h + 1) * width; ++i) score += x.at({b, t, i}) * x.at({b, l, d + i});
      const real e = std::exp(score / std::sqrt(static_cast<real>(width)));
      total += e;
      y += e * x.at({b, l, 2 * d + at % d});
    }
    return total > 0 ? y / total : 0;
  });
}
}  // namespace
#endif
OP_ROW(self_attention,
       {.samples =
            [](Rng& rng) {
              std::vector<OpSample> samples;
              for (const Tensor& mask : {Tensor(), Tensor::from({2, 3}, {1, 0, 1, 0, 0, 0})})
                samples.push_back({{Tensor::normal({2, 3, 12}, rng)},
                                   [=](std::span<const Var> in) { return self_attention(in[0], 2, mask); },
                                   [=](std::span<const Tensor> in) { return naive_self_attention(in[0], 2, mask); }});
              samples.push_back({{Tensor::normal({1, 1, 3}, rng)}, [](std::span<const Var> in) { return self_attention(in[0], 1); }});
              samples.push_back({{Tensor::normal({0, 2, 6}, rng)}, [](std::span<const Var> in) { return self_attention(in[0], 1); }});
              return samples;
            },
        .errors = {{[] { self_attention(Tensor::zeros({2, 3, 8}), 1); }, "self_attention: qkv [2, 3, 8] for 1 heads"},
                   {[] { self_attention(Tensor::zeros({2, 3, 12}), 2, Tensor::zeros({3, 3})); }, "self_attention: mask [3, 3]"}}});

}  // namespace seminar::inline SEMINAR_PRECISION
