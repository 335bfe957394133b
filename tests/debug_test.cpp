// What the engine shows: printed tensors, SEMINAR_DEBUG, graphs.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "autograd/debug.h"
#include "autograd/ops.h"
#include "autograd/print.h"
#include "nn/layers.h"
#include "tests/leaf.h"

using namespace seminar;

TEST_SUITE("debug") {
  TEST_CASE("tensors and Vars print as PyTorch shows them") {
    const Tensor t = Tensor::from({2, 2}, {1, 2.5, -0.125, 100000});
    CHECK(to_string(t) == "tensor([[1, 2.5], [-0.125, 1e+05]], shape [2, 2])");
    CHECK(to_string(t.transpose()) == "tensor([[1, -0.125], [2.5, 1e+05]], shape [2, 2])");
    CHECK(fmt::format("{}", Tensor::full({9}, 1)) == "tensor([1, 1, 1, ..., 1, 1, 1], shape [9])");
    CHECK(to_string(Tensor()) == "tensor(undefined)");
    CHECK(to_string(Tensor::zeros({0, 2})) == "tensor([], shape [0, 2])");
    const Var x = leaf({1, 2});
    CHECK(to_string(x) == "tensor([1, 2], shape [2], leaf)");
    CHECK(to_string(sum(x)) == "tensor(3, shape [], grad_fn=sum)");
    x.set_name("w");
    std::ostringstream out;
    out << x << ' ' << Tensor::scalar(4);
    CHECK(out.str() == "tensor([1, 2], shape [2], leaf 'w') tensor(4, shape [])");
  }

  TEST_CASE("SEMINAR_DEBUG tells steps, ops, and stops at the first NaN") {
    std::FILE* out = std::tmpfile();
    REQUIRE(out);
    const auto told = [&] {
      std::string text(static_cast<std::size_t>(std::ftell(out)), ' ');
      std::rewind(out);
      REQUIRE(std::fread(text.data(), 1, text.size(), out) == text.size());
      std::rewind(out);
      return text;
    };
    const Linear layer = build<Linear>(3, 2, Rng(1));
    const Params params = parameters(layer, "tower");
    const auto loss = [&](const Tensor& x) { return sum(log(layer(x))); };
    const Tensor ones = Tensor::full({4, 3}, 1);
    Tensor bias = layer.bias->var().value();
    std::fill_n(bias.write(), 2, real{9});
    set_debug(1, out);
    backward(loss(ones));
    CHECK(told().starts_with("step 1: loss "));
    set_debug(3, out);
    backward(loss(ones));
    const std::string all = told();
    for (const char* part :
         {"forward  linear           [4, 3], [2, 3], [2] -> [4, 2]", "backward log ", "step 1: ", "1 calls"}) {
      CAPTURE(all);
      CHECK(all.find(part) != std::string::npos);
    }
    set_debug(2, out);
    std::fill_n(bias.write(), 2, real{-100});
    CHECK_THROWS_WITH_AS(loss(ones), doctest::Contains("forward: the result of log is"), Error);
    CHECK_THROWS_WITH_AS(
        loss(ones), doctest::Contains("at element 0 of shape [4, 2]; nearest parameters: tower.weight, tower.bias"),
        Error);
    // sqrt(0) = 0 is finite, its gradient 1 / 0 is not.
    const Param zero(Tensor::zeros({2}));
    parameters(zero, "zero");
    const Var root = sum(sqrt(zero.var()));
    CHECK_THROWS_WITH_AS(
        backward(root),
        "backward: the gradient of input 0 of sqrt is inf at element 0 of shape [2]; nearest parameters: zero", Error);
    set_debug(0);
    std::fclose(out);
    CHECK_THROWS_WITH_AS(set_debug(4), "set_debug: the level must be 0, 1, 2 or 3: 4", Error);
  }

  TEST_CASE("the graph of a small model in Graphviz") {
    const Linear layer = build<Linear>(3, 2, Rng(1));
    parameters(layer, "tower");
    CHECK(graph_dot(sum(relu(layer(Tensor::zeros({4, 3}))))) ==
          "digraph autograd {\n  rankdir=BT;\n  node [fontname=\"sans-serif\"];\n"
          "  n0 [label=\"sum\\n[]\"];\n  n1 -> n0;\n  n1 [label=\"relu\\n[4, 2]\"];\n  n2 -> n1;\n"
          "  n2 [label=\"linear\\n[4, 2]\"];\n  n3 -> n2;\n  n4 -> n2;\n"
          "  n3 [label=\"tower.weight\\n[2, 3]\", shape=box];\n  n4 [label=\"tower.bias\\n[2]\", shape=box];\n}\n");
    CHECK(graph_dot(Var(Tensor::scalar(1))).find("n0") == std::string::npos);
  }
}
