// Ops on single elements.
#include <cmath>

#include "autograd/op_row.h"
#include "autograd/ops.h"
#include "tensor/parallel.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t grain = 16384;

Tensor negated(const Tensor& g) { return binary("mul", Binary::mul, g, Tensor::scalar(-1)); }

// y = f(x), dx = g f'(x). Saves x and y: each function's derivative takes the cheaper one.
Var unary(const char* name, Unary op, const Var& input) {
  const Tensor x = input.value().contiguous();
  Tensor y = Tensor::empty(x.shape());
  parallel_for(x.numel(), grain, [op, py = y.write(), px = x.data()](int64_t begin, int64_t end) {
    kernels().unary(op, end - begin, py + begin, px + begin);
  });
  return record(name, y, {input}, [op, x = Saved(x), y = Saved(y)](const Tensor& g, Sink in) {
    real* dx = in.acc(0).write();
    const real *px = x->data(), *py = y->data(), *pg = g.data();
    parallel_for(g.numel(), grain, [&](int64_t begin, int64_t end) {
      kernels().unary_grad(op, end - begin, dx + begin, pg + begin, px + begin, py + begin);
    });
  });
}

#ifdef SEMINAR_OP_ROWS
using BinaryOp = Var (*)(const Var&, const Var&);
using UnaryOp = Var (*)(const Var&);

OpRow binary_row(BinaryOp op, std::function<real(real, real)> f, const char* name) {
  return {.samples =
              [=](Rng& rng) {
                std::vector<OpSample> samples;
                const auto apply = [=](std::span<const Var> in) { return op(in[0], in[1]); };
                const auto both = [&](const Shape& a, const Shape& b) {
                  samples.push_back({{Tensor::normal(a, rng), Tensor::uniform(b, rng, 0.5, 2)}, apply});
                };
                both({3, 4, 5}, {5});
                both({3, 4, 5}, {3, 1, 5});
                both({2, 1, 3}, {4, 1});
                both({}, {2, 3});
                both({1}, {1});
                both({0, 3}, {3});
                samples.push_back(
                    {{Tensor::normal({4, 7}, rng, 80), Tensor::uniform({4, 7}, rng, 1, 80)},
                     apply,
                     [=](std::span<const Tensor> in) {
                       return tabulate({4, 7}, [&](int64_t i) { return f(in[0].data()[i], in[1].data()[i]); });
                     }});
                return samples;
              },
          .errors = {{[=] {
                        op(Tensor::zeros({2, 3}), Tensor::zeros({4}));
                      },
                      fmt::format("{}: shapes do not broadcast: [2, 3] and [4]", name)}}};
}

OpRow unary_row(UnaryOp op, std::function<real(real)> f, double low, double high) {
  return {.samples =
              [=](Rng& rng) {
                std::vector<OpSample> samples;
                for (const Shape& shape : {Shape{5, 19}, Shape{1}, Shape{0}, Shape{}, Shape{2, grain - 5}})
                  samples.push_back({{Tensor::uniform(shape, rng, low, high)},
                                     [=](std::span<const Var> in) { return op(in[0]); },
                                     [=](std::span<const Tensor> in) {
                                       return tabulate(in[0].shape(), [&](int64_t i) { return f(in[0].data()[i]); });
                                     }});
                return samples;
              },
          .errors = {}};
}
#endif

}  // namespace

Var add(const Var& a, const Var& b) {  // da = g, db = g
  return record("add", binary("add", Binary::add, a.value(), b.value()), {a, b}, [](const Tensor& g, Sink in) {
    in.add(0, g);
    in.add(1, g);
  });
}
OP_ROW(add, (binary_row(
                add, [](real u, real v) { return u + v; }, "add")));

Var sub(const Var& a, const Var& b) {  // da = g, db = -g
  return record("sub", binary("sub", Binary::sub, a.value(), b.value()), {a, b}, [](const Tensor& g, Sink in) {
    in.add(0, g);
    if (in.needs(1)) in.add(1, negated(g));
  });
}
OP_ROW(sub, (binary_row(
                sub, [](real u, real v) { return u - v; }, "sub")));

Var mul(const Var& a, const Var& b) {  // da = g b, db = g a
  return record("mul", binary("mul", Binary::mul, a.value(), b.value()), {a, b},
                [a = Saved(a), b = Saved(b)](const Tensor& g, Sink in) {
                  if (in.needs(0)) in.add(0, binary("mul", Binary::mul, g, *b));
                  if (in.needs(1)) in.add(1, binary("mul", Binary::mul, g, *a));
                });
}
OP_ROW(mul, (binary_row(
                mul, [](real u, real v) { return u * v; }, "mul")));

