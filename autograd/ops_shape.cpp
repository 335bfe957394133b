// Ops that move numbers or sum them, without changing them one by one.
#include <algorithm>

#include "autograd/op_row.h"
#include "autograd/ops.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// Copies the part [begin, end) of `axis` between a whole tensor and a part of it.
void copy_part(Tensor& to, const Tensor& from, int axis, int64_t begin, bool into_whole, bool add) {
  const AxisSplit whole = split_at((into_whole ? to : from).shape(), axis);
  const int64_t inner = whole.inner, step_whole = whole.size * inner,
                step_part = (into_whole ? from : to).size(axis) * inner;
  real* y = to.write();
  const real* x = from.data();
  for (int64_t o = 0; o < whole.outer; ++o) {
    real* yo = y + (into_whole ? o * step_whole + begin * inner : o * step_part);
    const real* xo = x + (into_whole ? o * step_part : o * step_whole + begin * inner);
    if (add)
      kernels().axpy(step_part, 1, xo, yo);
    else
      std::copy_n(xo, step_part, yo);
  }
}

}  // namespace

Var reshape(const Var& x, const Shape& shape) {
  check_inputs("reshape", {x});
  return record("reshape", x.value().reshape(shape), {x},
                [before = x.shape()](const Tensor& g, Sink in) { in.add(0, g.reshape(before)); });
}
OP_ROW(reshape, {.samples =
                     [](Rng& rng) {
                       const auto f = [](const Var& x) { return reshape(x, {-1, 6}); };
                       return std::vector<OpSample>{
                           one_input(Tensor::normal({3, 4, 2}, rng), f,
                                     [](const Tensor& x) {
                                       return tabulate({4, 6}, [&](int64_t i) { return x.data()[i]; });
                                     }),
                           one_input(Tensor::normal({0, 3}, rng), f)};
                     },
                 .errors = {{[] { reshape(Tensor::zeros({4}), {3}); }, "reshape: [4] does not fit [3]"},
                            {[] {
                               reshape(Tensor::zeros({4}), {-1, -1});
                             },
                             "reshape: more than one -1"},
                            {[] {
                               reshape(Tensor::zeros({4}), {-2, -2});
                             },
                             "reshape: negative size: [-2, -2]"},
                            {[] {
                               reshape(Tensor::zeros({0}), {int64_t{1} << 40, int64_t{1} << 40, 0});
                             },
                             "reshape: too large"}}});

Var slice(const Var& x, int axis, int64_t begin, int64_t end) {
  check_inputs("slice", {x});
  axis = normal_axis("slice", axis, x.rank());
  return record("slice", x.value().slice(axis, begin, end).contiguous(), {x},
                [axis, begin](const Tensor& g, Sink in) { copy_part(in.acc(0), g, axis, begin, true, true); });
}
OP_ROW(slice,
       {.samples =
            [](Rng& rng) {
              return std::vector<OpSample>{
                  one_input(
                      Tensor::normal({3, 5, 2}, rng), [](const Var& x) { return slice(x, 1, 1, 4); },
                      [](const Tensor& x) {
                        return tabulate({3, 3, 2}, [&](int64_t i) { return x.at({i / 6, 1 + i / 2 % 3, i % 2}); });
                      }),
                  one_input(Tensor::normal({4}, rng), [](const Var& x) { return slice(x, -1, 2, 2); })};
            },
        .errors = {{[] { slice(Tensor::zeros({4}), 0, 3, 5); }, "slice: [3, 5) outside axis 0 of [4]"},
                   {[] { slice(Tensor::zeros({4}), 1, 0, 1); }, "slice: axis 1 of a tensor with 1 axes"}}});

Var transpose(const Var& x) {
  check_inputs("transpose", {x});
  return record("transpose", x.value().transpose(), {x}, [](const Tensor& g, Sink in) { in.add(0, g.transpose()); });
}
OP_ROW(transpose,
       {.samples =
            [](Rng& rng) {
              return std::vector<OpSample>{
                  one_input(
                      Tensor::normal({2, 3, 4}, rng), [](const Var& x) { return transpose(x); },
                      [](const Tensor& x) {
                        return tabulate({2, 4, 3}, [&](int64_t i) { return x.at({i / 12, i % 3, i / 3 % 4}); });
                      }),
                  one_input(Tensor::normal({0, 2}, rng), [](const Var& x) { return transpose(x); })};
            },
        .errors = {{[] { transpose(Tensor::zeros({4})); }, "transpose: needs two axes, not shape [4]"}}});

