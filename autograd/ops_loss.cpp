// Losses that are one op each, so that no probability table has to be kept.
#include <algorithm>
#include <cmath>

#include "autograd/op_row.h"
#include "autograd/ops.h"
#include "tensor/gemm.h"
#include "tensor/parallel.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {

// loss = mean over rows of log Σ exp(x) - x[target]:  dx = (softmax(x) - onehot) g / rows. Saves the log probabilities.
Var cross_entropy(const Var& logits, const Ids& target) {
  check(logits.rank() == 2 && target.numel() == logits.size(0), "cross_entropy: logits {} for {} targets",
        logits.shape(), target.numel());
  const Tensor x = logits.value().contiguous();
  const int64_t rows = x.size(0), n = x.size(1);
  int64_t used = 0;
  for (int64_t r = 0; r < rows; ++r) {
    check(target[r] >= -1 && target[r] < n, "cross_entropy: target {} of {} classes in row {}", target[r], n, r);
    used += target[r] >= 0;
  }
  check(used > 0, "cross_entropy: no row has a target");
  Tensor log_p = Tensor::empty(x.shape()), losses = Tensor::zeros({rows});
  parallel_for(rows, row_grain(4 * n), [&, lp = log_p.write(), out = losses.write()](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const real total = kernels().log_sum_exp(n, x.data() + r * n);
      kernels().binary(Binary::sub, n, lp + r * n, x.data() + r * n, 1, &total, 0);
      if (target[r] >= 0) out[r] = -lp[r * n + target[r]];
    }
  });
  const real share = 1 / static_cast<real>(used);
  return record("cross_entropy", Tensor::scalar(sum_all(losses) * share), {logits},
                [target, log_p = Saved(log_p), share, rows, n](const Tensor& g, Sink in) {
                  const real s = g.item() * share;
                  real* dx = in.acc(0).write();
                  parallel_for(rows, row_grain(4 * n), [&, lp = log_p->data()](int64_t begin, int64_t end) {
                    std::vector<real> p(static_cast<std::size_t>(n));
                    for (int64_t r = begin; r < end; ++r) {
                      if (target[r] < 0) continue;
                      kernels().unary(Unary::exp, n, p.data(), lp + r * n);
                      kernels().axpy(n, s, p.data(), dx + r * n);
                      dx[r * n + target[r]] -= s;
                    }
                  });
                });
}
OP_ROW(cross_entropy, {.samples =
                           [](Rng& rng) {
                             const Ids target({2, 0, -1, 4});
                             std::vector<OpSample> samples;
                             for (double size : {3.0, 80.0})
                               samples.push_back({{Tensor::normal({4, 5}, rng, size)},
                                                  [=](std::span<const Var> in) { return cross_entropy(in[0], target); },
                                                  [=](std::span<const Tensor> in) {
                                                    real loss = 0;
                                                    for (int64_t r : {0, 1, 3}) {
                                                      real total = 0;
                                                      for (int64_t i = 0; i < 5; ++i)
                                                        total += std::exp(in[0].at({r, i}) - in[0].at({r, target[r]}));
                                                      loss += std::log(total) / 3;
                                                    }
                                                    return Tensor::scalar(loss);
                                                  }});
                             samples.push_back({{Tensor::normal({1, 1}, rng)}, [](std::span<const Var> in) {
                                                  return cross_entropy(in[0], Ids({0}));
                                                }});
                             return samples;
                           },
                       .errors = {{[] {
                                     cross_entropy(Tensor::zeros({2, 3}), Ids({0, 3}));
                                   },
                                   "cross_entropy: target 3 of 3 classes in row 1"},
                                  {[] {
                                     cross_entropy(Tensor::zeros({2, 3}), Ids({-1, -1}));
                                   },
                                   "cross_entropy: no row has a target"},
                                  {[] {
                                     cross_entropy(Tensor::zeros({2, 3}), Ids({0}));
                                   },
                                   "cross_entropy: logits [2, 3] for 1 targets"}}});

