// Chapter 2: ops write down how gradients flow back; backward() reads it in reverse (docs/tour/2-autograd.md).
#include <fmt/core.h>

#include <cmath>

#include "autograd/debug.h"
#include "autograd/ops.h"

int main() {
  using namespace seminar;
  // c = (a + a)²: a is used twice, and so is b.
  const Var a = Var::leaf(Tensor::scalar(3));
  {
    const Var b = a + a, c = b * b;
    fmt::print("c = {}, made of {} nodes\n{}\n", c.value().item(), Node::alive(), graph_dot(c));
    backward(c);
    fmt::print("dc/da = {}, by hand 8 a = 24\n", a.grad().item());
  }
  fmt::print("nodes left when b and c are gone: {}, the leaf\n\n", Node::alive());

  // loss = -log softmax(x)[2] by three ways: the engine, the formula p - onehot, and differences.
  const Tensor start = Tensor::from({1, 3}, {1, 2, 3});
  const Var x = Var::leaf(start);
  const auto loss = [](const Var& v) { return cross_entropy(v, Ids({2})); };
  const Var l = loss(x);
  backward(l);
  const Tensor p = softmax(start).value();
  fmt::print("loss {:.4f}\nengine      {:8.4f} {:8.4f} {:8.4f}\n", l.value().item(), x.grad().at({0, 0}),
             x.grad().at({0, 1}), x.grad().at({0, 2}));
  fmt::print("p - onehot  {:8.4f} {:8.4f} {:8.4f}\ndifferences ", p.at({0, 0}), p.at({0, 1}), p.at({0, 2}) - 1);
  for (int i = 0; i < 3; ++i) {
    const auto moved = [&](real by) {
      Tensor t = start.clone();
      t.write()[i] += by;
      return static_cast<double>(loss(t).value().item());
    };
    const real step = 1.0F / 64;
    fmt::print("{:8.2f}{}", (moved(step) - moved(-step)) / (2 * static_cast<double>(step)), i < 2 ? " " : "\n\n");
  }

  // Softmax alone under an upstream of ones: its rows sum to 1 whatever x is, so nothing can flow back.
  const Var y = Var::leaf(start);
  backward(softmax(y), Tensor::full({1, 3}, 1));
  real largest = 0;
  for (const real g : y.grad().to_vector()) largest = std::max(largest, std::abs(g));
  fmt::print("gradient of Σ softmax(x): {}\n", largest < 1e-6 ? "zero" : "not zero");

  // What backward had saved must not change under it.
  Var v = Var::leaf(Tensor::from({2}, {1, 2}));
  const Var square = sum(v * v);
  v.mutable_value().write()[0] = 5;
  try {
    backward(square);
  } catch (const Error& e) {
    fmt::print("{}\n", e.what());
  }
}
