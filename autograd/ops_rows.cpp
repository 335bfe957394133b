// Ops along the last axis.
#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/op_row.h"
#include "autograd/ops.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// The axis that an op works along has to be there.
void check_rows(const char* op, const Var& x) {
  check_inputs(op, {x});
  check(x.rank() >= 1, "{}: needs an axis, not a scalar", op);
}

// Whether a mask [.., n] says something about rows of x [.., .., n]: its other axes are the first ones of x.
bool lines_up(const Shape& mask, const Shape& x) {
  if (mask.rank() < 1 || mask.rank() > x.rank() || mask[-1] != x[-1]) return false;
  for (int i = 0; i + 1 < mask.rank(); ++i)
    if (mask[i] != x[i]) return false;
  return true;
}

#ifdef SEMINAR_OP_ROWS
// exp(x - max) / Σ by the definition, over the elements where mask is not 0.
Tensor naive_softmax(const Tensor& x, const Tensor& mask) {
  const int64_t n = x.size(-1), rows = x.shape().rows();
  const auto keep = [&](int64_t r, int64_t i) {
    return !mask.defined() || mask.data()[r / (rows / mask.shape().rows()) * n + i] != 0;
  };
  return tabulate(x.shape(), [&](int64_t index) {
    const int64_t r = index / n;
    real top = -std::numeric_limits<real>::infinity(), total = 0;
    for (int64_t i = 0; i < n; ++i)
      if (keep(r, i)) top = std::max(top, x.data()[r * n + i]);
    for (int64_t i = 0; i < n; ++i)
      if (keep(r, i)) total += std::exp(x.data()[r * n + i] - top);
    return keep(r, index % n) ? std::exp(x.data()[index] - top) / total : 0;
  });
}
#endif

}  // namespace

// dx = y (g - Σ g y). Saves y only; what the mask left out has y = 0 and so no gradient.
Var softmax(const Var& input, const Tensor& mask) {
  check_rows("softmax", input);
  const Tensor& x = input.value();
  const Tensor m = mask.defined() ? mask.contiguous() : Tensor();
  check(!m.defined() || lines_up(m.shape(), x.shape()), "softmax: mask {} for {}", m.shape(), x.shape());
  const int64_t n = x.size(-1), rows_per_mask = m.numel() > 0 ? x.numel() / m.numel() : 1;
  const Tensor y = map_rows(
      [&](int64_t r, real* to, const real* from) {
        kernels().softmax(n, to, from, m.defined() ? m.data() + r / rows_per_mask * n : nullptr);
      },
      x);
  return record("softmax", y, {input}, [saved = Saved(y), n](const Tensor& g, Sink in) {
    const Tensor& p = *saved;
    update_rows(
        in.acc(0), [n](int64_t, real* dx, const real* gr, const real* pr) { kernels().softmax_grad(n, dx, gr, pr); }, g,
        p);
  });
}
OP_ROW(softmax, {.samples =
                     [](Rng& rng) {
                       std::vector<OpSample> samples;
                       for (const Shape& shape : {Shape{3, 21}, Shape{2, 1}, Shape{4}, Shape{2, 0}, Shape{0, 3}})
                         samples.push_back(one_input(
                             Tensor::normal(shape, rng, 3), [](const Var& x) { return softmax(x); },
                             [](const Tensor& x) { return naive_softmax(x, {}); }));
                       samples.push_back(one_input(
                           Tensor::uniform({2, 9}, rng, -80, 80), [](const Var& x) { return softmax(x); },
                           [](const Tensor& x) { return naive_softmax(x, {}); }));
                       const Tensor mask = Tensor::from({2, 3}, {1, 0, 1, 0, 0, 0});
                       samples.push_back({{Tensor::normal({2, 4, 3}, rng)},
                                          [mask](std::span<const Var> in) { return softmax(in[0], mask); },
                                          [mask](std::span<const Tensor> in) { return naive_softmax(in[0], mask); }});
                       return samples;
                     },
                 .errors = {{[] {
                               softmax(Tensor::zeros({2, 3}), Tensor::zeros({2, 4}));
                             },
                             "softmax: mask [2, 4] for [2, 3]"},
                            {[] {
                               softmax(Tensor::zeros({4, 3, 5}), Tensor::zeros({2, 5}));
                             },
                             "softmax: mask [2, 5] for [4, 3, 5]"},
                            {[] { softmax(Tensor::scalar(1)); }, "softmax: needs an axis"}}});

