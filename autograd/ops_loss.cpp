// Losses that are one op each, so that no probability table has to be kept.
#include <algorithm>
#include <cmath>

#include "autograd/op_row.h"
#include "autograd/ops.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {

// loss = mean over rows of log Σ exp(x) - x[target]:  dx = (softmax(x) - onehot) g / rows. Saves the log probabilities.
Var cross_entropy(const Var& logits, const Ids& target) {
  check_inputs("cross_entropy", {logits});
  check(logits.rank() == 2 && target.numel() == logits.size(0), "cross_entropy: logits {} for {} targets",
        logits.shape(), target.numel());
  const int64_t rows = logits.size(0), n = logits.size(1);
  int64_t used = 0;
  for (int64_t r = 0; r < rows; ++r) {
    check(target[r] >= -1 && target[r] < n, "cross_entropy: target {} of {} classes in row {}", target[r], n, r);
    used += target[r] >= 0;
  }
  check(used > 0, "cross_entropy: no row has a target");
  Tensor losses = Tensor::zeros({rows});
  const Tensor log_p = map_rows(
      [&, out = losses.write()](int64_t r, real* lp, const real* x) {
        const real total = kernels().log_sum_exp(n, x);
        kernels().binary(Binary::sub, n, lp, x, 1, &total, 0);
        if (target[r] >= 0) out[r] = -lp[target[r]];
      },
      logits.value());
  const real weight = 1 / static_cast<real>(used);
  return record("cross_entropy", Tensor::scalar(sum_all(losses) * weight), {logits},
                [target, saved = Saved(log_p), weight, n](const Tensor& g, Sink in) {
                  const Tensor& y = *saved;
                  const real s = g.item() * weight;
                  update_rows(
                      in.acc(0),
                      [&](int64_t r, real* dx, const real* lp) {
                        if (target[r] < 0) return;
                        std::vector<real> p(static_cast<std::size_t>(n));
                        kernels().unary(Unary::exp, n, p.data(), lp);
                        kernels().axpy(n, s, p.data(), dx);
                        dx[target[r]] -= s;
                      },
                      y);
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

// loss = mean of max(x, 0) - x t + log(1 + e^-|x|):  dx = (σ(x) - t) g / n. Saves x, the target and the weight.
Var bce_with_logits(const Var& logits, const Tensor& target, const Tensor& weight) {
  check_inputs("bce_with_logits", {logits});
  check(target.defined(), "bce_with_logits: the target is undefined");
  check(target.shape() == logits.shape() && (!weight.defined() || weight.shape() == logits.shape()),
        "bce_with_logits: logits {}, target {}, weight {}", logits.shape(), target.shape(), weight.shape());
  const Tensor x = logits.value().contiguous(), t = target.contiguous();
  const Tensor w = weight.defined() ? weight.contiguous() : Tensor::full(x.shape(), 1);
  const real total = sum_all(w);
  check(total > 0, "bce_with_logits: no element takes part: shape {}", x.shape());
  const Tensor losses = map_elements(
      [](int64_t n, real* y, const real* xi, const real* ti, const real* wi) {
        for (int64_t i = 0; i < n; ++i)
          y[i] = wi[i] * (std::max(xi[i], real{0}) - xi[i] * ti[i] + std::log1p(std::exp(-std::abs(xi[i]))));
      },
      x, t, w);
  return record("bce_with_logits", Tensor::scalar(sum_all(losses) / total), {logits},
                [saved_x = Saved(x), saved_t = Saved(t), saved_w = Saved(w), total](const Tensor& g, Sink in) {
                  const Tensor &tx = *saved_x, &tt = *saved_t, &tw = *saved_w;
                  update_elements(
                      in.acc(0),
                      [s = g.item() / total](int64_t n, real* dx, const real* xi, const real* ti, const real* wi) {
                        std::vector<real> p(static_cast<std::size_t>(n));
                        kernels().unary(Unary::sigmoid, n, p.data(), xi);
                        for (int64_t i = 0; i < n; ++i) dx[i] += s * wi[i] * (p[i] - ti[i]);
                      },
                      tx, tt, tw);
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

}  // namespace seminar::inline SEMINAR_PRECISION
