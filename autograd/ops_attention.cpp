// Self-attention as one op: the heads are read and written in place in the packed projections, nothing is copied.
#include <algorithm>
#include <cmath>

#include "autograd/op_row.h"
#include "autograd/ops.h"
#include "tensor/gemm.h"
#include "tensor/kernels.h"
#include "tensor/parallel.h"

namespace seminar::inline SEMINAR_PRECISION {

// P = softmax(Q Kᵀ / √w), y = P V per sequence and head of width w:
// dV = Pᵀ g,  dP = g Vᵀ,  dS = P (dP - Σ dP P),  dQ = dS K / √w,  dK = dSᵀ Q / √w.
// Saves qkv and all P [heads, T, T] one after the other.
Var self_attention(const Var& qkv, const Ids& offsets, int64_t heads, bool causal) {
  check_inputs("self_attention", {qkv});
  check(qkv.rank() == 2 && heads >= 1 && qkv.size(1) % (3 * heads) == 0, "self_attention: qkv {} for {} heads",
        qkv.shape(), heads);
  const int64_t count = offsets.numel() - 1, tokens = qkv.size(0), d = qkv.size(1) / 3, width = d / heads;
  check(count >= 0 && offsets[0] == 0 && offsets[count] == tokens, "self_attention: sequences must cover all {} rows",
        tokens);
  std::vector<int64_t> first_p(static_cast<std::size_t>(count) + 1, 0);  // where a sequence's P begins
  for (int64_t i = 0; i < count; ++i) {
    const int64_t length = offsets[i + 1] - offsets[i];
    check(length >= 0, "self_attention: sequence {} ends before it starts", i);
    first_p[i + 1] = first_p[i] + heads * length * length;
  }
  const Tensor x = qkv.value().contiguous();
  const real s = 1 / std::sqrt(static_cast<real>(width));
  Tensor probabilities = Tensor::empty({first_p[count]}), y = Tensor::empty({tokens, d});
  const int64_t grain = row_grain(count ? tokens * d / count : 1);
  parallel_for(count, grain, [&, p = probabilities.write(), out = y.write()](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t length = offsets[i + 1] - offsets[i];
        const real* q = x.data() + offsets[i] * 3 * d + h * width;
        real* ph = p + first_p[i] + h * length * length;
        gemm(false, true, length, length, width, s, q, 3 * d, q + d, 3 * d, 0, ph, length);
        for (int64_t t = 0; t < length; ++t) {
          const int64_t seen = causal ? t + 1 : length;
          kernels().softmax(seen, ph + t * length, ph + t * length, nullptr);
          std::fill(ph + t * length + seen, ph + (t + 1) * length, real{0});
        }
        gemm(false, false, length, width, length, 1, ph, length, q + 2 * d, 3 * d, 0, out + offsets[i] * d + h * width,
             d);
      }
  });
  return record(
      "self_attention", y, {qkv},
      [x = Saved(x), probabilities = Saved(probabilities), first_p, offsets, count, d, width, heads, s, grain](
          const Tensor& g, Sink in) {
        const real *px = x->data(), *pp = probabilities->data();
        real* dx = in.acc(0).write();
        parallel_for(count, grain, [&](int64_t begin, int64_t end) {
          std::vector<real> dp, ds;
          for (int64_t i = begin; i < end; ++i)
            for (int64_t h = 0; h < heads; ++h) {
              const int64_t length = offsets[i + 1] - offsets[i], row = offsets[i] * 3 * d + h * width;
              const real *q = px + row, *p = pp + first_p[i] + h * length * length,
                         *gy = g.data() + offsets[i] * d + h * width;
              dp.resize(static_cast<std::size_t>(length * length));
              ds.assign(dp.size(), 0);
              gemm(true, false, length, width, length, 1, p, length, gy, d, 1, dx + row + 2 * d, 3 * d);
              gemm(false, true, length, length, width, 1, gy, d, q + 2 * d, 3 * d, 0, dp.data(), length);
              for (int64_t t = 0; t < length; ++t)
                kernels().softmax_grad(length, ds.data() + t * length, dp.data() + t * length, p + t * length);
              gemm(false, false, length, width, length, s, ds.data(), length, q + d, 3 * d, 1, dx + row, 3 * d);
              gemm(true, false, length, width, length, s, ds.data(), length, q, 3 * d, 1, dx + row + d, 3 * d);
            }
        });
      });
}

#ifdef SEMINAR_OP_ROWS
namespace {
// Head by head, position by position, by the definition.
Tensor naive_self_attention(const Tensor& x, const Ids& offsets, int64_t heads, bool causal) {
  const int64_t d = x.size(1) / 3, width = d / heads;
  return tabulate({x.size(0), d}, [&](int64_t index) {
    const int64_t t = index / d, h = index % d / width;
    int64_t sequence = 0;
    while (offsets[sequence + 1] <= t) ++sequence;
    real total = 0, y = 0;
    for (int64_t l = offsets[sequence]; l < (causal ? t + 1 : offsets[sequence + 1]); ++l) {
      real score = 0;
      for (int64_t i = h * width; i < (h + 1) * width; ++i) score += x.at({t, i}) * x.at({l, d + i});
      const real e = std::exp(score / std::sqrt(static_cast<real>(width)));
      total += e;
      y += e * x.at({l, 2 * d + index % d});
    }
    return y / total;
  });
}
}  // namespace
#endif
OP_ROW(self_attention,
       {.samples =
            [](Rng& rng) {
              const Ids offsets({0, 3, 3, 4, 6});
              return std::vector<OpSample>{
                  {{Tensor::normal({6, 12}, rng)},
                   [=](std::span<const Var> in) { return self_attention(in[0], offsets, 2); },
                   [=](std::span<const Tensor> in) { return naive_self_attention(in[0], offsets, 2, false); }},
                  {{Tensor::normal({6, 12}, rng)},
                   [=](std::span<const Var> in) { return self_attention(in[0], offsets, 2, true); },
                   [=](std::span<const Tensor> in) { return naive_self_attention(in[0], offsets, 2, true); }},
                  {{Tensor::normal({1, 3}, rng)},
                   [](std::span<const Var> in) {
                     return self_attention(in[0], Ids({0, 1}), 1);
                   }},
                  {{Tensor::normal({0, 6}, rng)}, [](std::span<const Var> in) {
                     return self_attention(in[0], Ids({0, 0}), 1);
                   }}};
            },
        .errors = {{[] {
                      self_attention(Tensor::zeros({3, 8}), Ids({0, 3}), 1);
                    },
                    "self_attention: qkv [3, 8] for 1 heads"},
                   {[] {
                      self_attention(Tensor::zeros({3, 12}), Ids({0, 2}), 2);
                    },
                    "self_attention: sequences must cover all 3 rows"},
                   {[] {
                      self_attention(Tensor::zeros({3, 12}), Ids({0, 4, 3}), 2);
                    },
                    "self_attention: sequence 1 ends before it starts"}}});

}  // namespace seminar::inline SEMINAR_PRECISION