// loss = mean of max(x, 0) - x t + log(1 + e^-|x|):  dx = (σ(x) - t) g / n. Saves x and the target.
Var bce_with_logits(const Var& logits, const Tensor& target, const Tensor& weight) {
  check(target.shape() == logits.shape() && (!weight.defined() || weight.shape() == logits.shape()),
        "bce_with_logits: logits {}, target {}, weight {}", logits.shape(), target.shape(), weight.shape());
  const Tensor x = logits.value().contiguous(), t = target.contiguous();
  const Tensor w = weight.defined() ? weight.contiguous() : Tensor::full(x.shape(), 1);
  const real total = sum_all(w);
  check(total > 0, "bce_with_logits: no element takes part: shape {}", x.shape());
  Tensor losses = Tensor::empty(x.shape());
  parallel_for(x.numel(), 4096, [&, out = losses.write()](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const real v = x.data()[i];
      out[i] = w.data()[i] * (std::max(v, real{0}) - v * t.data()[i] + std::log1p(std::exp(-std::abs(v))));
    }
  });
  return record("bce_with_logits", Tensor::scalar(sum_all(losses) / total), {logits},
                [x = Saved(x), t = Saved(t), w = Saved(w), total](const Tensor& g, Sink in) {
                  const real s = g.item() / total;
                  real* dx = in.acc(0).write();
                  parallel_for(x->numel(), 4096,
                               [&, px = x->data(), pt = t->data(), pw = w->data()](int64_t begin, int64_t end) {
                                 std::vector<real> p(static_cast<std::size_t>(end - begin));
                                 kernels().unary(Unary::sigmoid, end - begin, p.data(), px + begin);
                                 for (int64_t i = begin; i < end; ++i) dx[i] += s * pw[i] * (p[i - begin] - pt[i]);
                               });
                });
}
OP_ROW(bce_with_logits,
       {.samples =
            [](Rng& rng) {
              const Tensor target = Tensor::from({2, 3}, {0, 1, 1, 0, 0.25, 1}),
                           weight = Tensor::from({2, 3}, {1, 1, 0, 1, 1, 1});
              const auto reference = [target](const Tensor& w) {
                return [=](std::span<const Tensor> in) {
                  real loss = 0, total = 0;
                  for (int64_t i = 0; i < 6; ++i) {
                    const real p = 1 / (1 + std::exp(-in[0].data()[i])), t = target.data()[i];
                    loss -= w.data()[i] * (t * std::log(p) + (1 - t) * std::log1p(-p));
                    total += w.data()[i];
                  }
                  return Tensor::scalar(loss / total);
                };
              };
              return std::vector<OpSample>{
                  {{Tensor::normal({2, 3}, rng, 3)},
                   [=](std::span<const Var> in) { return bce_with_logits(in[0], target); },
                   reference(Tensor::full({2, 3}, 1))},
                  {{Tensor::normal({2, 3}, rng, 3)},
                   [=](std::span<const Var> in) { return bce_with_logits(in[0], target, weight); },
                   reference(weight)},
                  {{Tensor::normal({2, 3}, rng, 80)},
                   [=](std::span<const Var> in) { return bce_with_logits(in[0], target); }},
                  {{Tensor::normal({5000}, rng)},
                   [large = Tensor::uniform({5000}, rng, 0, 1)](std::span<const Var> in) {
                     return bce_with_logits(in[0], large);
                   }}};
            },
        .errors = {{[] { bce_with_logits(Tensor::zeros({2}), Tensor::zeros({3})); },
                    "bce_with_logits: logits [2], target [3]"},
                   {[] { bce_with_logits(Tensor::zeros({2}), Tensor::zeros({2}), Tensor::zeros({2})); },
                    "bce_with_logits: no element takes part"}}});

