// Chapter 1: a tensor is a handle to numbers, an offset and strides (docs/tour/1-tensors.md).
#include <fmt/core.h>

#include "tensor/rows.h"
#include "tensor/tensor.h"

int main() {
  using namespace seminar;
  // A user's history: channel c (query, text, image), behaviour l, component j. Number 100 c + 10 l + j stands there.
  std::vector<real> numbers;
  for (int c = 0; c < 3; ++c)
    for (int l = 0; l < 4; ++l)
      for (int j = 0; j < 2; ++j) numbers.push_back(static_cast<real>(100 * c + 10 * l + j));
  Tensor x = Tensor::from({3, 4, 2}, numbers);

  const auto show = [&](const char* what, const Tensor& t) {
    const bool shared = !x.unique() && t.data() >= x.data() && t.data() < x.data() + x.numel();
    fmt::print("{:<24} shape {:<10} strides {:<10} offset {:>2}  {}\n", what, fmt::format("{}", t.shape()),
               fmt::format("{}", t.strides()), shared ? t.data() - x.data() : 0,
               !shared             ? "a copy"
               : t.is_contiguous() ? "a view, row-major"
                                   : "a view");
  };
  show("x", Tensor(x));
  show("text channel", x.slice(0, 1, 2));
  show("behaviour 2", x.slice(1, 2, 3));
  show("components first", x.transpose());
  show("text, components first", x.slice(0, 1, 2).transpose());
  show("behaviours first", x.swap_axes(0, 1));
  show("x as a matrix", x.reshape({12, 2}));
  show("its transpose, flat", x.transpose().reshape({24}));

  fmt::print("\nx[1, 2, 1] is {}, number 1*8 + 2*2 + 1*1 = {} in memory\n", x.at({1, 2, 1}), 1 * 8 + 2 * 2 + 1 * 1);

  // A view sees what is written to the tensor, a copy does not; the storage counts the writes.
  const Tensor view = x.slice(0, 1, 2), copy = x.clone();
  const int64_t before = x.version();
  x.write()[13] = -1;
  fmt::print("after a write the view has {}, the copy {}; writes counted: {}\n", view.at({0, 2, 1}), copy.at({1, 2, 1}),
             x.version() - before);

  // Broadcasting repeats an axis of size 1; its gradient is the sum over what was repeated (chapter 2).
  const Tensor bias = Tensor::from({2}, {0.5, 0.25}), sum = binary("add", Binary::add, x, bias);
  fmt::print("[3, 4, 2] + [2] = {}; ones of that shape summed back to [2]: {} each\n", sum.shape(),
             sum_to(Tensor::full(sum.shape(), 1), bias.shape()).at({0}));
}
