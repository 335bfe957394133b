// Ops that choose between numbers: where, clamp, the largest and least along an axis; and comparisons, which give
// masks.
#include <cmath>

#include "autograd/op_row.h"
#include "autograd/ops.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

template <class F>
Tensor compare(const char* name, const Var& a, const Var& b, F f) {
  check_inputs(name, {a, b});
  const Shape shape = broadcast_shape(name, a.shape(), b.shape());
  return map_elements(
      [f](int64_t n, real* y, const real* u, const real* v) {
        for (int64_t i = 0; i < n; ++i) y[i] = f(u[i], v[i]) ? 1 : 0;
      },
      expanded(a.value(), shape), expanded(b.value(), shape));
}

// y = max over the axis of s x, times s: the largest for s = 1, the least for s = -1. NaN wins. dx = g at the first
// place that has y. Saves the places.
Var extreme(const char* name, const Var& x, int axis, real s) {
  check_inputs(name, {x});
  axis = normal_axis(name, axis, x.rank());
  const AxisSplit split = split_at(x.shape(), axis);
  check(split.size > 0, "{}: of no elements: shape {}, axis {}", name, x.shape(), axis);
  Shape shape;
  for (int a = 0; a < x.rank(); ++a)
    if (a != axis) shape.push_back(x.size(a));
  const Tensor source = x.value().contiguous();
  Tensor y = Tensor::empty(shape);
  std::vector<int64_t> places(static_cast<std::size_t>(y.numel()));
  parallel_for(y.numel(), row_grain(split.size), [&, to = y.write(), px = source.data()](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i / split.inner * split.size * split.inner + i % split.inner;
      int64_t best = first;
      for (int64_t k = 0, place = first; k < split.size; ++k, place += split.inner)
        if (!std::isnan(px[best]) && (s * px[place] > s * px[best] || std::isnan(px[place]))) best = place;
      places[static_cast<std::size_t>(i)] = best;
      to[i] = px[best];
    }
  });
  return record(name, y, {x}, [places = std::move(places)](const Tensor& g, Sink in) {
    real* dx = in.acc(0).write();
    for (int64_t i = 0; i < g.numel(); ++i) dx[places[static_cast<std::size_t>(i)]] += g.data()[i];
  });
}

#ifdef SEMINAR_OP_ROWS
OpRow extreme_row(Var (*op)(const Var&, int), real s) {
  return {
      .samples =
          [=](Rng& rng) {
            std::vector<OpSample> samples;
            for (int axis : {0, 1, -1})
              samples.push_back(one_input(Tensor::normal({3, 4, 5}, rng), [=](const Var& x) { return op(x, axis); }));
            samples.push_back(one_input(
                Tensor::normal({4, 6}, rng), [=](const Var& x) { return op(x, 1); },
                [=](const Tensor& x) {
                  return tabulate({4}, [&](int64_t r) {
                    real y = x.at({r, 0});
                    for (int64_t i = 1; i < 6; ++i) y = s * x.at({r, i}) > s * y ? x.at({r, i}) : y;
                    return y;
                  });
                }));
            samples.push_back(one_input(Tensor::normal({0, 3}, rng), [=](const Var& x) { return op(x, 1); }));
            return samples;
          },
      .errors = {{[=] {
                    op(Tensor::zeros({2, 0}), 1);
                  },
                  "of no elements: shape [2, 0], axis 1"},
                 {[=] { op(Tensor::zeros({2}), 1); }, "axis 1 of a tensor with 1 axes"}}};
}
#endif

}  // namespace

Tensor greater(const Var& a, const Var& b) {
  return compare("greater", a, b, [](real u, real v) { return u > v; });
}
Tensor greater_equal(const Var& a, const Var& b) {
  return compare("greater_equal", a, b, [](real u, real v) { return u >= v; });
}
Tensor equal(const Var& a, const Var& b) {
  return compare("equal", a, b, [](real u, real v) { return u == v; });
}