Var swap_axes(const Var& x, int a, int b) {
  check_inputs("swap_axes", {x});
  return record("swap_axes", x.value().swap_axes(a, b), {x},
                [a, b](const Tensor& g, Sink in) { in.add(0, g.swap_axes(a, b)); });
}
OP_ROW(swap_axes,
       {.samples =
            [](Rng& rng) {
              return std::vector<OpSample>{
                  one_input(
                      Tensor::normal({2, 3, 4}, rng), [](const Var& x) { return swap_axes(x, 0, 1); },
                      [](const Tensor& x) {
                        return tabulate({3, 2, 4}, [&](int64_t i) { return x.at({i / 4 % 2, i / 8, i % 4}); });
                      }),
                  one_input(Tensor::normal({2, 0, 4}, rng), [](const Var& x) { return swap_axes(x, 0, -1); })};
            },
        .errors = {{[] { swap_axes(Tensor::zeros({4}), 0, 1); }, "swap_axes: axis 1 of a tensor with 1 axes"}}});

Var permute(const Var& x, const std::vector<int>& axes) {
  check_inputs("permute", {x});
  std::vector<int> back(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i)
    back[static_cast<std::size_t>(normal_axis("permute", axes[i], static_cast<int>(axes.size())))] =
        static_cast<int>(i);
  return record("permute", x.value().permute(axes), {x},
                [back](const Tensor& g, Sink in) { in.add(0, g.permute(back)); });
}
OP_ROW(permute, {.samples =
                     [](Rng& rng) {
                       return std::vector<OpSample>{
                           one_input(
                               Tensor::normal({2, 3, 4}, rng),
                               [](const Var& x) {
                                 return permute(x, {2, 0, 1});
                               },
                               [](const Tensor& x) {
                                 return tabulate({4, 2, 3}, [&](int64_t i) { return x.at({i / 3 % 2, i % 3, i / 6}); });
                               }),
                           one_input(Tensor::normal({2, 0, 4, 1}, rng), [](const Var& x) {
                             return permute(x, {-1, 1, 0, 2});
                           })};
                     },
                 .errors = {{[] {
                               permute(Tensor::zeros({2, 3}), {0, 0});
                             },
                             "permute: axes [0, 0] of a tensor [2, 3]"},
                            {[] {
                               permute(Tensor::zeros({2, 3}), {0});
                             },
                             "permute: axes [0] of a tensor [2, 3]"}}});

Var expand(const Var& x, const Shape& shape) {
  check_inputs("expand", {x});
  check(broadcasts_to(x.shape(), shape), "expand: {} does not broadcast to {}", x.shape(), shape);
  return record("expand", expanded(x.value(), shape), {x}, [](const Tensor& g, Sink in) { in.add(0, g); });
}
OP_ROW(expand, {.samples =
                    [](Rng& rng) {
                      return std::vector<OpSample>{
                          one_input(
                              Tensor::normal({3, 1}, rng),
                              [](const Var& x) {
                                return expand(x, {2, 3, 4});
                              },
                              [](const Tensor& x) {
                                return tabulate({2, 3, 4}, [&](int64_t i) { return x.data()[i / 4 % 3]; });
                              }),
                          one_input(Tensor::normal({}, rng), [](const Var& x) {
                            return expand(x, {0, 2});
                          })};
                    },
                .errors = {{[] {
                              expand(Tensor::zeros({3}), {3, 4});
                            },
                            "expand: [3] does not broadcast to [3, 4]"}}});

Var unsqueeze(const Var& x, int axis) {
  check_inputs("unsqueeze", {x});
  axis = normal_axis("unsqueeze", axis, x.rank() + 1);
  Shape shape;
  for (int a = 0; a <= x.rank(); ++a) shape.push_back(a == axis ? 1 : x.size(a < axis ? a : a - 1));
  return reshape(x, shape);
}

Var squeeze(const Var& x, int axis) {
  check_inputs("squeeze", {x});
  axis = normal_axis("squeeze", axis, x.rank());
  check(x.size(axis) == 1, "squeeze: axis {} of {} has not size 1", axis, x.shape());
  Shape shape;
  for (int a = 0; a < x.rank(); ++a)
    if (a != axis) shape.push_back(x.size(a));
  return reshape(x, shape);
}

Var stack(std::span<const Var> parts, int axis) {
  check(!parts.empty(), "stack: nothing to stack");
  check_inputs("stack", std::vector<VarRef>(parts.begin(), parts.end()));
  std::vector<Var> layers;
  for (const Var& part : parts) {
    check(part.shape() == parts[0].shape(), "stack: shapes differ: {} and {}", parts[0].shape(), part.shape());
    layers.push_back(unsqueeze(part, axis));
  }
  return concat(layers, axis);
}

std::vector<Var> split(const Var& x, int64_t size, int axis) {
  check_inputs("split", {x});
  axis = normal_axis("split", axis, x.rank());
  check(size >= 1, "split: the size of a part must be at least 1: {}", size);
  std::vector<Var> parts;
  for (int64_t begin = 0; begin < x.size(axis); begin += size)
    parts.push_back(slice(x, axis, begin, std::min(begin + size, x.size(axis))));
  return parts;
}