namespace {

// One run of the chunked CLIP loss on n pairs: S = s A Bᵀ, loss = Σ_i (lse_row_i + lse_col_i - 2 S_ii) / 2n.
// Writes the gradients da, db [n, d]; returns {loss, d loss / d s}. `room` holds the scores from run to run.
std::pair<real, real> clip_run(int64_t n, int64_t d, real s, const real* a, const real* b, real* da, real* db,
                               std::vector<real>& room) {
  const int64_t ld = (n + kernel_lanes - 1) / kernel_lanes * kernel_lanes;
  room.resize(static_cast<std::size_t>((n + 3) * ld));
  real* p = room.data();
  gemm(false, true, n, n, d, s, a, d, b, d, 0, p, ld);
  const real loss = kernels().contrast(n, ld, p, p + n * ld), share = 1 / static_cast<real>(2 * n);
  gemm(false, false, n, d, n, s * share, p, ld, b, d, 0, da, d);
  gemm(true, false, n, d, n, s * share, p, ld, a, d, 0, db, d);
  return {loss * share, kernels().dot(n * d, a, da) / s};  // Σ a da = s Σ S dS / s
}

}  // namespace

// The gradients are computed with the forward pass, while the scores of a run are in the cache; backward scales them.
// Saves d loss / da and d loss / db instead of the inputs.
Var clip_loss(const Var& a, const Var& b, const Var& logit_scale, int64_t chunks, const Tensor& mask) {
  check(a.rank() == 3 && a.shape() == b.shape(), "clip_loss: needs two tensors [B, L, d]: {} and {}", a.shape(),
        b.shape());
  const int64_t batch = a.size(0), length = a.size(1), d = a.size(2);
  check(chunks >= 1, "clip_loss: chunks must be at least 1: {}", chunks);
  check(!mask.defined() || mask.shape() == Shape({batch, length}), "clip_loss: mask {} for {}", mask.shape(),
        a.shape());
  const real s = logit_scale.value().item();
  check(s > 0, "clip_loss: logit_scale must be positive: {}", s);
  const Tensor ta = a.value().contiguous(), tb = b.value().contiguous(),
               keep = mask.defined() ? mask.contiguous() : Tensor();
  const int64_t run = std::max<int64_t>(1, (length + chunks - 1) / chunks), runs = (length + run - 1) / run;
  Tensor da = Tensor::empty(a.shape()), db = Tensor::empty(b.shape()), results = Tensor::zeros({2, batch * runs});
  const auto blocks = [&, pa = da.write(), pb = db.write(), out = results.write()](int64_t begin, int64_t end) {
    std::vector<real> room, packed;
    std::vector<int64_t> at;  // the positions of a run that take part
    for (int64_t r = begin; r < end; ++r) {
      const int64_t first = r / runs * length + r % runs * run;
      const int64_t last = std::min(first + run, (r / runs + 1) * length);
      at.clear();
      for (int64_t i = first; i < last; ++i)
        if (!keep.defined() || keep.data()[i] != 0) at.push_back(i);
      const int64_t n = std::ssize(at);
      const real *xa = ta.data() + first * d, *xb = tb.data() + first * d;
      real *ga = pa + first * d, *gb = pb + first * d;
      const bool all = n == last - first && n > 1;
      if (!all) {
        std::fill(ga, pa + last * d, real{0});
        std::fill(gb, pb + last * d, real{0});
        if (n < 2) continue;  // a single pair has nothing to be told apart from
        packed.resize(static_cast<std::size_t>(4 * n * d));
        real* rows = packed.data();
        for (int64_t i = 0; i < n; ++i) {
          std::copy_n(ta.data() + at[i] * d, d, rows + i * d);
          std::copy_n(tb.data() + at[i] * d, d, rows + (n + i) * d);
        }
        xa = rows, xb = rows + n * d, ga = rows + 2 * n * d, gb = rows + 3 * n * d;
      }
      const auto [loss, ds] = clip_run(n, d, s, xa, xb, ga, gb, room);
      out[r] = loss;
      out[batch * runs + r] = ds;
      for (int64_t i = 0; i < n && !all; ++i) {
        std::copy_n(ga + i * d, d, pa + at[i] * d);
        std::copy_n(gb + i * d, d, pb + at[i] * d);
      }
    }
  };
  parallel_for(batch * runs, row_grain(run * d), blocks);
  const real share = 1 / static_cast<real>(std::max<int64_t>(1, batch));
  const real loss = sum_all(results.slice(0, 0, 1)) * share, ds = sum_all(results.slice(0, 1, 2)) * share;
  return record(
      "clip_loss", Tensor::scalar(loss), {a, b, logit_scale},
      [da = Saved(da), db = Saved(db), ds, share, scale_shape = logit_scale.shape()](const Tensor& g, Sink in) {
        const real factor = g.item() * share;
        in.add_scaled(0, factor, *da);
        in.add_scaled(1, factor, *db);
        in.add(2, Tensor::full(scale_shape, g.item() * ds));
      });
}