// y = a where the mask is not 0, else b:  da = g where the mask is not 0, db = g elsewhere. Saves the mask.
Var where(const Tensor& mask, const Var& a, const Var& b) {
  check(mask.defined(), "where: the mask is undefined");
  check_inputs("where", {a, b});
  const Shape shape = broadcast_shape("where", broadcast_shape("where", a.shape(), b.shape()), mask.shape());
  const Tensor m = expanded(mask, shape);
  const Tensor y = map_elements(
      [](int64_t n, real* to, const real* keep, const real* u, const real* v) {
        for (int64_t i = 0; i < n; ++i) to[i] = keep[i] != 0 ? u[i] : v[i];
      },
      m, expanded(a.value(), shape), expanded(b.value(), shape));
  return record("where", y, {a, b}, [saved = Saved(m)](const Tensor& g, Sink in) {
    const Tensor& kept = *saved;
    for (const int input : {0, 1})
      if (in.needs(input))
        in.add(input, map_elements(
                          [input](int64_t n, real* to, const real* keep, const real* gi) {
                            for (int64_t i = 0; i < n; ++i) to[i] = (keep[i] != 0) == (input == 0) ? gi[i] : 0;
                          },
                          kept, g));
  });
}
OP_ROW(where,
       {.samples =
            [](Rng& rng) {
              const Tensor mask = Tensor::from({3}, {1, 0, 1});
              const auto apply = [mask](std::span<const Var> in) { return where(mask, in[0], in[1]); };
              return std::vector<OpSample>{{{Tensor::normal({2, 3}, rng), Tensor::normal({2, 3}, rng)},
                                            apply,
                                            [mask](std::span<const Tensor> in) {
                                              return tabulate({2, 3}, [&](int64_t i) {
                                                return mask.data()[i % 3] != 0 ? in[0].data()[i] : in[1].data()[i];
                                              });
                                            }},
                                           {{Tensor::normal({3}, rng), Tensor::normal({2, 1}, rng)}, apply},
                                           {{Tensor::normal({0, 3}, rng), Tensor::normal({3}, rng)}, apply}};
            },
        .errors = {{[] { where(Tensor::zeros({2}), Tensor::zeros({3}), Tensor::zeros({3})); },
                    "where: shapes do not broadcast: [3] and [2]"},
                   {[] { where({}, Tensor::zeros({3}), Tensor::zeros({3})); }, "where: the mask is undefined"}}});

Var maximum(const Var& a, const Var& b) {
  check_inputs("maximum", {a, b});
  return where(compare("maximum", a, b, [](real u, real v) { return u >= v || std::isnan(u); }), a, b);
}
Var minimum(const Var& a, const Var& b) {
  check_inputs("minimum", {a, b});
  return where(compare("minimum", a, b, [](real u, real v) { return u <= v || std::isnan(u); }), a, b);
}

// y = x, but at least `low` and at most `high`:  dx = g where low ≤ x ≤ high. Saves x.
Var clamp(const Var& x, double low, double high) {
  check_inputs("clamp", {x});
  check(low <= high, "clamp: low {} is above high {}", low, high);
  const real lowest = static_cast<real>(low), highest = static_cast<real>(high);
  const Tensor source = x.value().contiguous();
  const Tensor y = map_elements(
      [=](int64_t n, real* to, const real* from) {
        for (int64_t i = 0; i < n; ++i) to[i] = from[i] < lowest ? lowest : from[i] > highest ? highest : from[i];
      },
      source);
  return record("clamp", y, {x}, [saved = Saved(source), lowest, highest](const Tensor& g, Sink in) {
    const Tensor& px = *saved;
    update_elements(
        in.acc(0),
        [=](int64_t n, real* dx, const real* gi, const real* xi) {
          for (int64_t i = 0; i < n; ++i) dx[i] += xi[i] < lowest || xi[i] > highest ? 0 : gi[i];
        },
        g, px);
  });
}
OP_ROW(clamp, {.samples =
                   [](Rng& rng) {
                     std::vector<OpSample> samples;
                     for (const Shape& shape : {Shape{3, 5}, Shape{1}, Shape{0}})
                       samples.push_back(one_input(
                           Tensor::uniform(shape, rng, -3, 3), [](const Var& x) { return clamp(x, -1, 0.5); },
                           [](const Tensor& x) {
                             return tabulate(x.shape(), [&](int64_t i) {
                               return std::min(std::max(x.data()[i], real{-1}), real{0.5});
                             });
                           }));
                     return samples;
                   },
               .errors = {{[] { clamp(Tensor::zeros({2}), 1, 0); }, "clamp: low 1 is above high 0"}}});

Var max(const Var& x, int axis) { return extreme("max", x, axis, 1); }
OP_ROW(max, (extreme_row(max, 1)));
Var min(const Var& x, int axis) { return extreme("min", x, axis, -1); }
OP_ROW(min, (extreme_row(min, -1)));

Var max(const Var& x) {
  check_inputs("max", {x});
  return max(reshape(x, {-1}), 0);
}
Var min(const Var& x) {
  check_inputs("min", {x});
  return min(reshape(x, {-1}), 0);
}

}  // namespace seminar::inline SEMINAR_PRECISION