Var concat(std::span<const Var> parts, int axis) {
  check(!parts.empty(), "concat: nothing to concatenate");
  check_inputs("concat", std::vector<VarRef>(parts.begin(), parts.end()));
  Shape shape = parts[0].shape();
  axis = normal_axis("concat", axis, shape.rank());
  std::vector<int64_t> begins;
  int64_t total = 0;
  for (const Var& p : parts) {
    Shape same = p.shape();
    if (same.rank() == shape.rank()) same[axis] = shape[axis];
    check(same == shape, "concat: shapes differ outside axis {}: {} and {}", axis, parts[0].shape(), p.shape());
    begins.push_back(total);
    total += p.size(axis);
  }
  shape[axis] = total;
  Tensor y = Tensor::empty(shape);
  for (std::size_t i = 0; i < parts.size(); ++i)
    copy_part(y, parts[i].value().contiguous(), axis, begins[i], true, false);
  return record("concat", y, parts, [axis, begins](const Tensor& g, Sink in) {
    for (std::size_t i = 0; i < begins.size(); ++i) {
      const int input = static_cast<int>(i);
      if (in.needs(input)) copy_part(in.acc(input), g, axis, begins[i], false, true);
    }
  });
}
OP_ROW(concat, {.samples =
                    [](Rng& rng) {
                      const auto last = [](std::span<const Var> in) { return concat({in[0], in[1], in[0]}, -1); };
                      return std::vector<OpSample>{{{Tensor::normal({3, 4}, rng), Tensor::normal({3, 2}, rng)},
                                                    last,
                                                    [](std::span<const Tensor> in) {
                                                      return tabulate({3, 10}, [&](int64_t i) {
                                                        const int64_t c = i % 10;
                                                        return c < 4   ? in[0].at({i / 10, c})
                                                               : c < 6 ? in[1].at({i / 10, c - 4})
                                                                       : in[0].at({i / 10, c - 6});
                                                      });
                                                    }},
                                                   {{Tensor::normal({2, 1, 3}, rng), Tensor::normal({2, 4, 3}, rng)},
                                                    [](std::span<const Var> in) { return concat(in, 1); }},
                                                   {{Tensor::normal({0, 3}, rng), Tensor::normal({2, 3}, rng)},
                                                    [](std::span<const Var> in) { return concat(in, 0); }}};
                    },
                .errors = {{[] {
                              concat({Tensor::zeros({2, 3}), Tensor::zeros({3, 3})}, 1);
                            },
                            "concat: shapes differ outside axis 1: [2, 3] and [3, 3]"},
                           {[] { concat(std::span<const Var>(), 0); }, "concat: nothing"}}});

Var sum(const Var& x) {
  check_inputs("sum", {x});
  return record("sum", Tensor::scalar(sum_all(x.value())), {x},
                [shape = x.shape()](const Tensor& g, Sink in) { in.add(0, Tensor::full(shape, g.item())); });
}

Var sum(const Var& x, int axis) {
  check_inputs("sum", {x});
  Tensor kept = sum_axis(x.value(), axis);
  Shape shape;
  for (int a = 0; a < x.rank(); ++a)
    if (a != normal_axis("sum", axis, x.rank())) shape.push_back(x.size(a));
  return record("sum", kept.reshape(shape), {x}, [kept = kept.shape(), before = x.shape()](const Tensor& g, Sink in) {
    in.add(0, expanded(g.reshape(kept), before));
  });
}
OP_ROW(sum, {.samples =
                 [](Rng& rng) {
                   std::vector<OpSample> samples;
                   for (const Shape& shape : {Shape{3, 4, 5}, Shape{1}, Shape{2, 0}, Shape{40, 1}})
                     samples.push_back(one_input(Tensor::normal(shape, rng), [](const Var& x) { return sum(x); }));
                   for (int axis : {0, 1, -1})
                     samples.push_back(
                         one_input(Tensor::normal({3, 4, 5}, rng), [axis](const Var& x) { return sum(x, axis); }));
                   samples.push_back(one_input(
                       Tensor::normal({2, 3}, rng), [](const Var& x) { return sum(x, 1); },
                       [](const Tensor& x) {
                         return tabulate({2}, [&](int64_t i) { return x.at({i, 0}) + x.at({i, 1}) + x.at({i, 2}); });
                       }));
                   samples.push_back(one_input(Tensor::normal({3000, 2}, rng), [](const Var& x) { return sum(x, 0); }));
                   return samples;
                 },
             .errors = {{[] { sum(Tensor::zeros({4}), 1); }, "sum: axis 1 of a tensor with 1 axes"}}});

Var mean(const Var& x) {
  check_inputs("mean", {x});
  check(x.value().numel() > 0, "mean: of no elements: shape {}", x.shape());
  return scale(sum(x), static_cast<real>(1.0 / static_cast<double>(x.value().numel())));
}

Var mean(const Var& x, int axis) {
  check_inputs("mean", {x});
  const int64_t n = x.size(normal_axis("mean", axis, x.rank()));
  check(n > 0, "mean: of no elements: shape {}, axis {}", x.shape(), axis);
  return scale(sum(x, axis), static_cast<real>(1.0 / static_cast<double>(n)));
}

}  // namespace seminar::inline SEMINAR_PRECISION