#ifdef SEMINAR_OP_ROWS
namespace {
// The loss by its definition.
Tensor naive_clip_loss(const Tensor& a, const Tensor& b, real s, int64_t chunks, const Tensor& mask) {
  const int64_t batch = a.size(0), length = a.size(1), d = a.size(2), run = (length + chunks - 1) / chunks;
  real loss = 0;
  for (int64_t u = 0; u < batch; ++u)
    for (int64_t first = 0; first < length; first += run) {
      std::vector<int64_t> at;
      for (int64_t l = first; l < std::min(first + run, length); ++l)
        if (!mask.defined() || mask.at({u, l}) != 0) at.push_back(l);
      const auto score = [&](int64_t i, int64_t j) {
        real t = 0;
        for (int64_t k = 0; k < d; ++k) t += a.at({u, i, k}) * b.at({u, j, k});
        return s * t;
      };
      for (int64_t i : at) {
        real row = 0, col = 0;
        for (int64_t j : at) row += std::exp(score(i, j)), col += std::exp(score(j, i));
        if (at.size() > 1)
          loss += (std::log(row) + std::log(col) - 2 * score(i, i)) / static_cast<real>(2 * at.size() * batch);
      }
    }
  return Tensor::scalar(loss);
}
}  // namespace
#endif
OP_ROW(clip_loss,
       {.samples =
            [](Rng& rng) {
              const Tensor mask = Tensor::from({2, 5}, {1, 0, 1, 1, 1, 0, 0, 0, 1, 0});
              std::vector<OpSample> samples;
              for (int64_t chunks : {1, 2})
                for (const Tensor& m : {Tensor(), mask})
                  samples.push_back(
                      {{Tensor::normal({2, 5, 3}, rng), Tensor::normal({2, 5, 3}, rng), Tensor::scalar(2.5)},
                       [=](std::span<const Var> in) { return clip_loss(in[0], in[1], in[2], chunks, m); },
                       [=](std::span<const Tensor> in) {
                         return naive_clip_loss(in[0], in[1], in[2].item(), chunks, m);
                       }});
              samples.push_back({{Tensor::normal({1, 1, 2}, rng), Tensor::normal({1, 1, 2}, rng), Tensor::scalar(1)},
                                 [](std::span<const Var> in) { return clip_loss(in[0], in[1], in[2], 1); }});
              return samples;
            },
        .errors = {
            {[] {
               clip_loss(Tensor::zeros({2, 3}), Tensor::zeros({2, 3}), Tensor::scalar(1), 1);
             },
             "clip_loss: needs two tensors [B, L, d]"},
            {[] {
               clip_loss(Tensor::zeros({1, 2, 3}), Tensor::zeros({1, 2, 3}), Tensor::scalar(1), 0);
             },
             "clip_loss: chunks must be at least 1: 0"},
            {[] {
               clip_loss(Tensor::zeros({1, 2, 3}), Tensor::zeros({1, 2, 3}), Tensor::scalar(-1), 1);
             },
             "clip_loss: logit_scale must be positive"},
            {[] {
               clip_loss(Tensor::zeros({1, 2, 3}), Tensor::zeros({1, 2, 3}), Tensor::scalar(1), 1, Tensor::zeros({2}));
             },
             "clip_loss: mask [2]"}}});

}  // namespace seminar::inline SEMINAR_PRECISION