Var div(const Var& a, const Var& b) {  // da = g / b, db = -g y / b
  Tensor y = binary("div", Binary::div, a.value(), b.value());
  return record("div", y, {a, b}, [b = Saved(b), y = Saved(y)](const Tensor& g, Sink in) {
    const Tensor da = binary("div", Binary::div, g, *b);
    in.add(0, da);
    if (in.needs(1)) in.add(1, negated(binary("mul", Binary::mul, da, *y)));
  });
}
OP_ROW(div, (binary_row(
                div, [](real u, real v) { return u / v; }, "div")));

Var exp(const Var& x) { return unary("exp", Unary::exp, x); }
OP_ROW(exp, (unary_row(
                exp, [](real x) { return std::exp(x); }, -80, 80)));

Var log(const Var& x) { return unary("log", Unary::log, x); }
OP_ROW(log, (unary_row(
                log, [](real x) { return std::log(x); }, 0.05, 80)));

Var tanh(const Var& x) { return unary("tanh", Unary::tanh, x); }
OP_ROW(tanh, (unary_row(
                 tanh, [](real x) { return std::tanh(x); }, -4, 4)));

Var sigmoid(const Var& x) { return unary("sigmoid", Unary::sigmoid, x); }
OP_ROW(sigmoid, (unary_row(
                    sigmoid, [](real x) { return 1 / (1 + std::exp(-x)); }, -80, 80)));

Var relu(const Var& x) { return unary("relu", Unary::relu, x); }
OP_ROW(relu, (unary_row(
                 relu, [](real x) { return x > 0 ? x : 0; }, -80, 80)));

Var gelu(const Var& x) { return unary("gelu", Unary::gelu, x); }
OP_ROW(gelu, (unary_row(
                 gelu, [](real x) { return x * std::erfc(-x / std::sqrt(real{2})) / 2; }, -8, 8)));

Var quick_gelu(const Var& x) { return unary("quick_gelu", Unary::quick_gelu, x); }
OP_ROW(quick_gelu, (unary_row(
                       quick_gelu, [](real x) { return x / (1 + std::exp(real{-1.702} * x)); }, -20, 20)));

Var sqrt(const Var& x) { return unary("sqrt", Unary::sqrt, x); }
OP_ROW(sqrt, (unary_row(
                 sqrt, [](real x) { return std::sqrt(x); }, 0.05, 80)));

Var scale(const Var& x, real s) {  // dx = s g
  return record("scale", binary("scale", Binary::mul, x.value(), Tensor::scalar(s)), {x},
                [s](const Tensor& g, Sink in) { in.add(0, binary("scale", Binary::mul, g, Tensor::scalar(s))); });
}
OP_ROW(scale, (unary_row([](const Var& x) { return scale(x, -2.5); }, [](real x) { return real{-2.5} * x; }, -80, 80)));

Var dropout(const Var& x, double p, Rng rng) {  // dx = g mask, mask ∈ {0, 1 / (1 - p)}; saves the mask
  check(p >= 0 && p < 1, "dropout: the probability must be in [0, 1): {}", p);
  if (p == 0) return x;
  Tensor mask = Tensor::empty(x.shape());
  const real keep = static_cast<real>(1 / (1 - p));
  parallel_for(mask.numel(), grain, [&, m = mask.write()](int64_t begin, int64_t end) {
    Rng block = rng.split(static_cast<uint64_t>(begin));
    for (int64_t i = begin; i < end; ++i) m[i] = block.chance(p) ? 0 : keep;
  });
  return record(
      "dropout", binary("dropout", Binary::mul, x.value(), mask), {x},
      [mask = Saved(mask)](const Tensor& g, Sink in) { in.add(0, binary("dropout", Binary::mul, g, *mask)); });
}
OP_ROW(dropout,
       {.samples =
            [](Rng& rng) {
              return std::vector<OpSample>{
                  {{Tensor::normal({6, 9}, rng)}, [](std::span<const Var> in) { return dropout(in[0], 0.3, Rng(5)); }},
                  {{Tensor::normal({0, 2}, rng)}, [](std::span<const Var> in) { return dropout(in[0], 0.5, Rng(5)); }}};
            },
        .errors = {
            {[] { dropout(Tensor::zeros({2}), 1.0, Rng(1)); }, "dropout: the probability must be in [0, 1): 1"}}});

Var detach(const Var& x) { return x.value(); }

}  // namespace seminar::inline SEMINAR_PRECISION
