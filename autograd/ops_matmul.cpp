// Matrix products.
#include <algorithm>

#include "autograd/op_row.h"
#include "autograd/ops.h"
#include "tensor/gemm.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {

// y = a b:  da = g bᵀ,  db = aᵀ g. Saves a and b.
Var matmul(const Var& a, const Var& b) {
  check_inputs("matmul", {a, b});
  return record("matmul", matmul(a.value(), b.value()), {a, b},
                [saved_a = Saved(a), saved_b = Saved(b)](const Tensor& g, Sink in) {
                  const Tensor &ta = *saved_a, &tb = *saved_b;
                  if (in.needs(0)) {
                    auto [da, add] = in.out(0);
                    matmul_into(da, g, tb.transpose(), add);
                  }
                  if (in.needs(1)) {
                    auto [db, add] = in.out(1);
                    matmul_into(db, ta.transpose(), g, add);
                  }
                });
}

#ifdef SEMINAR_OP_ROWS
namespace {
// The product by its definition; a or b may lack the batch axis.
Tensor naive_matmul(const Tensor& a, const Tensor& b) {
  Tensor y = Tensor::zeros(matmul_shape(a.shape(), b.shape()));
  const int64_t m = a.size(-2), k = a.size(-1), n = b.size(-1);
  real* out = y.write();
  for (int64_t i = 0; i < y.numel(); ++i) {
    const int64_t batch = i / (m * n), row = i / n % m, col = i % n;
    for (int64_t j = 0; j < k; ++j)
      out[i] += a.data()[(a.rank() > 2 ? batch * m * k : 0) + row * k + j] *
                b.data()[(b.rank() > 2 ? batch * k * n : 0) + j * n + col];
  }
  return y;
}
}  // namespace
#endif
OP_ROW(matmul,
       {.samples =
            [](Rng& rng) {
              const auto apply = [](std::span<const Var> in) { return matmul(in[0], in[1]); };
              const auto reference = [](std::span<const Tensor> in) { return naive_matmul(in[0], in[1]); };
              std::vector<OpSample> samples;
              for (const auto& [a, b] : {std::pair<Shape, Shape>{{5, 3}, {3, 4}},
                                         {{2, 3, 5}, {2, 5, 4}},
                                         {{2, 3, 5}, {5, 4}},
                                         {{3, 5}, {2, 5, 4}},
                                         {{1, 1}, {1, 1}},
                                         {{4, 0}, {0, 2}},
                                         {{0, 4}, {4, 2}}})
                samples.push_back({{Tensor::normal(a, rng), Tensor::normal(b, rng)}, apply, reference});
              samples.push_back({{Tensor::normal({2, 5, 3}, rng), Tensor::normal({2, 4, 5}, rng)},
                                 [](std::span<const Var> in) { return matmul(transpose(in[0]), transpose(in[1])); },
                                 [](std::span<const Tensor> in) {
                                   return naive_matmul(in[0].transpose().contiguous(), in[1].transpose().contiguous());
                                 }});
              samples.push_back({{Tensor::normal({300, 64}, rng), Tensor::normal({64, 300}, rng)}, apply});
              return samples;
            },
        .errors = {{[] {
                      matmul(Var(Tensor::zeros({3, 4})), Tensor::zeros({5, 6}));
                    },
                    "matmul: inner sizes differ: [3, 4] x [5, 6]"},
                   {[] {
                      matmul(Var(Tensor::zeros({2, 3, 4})), Tensor::zeros({3, 4, 6}));
                    },
                    "matmul: batch axes differ"},
                   {[] {
                      matmul(Var(Tensor::zeros({4})), Tensor::zeros({4, 6}));
                    },
                    "matmul: needs matrices"}}});

