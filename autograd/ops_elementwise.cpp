// Ops on single elements.
#include <cmath>

#include "autograd/op_row.h"
#include "autograd/ops.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

Tensor negated(const Tensor& g) { return binary("mul", Binary::mul, g, Tensor::scalar(-1)); }

// y = f(x), dx = g f'(x). Saves x and y: each function's derivative takes the cheaper one.
Var unary(const char* name, Unary op, const Var& input) {
  check_inputs(name, {input});
  const Tensor x = input.value().contiguous();
  const Tensor y = map_elements([op](int64_t n, real* to, const real* from) { kernels().unary(op, n, to, from); }, x);
  return record(name, y, {input}, [op, saved_x = Saved(x), saved_y = Saved(y)](const Tensor& g, Sink in) {
    const Tensor &sx = *saved_x, &sy = *saved_y;
    update_elements(
        in.acc(0),
        [op](int64_t n, real* dx, const real* gi, const real* xi, const real* yi) {
          kernels().unary_grad(op, n, dx, gi, xi, yi);
        },
        g, sx, sy);
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
                for (const Shape& shape : {Shape{5, 19}, Shape{1}, Shape{0}, Shape{}, Shape{2, element_grain - 5}})
                  samples.push_back(one_input(Tensor::uniform(shape, rng, low, high), op, [=](const Tensor& x) {
                    return tabulate(x.shape(), [&](int64_t i) { return f(x.data()[i]); });
                  }));
                return samples;
              },
          .errors = {}};
}
#endif

}  // namespace

Var add(const Var& a, const Var& b) {  // da = g, db = g
  check_inputs("add", {a, b});
  return record("add", binary("add", Binary::add, a.value(), b.value()), {a, b}, [](const Tensor& g, Sink in) {
    in.add(0, g);
    in.add(1, g);
  });
}
OP_ROW(add, (binary_row(
                add, [](real u, real v) { return u + v; }, "add")));

Var sub(const Var& a, const Var& b) {  // da = g, db = -g
  check_inputs("sub", {a, b});
  return record("sub", binary("sub", Binary::sub, a.value(), b.value()), {a, b}, [](const Tensor& g, Sink in) {
    in.add(0, g);
    if (in.needs(1)) in.add(1, negated(g));
  });
}
OP_ROW(sub, (binary_row(
                sub, [](real u, real v) { return u - v; }, "sub")));

Var mul(const Var& a, const Var& b) {  // da = g b, db = g a
  check_inputs("mul", {a, b});
  return record("mul", binary("mul", Binary::mul, a.value(), b.value()), {a, b},
                [a = Saved(a), b = Saved(b)](const Tensor& g, Sink in) {
                  if (in.needs(0)) in.add(0, binary("mul", Binary::mul, g, *b));
                  if (in.needs(1)) in.add(1, binary("mul", Binary::mul, g, *a));
                });
}
OP_ROW(mul, (binary_row(
                mul, [](real u, real v) { return u * v; }, "mul")));

Var div(const Var& a, const Var& b) {  // da = g / b, db = -g y / b
  check_inputs("div", {a, b});
  Tensor y = binary("div", Binary::div, a.value(), b.value());
  return record("div", y, {a, b}, [b = Saved(b), y = Saved(y)](const Tensor& g, Sink in) {
    const Tensor da = binary("div", Binary::div, g, *b);
    in.add(0, da);
    if (in.needs(1)) in.add(1, negated(binary("mul", Binary::mul, da, *y)));
  });
}
OP_ROW(div, (binary_row(
                div, [](real u, real v) { return u / v; }, "div")));

// Every unary function of the list, with its row.
#define UNARY(name, value, slope, reference, low, high)           \
  Var name(const Var& x) { return unary(#name, Unary::name, x); } \
  OP_ROW(name, (unary_row(                                        \
                   name, [](real x) -> real { return reference; }, low, high)));
#include "tensor/unary_functions.h"

Var scale(const Var& x, real s) {  // dx = s g
  check_inputs("scale", {x});
  return record("scale", binary("scale", Binary::mul, x.value(), Tensor::scalar(s)), {x},
                [s](const Tensor& g, Sink in) { in.add(0, binary("scale", Binary::mul, g, Tensor::scalar(s))); });
}
OP_ROW(scale, (unary_row([](const Var& x) { return scale(x, -2.5); }, [](real x) { return real{-2.5} * x; }, -80, 80)));

Var pow(const Var& x, double p) {  // dx = g p x^(p-1). Saves x.
  check_inputs("pow", {x});
  const real exponent = static_cast<real>(p);
  const Tensor source = x.value().contiguous();
  const Tensor y = map_elements(
      [exponent](int64_t n, real* to, const real* from) {
        for (int64_t i = 0; i < n; ++i) to[i] = std::pow(from[i], exponent);
      },
      source);
  return record("pow", y, {x}, [saved = Saved(source), exponent](const Tensor& g, Sink in) {
    const Tensor& px = *saved;
    Tensor& dx = in.acc(0);
    if (exponent == 0) return;
    update_elements(
        dx,
        [exponent](int64_t n, real* to, const real* gi, const real* xi) {
          for (int64_t i = 0; i < n; ++i) to[i] += gi[i] * exponent * std::pow(xi[i], exponent - 1);
        },
        g, px);
  });
}
OP_ROW(pow, {.samples =
                 [](Rng& rng) {
                   std::vector<OpSample> samples;
                   for (const double p : {2.0, -1.5, 0.0, 3.0})
                     samples.push_back(one_input(
                         Tensor::uniform({3, 5}, rng, 0.5, 3), [=](const Var& x) { return pow(x, p); },
                         [=](const Tensor& x) {
                           return tabulate(x.shape(), [&](int64_t i) { return std::exp(p * std::log(x.data()[i])); });
                         }));
                   samples.push_back(one_input(Tensor::normal({7}, rng), [](const Var& x) { return pow(x, 2); }));
                   samples.push_back(one_input(Tensor::zeros({0}), [](const Var& x) { return pow(x, 2); }));
                   return samples;
                 },
             .errors = {}});

Var dropout(const Var& x, double p, Rng rng) {  // dx = g mask, mask ∈ {0, 1 / (1 - p)}; saves the mask
  check_inputs("dropout", {x});
  check(p >= 0 && p < 1, "dropout: the probability must be in [0, 1): {}", p);
  if (p == 0) return x;
  Tensor mask = Tensor::empty(x.shape());
  const real keep = static_cast<real>(1 / (1 - p));
  parallel_for(mask.numel(), element_grain, [&, m = mask.write()](int64_t begin, int64_t end) {
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

Var detach(const Var& x) {
  check_inputs("detach", {x});
  return x.value();
}

}  // namespace seminar::inline SEMINAR_PRECISION