// dx = g - softmax(x) Σ g. Saves y only.
Var log_softmax(const Var& input) {
  check_rows("log_softmax", input);
  const int64_t n = input.size(-1);
  const Tensor y = map_rows(
      [n](int64_t, real* to, const real* x) {
        const real total = kernels().log_sum_exp(n, x);
        kernels().binary(Binary::sub, n, to, x, 1, &total, 0);
      },
      input.value());
  return record("log_softmax", y, {input}, [saved = Saved(y), n](const Tensor& g, Sink in) {
    const Tensor& log_p = *saved;
    update_rows(
        in.acc(0),
        [n](int64_t, real* dx, const real* gr, const real* lp) { kernels().log_softmax_grad(n, dx, gr, lp); }, g,
        log_p);
  });
}
OP_ROW(log_softmax, {.samples =
                         [](Rng& rng) {
                           std::vector<OpSample> samples;
                           const auto reference = [](const Tensor& x) {
                             const Tensor p = naive_softmax(x, {});
                             return tabulate(x.shape(), [&](int64_t i) { return std::log(p.data()[i]); });
                           };
                           for (const Shape& shape : {Shape{3, 21}, Shape{2, 1}, Shape{4}, Shape{2, 0}})
                             samples.push_back(one_input(Tensor::normal(shape, rng, 3), log_softmax, reference));
                           samples.push_back(one_input(Tensor::uniform({2, 9}, rng, -80, 80), log_softmax, reference));
                           return samples;
                         },
                     .errors = {{[] { log_softmax(Tensor::scalar(1)); }, "log_softmax: needs an axis"}}});

// With x̂ = (x - mean) rstd and h = g w: dx = rstd (h - mean(h) - x̂ mean(h x̂)), dw = Σ g x̂, db = Σ g.
// Saves x, w and each row's mean and rstd.
Var layer_norm(const Var& input, const Var& weight, const Var& bias, real eps) {
  check_inputs("layer_norm", {input, weight, bias});
  const Shape width = input.rank() ? Shape{input.size(-1)} : Shape{};
  check(width.rank() == 1 && width[0] > 0 && weight.shape() == width && bias.shape() == width,
        "layer_norm: input {}, weight {}, bias {}", input.shape(), weight.shape(), bias.shape());
  const Tensor x = input.value().contiguous(), w = weight.value().contiguous(), b = bias.value().contiguous();
  const int64_t n = width[0], rows = x.shape().rows();
  Tensor stats = Tensor::empty({rows, 2});
  const Tensor y = map_rows(
      [&, s = stats.write()](int64_t r, real* to, const real* from) {
        kernels().layer_norm(n, to, from, w.data(), b.data(), eps, s + 2 * r, s + 2 * r + 1);
      },
      x);
  return record(
      "layer_norm", y, {input, weight, bias},
      [saved_x = Saved(x), saved_w = Saved(w), saved_stats = Saved(stats), n, rows](const Tensor& g, Sink in) {
        const real *px = saved_x->data(), *pw = saved_w->data(), *s = saved_stats->data();
        real* dx = in.needs(0) ? in.acc(0).write() : nullptr;
        // Rows are cut into fixed blocks with a partial dw and db each, added in order.
        constexpr int64_t block = 256;
        const int64_t blocks = (rows + block - 1) / block;
        Tensor partial = Tensor::zeros({blocks, 2, n});
        parallel_for(rows, block, [&, sums = partial.write()](int64_t begin, int64_t end) {
          real *dw = sums + begin / block * 2 * n, *db = dw + n;
          for (int64_t r = begin; r < end; ++r)
            kernels().layer_norm_grad(n, dx ? dx + r * n : nullptr, dw, db, g.data() + r * n, px + r * n, pw, s[2 * r],
                                      s[2 * r + 1]);
        });
        const Tensor total = sum_axis(partial, 0);
        for (int i : {0, 1})
          if (in.needs(1 + i)) in.add(1 + i, total.slice(1, i, i + 1).reshape({n}));
      });
}
OP_ROW(layer_norm, {.samples =
                        [](Rng& rng) {
                          std::vector<OpSample> samples;
                          const auto apply = [](std::span<const Var> in) { return layer_norm(in[0], in[1], in[2]); };
                          const auto reference = [](std::span<const Tensor> in) {
                            const int64_t n = in[0].size(-1);
                            return tabulate(in[0].shape(), [&](int64_t index) {
                              const real* x = in[0].data() + index / n * n;
                              real mean = 0, var = 0;
                              for (int64_t i = 0; i < n; ++i) mean += x[i] / static_cast<real>(n);
                              for (int64_t i = 0; i < n; ++i)
                                var += (x[i] - mean) * (x[i] - mean) / static_cast<real>(n);
                              return (x[index % n] - mean) / std::sqrt(var + real{1e-5}) * in[1].data()[index % n] +
                                     in[2].data()[index % n];
                            });
                          };
                          for (const auto& [shape, size] :
                               {std::pair<Shape, double>{{4, 3, 10}, 1}, {{2, 19}, 80}, {{0, 3}, 1}, {{600, 2}, 1}}) {
                            const Shape width{shape[-1]};
                            samples.push_back({{Tensor::normal(shape, rng, size), Tensor::normal(width, rng),
                                                Tensor::normal(width, rng)},
                                               apply,
                                               reference});
                          }
                          return samples;
                        },
                    .errors = {{[] {
                                  layer_norm(Tensor::zeros({2, 3}), Tensor::zeros({4}), Tensor::zeros({3}));
                                },
                                "layer_norm: input [2, 3], weight [4], bias [3]"}}});