// y = a bᵀ:  da = g b,  db = gᵀ a. Saves a and b.
Var matmul_transposed(const Var& a, const Var& b) {
  check_inputs("matmul_transposed", {a, b});
  check(a.rank() >= 2 && b.rank() >= 2, "matmul_transposed: needs matrices: {} x {}", a.shape(), b.shape());
  return record("matmul_transposed", matmul(a.value(), b.value().transpose()), {a, b},
                [saved_a = Saved(a), saved_b = Saved(b)](const Tensor& g, Sink in) {
                  const Tensor &ta = *saved_a, &tb = *saved_b;
                  if (in.needs(0)) {
                    auto [da, add] = in.out(0);
                    matmul_into(da, g, tb, add);
                  }
                  if (in.needs(1)) {
                    auto [db, add] = in.out(1);
                    matmul_into(db, g.transpose(), ta, add);
                  }
                });
}
OP_ROW(matmul_transposed,
       {.samples =
            [](Rng& rng) {
              std::vector<OpSample> samples;
              for (const auto& [a, b] : {std::pair<Shape, Shape>{{5, 3}, {4, 3}},
                                         {{2, 3, 5}, {2, 4, 5}},
                                         {{2, 3, 5}, {4, 5}},
                                         {{3, 5}, {2, 4, 5}},
                                         {{1, 1}, {1, 1}},
                                         {{0, 4}, {2, 4}}})
                samples.push_back(
                    {{Tensor::normal(a, rng), Tensor::normal(b, rng)},
                     [](std::span<const Var> in) { return matmul_transposed(in[0], in[1]); },
                     [](std::span<const Tensor> in) { return naive_matmul(in[0], in[1].transpose().contiguous()); }});
              return samples;
            },
        .errors = {{[] {
                      matmul_transposed(Tensor::zeros({3, 4}), Tensor::zeros({5, 6}));
                    },
                    "matmul: inner sizes differ: [3, 4] x [6, 5]"},
                   {[] {
                      matmul_transposed(Tensor::zeros({3, 4}), Tensor::zeros({4}));
                    },
                    "matmul_transposed: needs matrices"}}});

// y = x Wᵀ + b:  dx = g W,  dW = gᵀ x,  db = Σ g. Saves x and W.
Var linear(const Var& x, const Var& weight, const Var& bias) {
  check_inputs("linear", {x, weight});
  check(weight.rank() == 2 && x.rank() >= 1 && x.size(-1) == weight.size(1), "linear: input {} for a weight {}",
        x.shape(), weight.shape());
  const int64_t rows = x.shape().rows(), in_width = weight.size(1), out_width = weight.size(0);
  check(!bias.defined() || bias.shape() == Shape{out_width}, "linear: bias {} for a weight {}", bias.shape(),
        weight.shape());
  const Tensor flat = x.value().reshape({rows, in_width});
  Tensor y = Tensor::empty({rows, out_width});
  const bool with_bias = bias.defined();
  if (with_bias) {
    const Tensor b = bias.value().contiguous();
    real* out = y.write();
    for (int64_t r = 0; r < rows; ++r) std::copy_n(b.data(), out_width, out + r * out_width);
  }
  matmul_into(y, flat, weight.value().transpose(), with_bias);
  return record(
      "linear", y.reshape(x.shape().leading().with(out_width)), {x, weight, bias},
      [saved_x = Saved(flat), saved_w = Saved(weight), rows, in_width, out_width](const Tensor& upstream, Sink in) {
        const Tensor &tx = *saved_x, &tw = *saved_w, g = upstream.reshape({rows, out_width});
        if (in.needs(0)) {
          auto [dx, add] = in.out(0);
          Tensor view = dx.reshape({rows, in_width});
          matmul_into(view, g, tw, add);
        }
        if (in.needs(1)) {
          auto [dw, add] = in.out(1);
          matmul_into(dw, g.transpose(), tx, add);
        }
        if (in.needs(2)) in.add(2, g);
      });
}
OP_ROW(linear, {.samples =
                    [](Rng& rng) {
                      std::vector<OpSample> samples;
                      for (const Shape& x : {Shape{2, 3, 6}, Shape{4, 6}, Shape{6}, Shape{0, 6}})
                        samples.push_back(
                            {{Tensor::normal(x, rng), Tensor::normal({5, 6}, rng), Tensor::normal({5}, rng)},
                             [](std::span<const Var> in) { return linear(in[0], in[1], in[2]); },
                             [](std::span<const Tensor> in) {
                               const Tensor y = naive_matmul(in[0].reshape({-1, 6}), in[1].transpose().contiguous());
                               return binary("add", Binary::add, y, in[2]).reshape(in[0].shape().leading().with(5));
                             }});
                      samples.push_back({{Tensor::normal({3, 6}, rng), Tensor::normal({5, 6}, rng)},
                                         [](std::span<const Var> in) { return linear(in[0], in[1]); }});
                      return samples;
                    },
                .errors = {{[] {
                              linear(Tensor::zeros({2, 3}), Tensor::zeros({5, 4}));
                            },
                            "linear: input [2, 3] for a weight [5, 4]"},
                           {[] {
                              linear(Tensor::zeros({2, 4}), Tensor::zeros({5, 4}), Tensor::zeros({4}));
                            },
                            "linear: bias [4] for a weight [5, 4]"}},
                .optional = {2}});

}  // namespace seminar::inline SEMINAR_PRECISION