// dx = (g - y Σ g y) / |x|. Saves y and each row's 1 / max(|x|, eps); below eps the length is a constant: dx = g / eps.
Var normalize(const Var& input, real eps) {
  check_rows("normalize", input);
  const int64_t n = input.size(-1);
  Tensor inverse = Tensor::empty({input.shape().rows()});
  const Tensor y = map_rows(
      [&, inv = inverse.write()](int64_t r, real* to, const real* x) {
        inv[r] = 1 / std::max(std::sqrt(kernels().dot(n, x, x)), eps);
        kernels().binary(Binary::mul, n, to, x, 1, inv + r, 0);
      },
      input.value());
  return record("normalize", y, {input},
                [saved_y = Saved(y), saved_inverse = Saved(inverse), n, eps](const Tensor& g, Sink in) {
                  const Tensor& unit = *saved_y;
                  const real* inv = saved_inverse->data();
                  const std::pair<Tensor&, bool> to = in.out(0);
                  update_rows(
                      to.first,
                      [&, add = to.second](int64_t r, real* dx, const real* gr, const real* yr) {
                        if (add)
                          kernels().axpy(n, inv[r], gr, dx);
                        else
                          kernels().binary(Binary::mul, n, dx, gr, 1, inv + r, 0);
                        const real s = inv[r] < 1 / eps ? kernels().dot(n, gr, yr) : 0;
                        kernels().axpy(n, -inv[r] * s, yr, dx);
                      },
                      g, unit);
                });
}
OP_ROW(
    normalize,
    {.samples =
         [](Rng& rng) {
           std::vector<OpSample> samples;
           for (const Shape& shape : {Shape{4, 6}, Shape{3, 1}, Shape{17}, Shape{0, 2}, Shape{2, 0}})
             samples.push_back(one_input(
                 Tensor::normal(shape, rng, 80), [](const Var& x) { return normalize(x); },
                 [](const Tensor& x) {
                   const int64_t n = x.size(-1);
                   return tabulate(x.shape(), [&](int64_t index) {
                     real s = 0;
                     for (int64_t i = 0; i < n; ++i) s += std::pow(x.data()[index / n * n + i], 2);
                     return x.data()[index] / std::sqrt(s);
                   });
                 }));
           samples.push_back({{Tensor::zeros({2, 3})}, [](std::span<const Var> in) { return normalize(in[0], 0.5); }});
           samples.push_back({{Tensor::from({4, 2}, {0.5, 0.5, 0, 0.1, 3, 4, 0, 0})},  // lengths around eps and 1
                              [](std::span<const Var> in) { return normalize(in[0], 0.5); }});
           return samples;
         },
     .errors = {{[] { normalize(Tensor::scalar(1)); }, "normalize: needs an axis"}}});

}  // namespace seminar::inline SEMINAR_PRECISION
