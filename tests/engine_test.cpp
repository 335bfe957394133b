// The semantics of the engine, one by one.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "autograd/debug.h"
#include "autograd/ops.h"
#include "nn/clip_loss.h"
#include "nn/layers.h"
#include "nn/optim.h"
#include "tensor/parallel.h"
#include "tensor/pool.h"
#include "tests/leaf.h"
#include "tests/temporary_folder.h"

using namespace seminar;

TEST_SUITE("engine") {
  TEST_CASE("a variable used twice gets both gradients: b = a + a, c = b + b") {
    const Var a = leaf({3});
    const Var b = a + a, c = b + b;
    backward(sum(c));
    CHECK(a.grad().item() == 4);
  }

  TEST_CASE("leaves that share a gradient do not disturb each other") {
    const Var a = leaf({1, 2}), b = leaf({3, 4});
    backward(sum(a + b) + sum(mul(a, a)));
    CHECK(a.grad().to_vector() == std::vector<real>{3, 5});
    CHECK(b.grad().to_vector() == std::vector<real>{1, 1});
  }

  TEST_CASE("gradients of several losses add up on the leaves until they are cleared") {
    const Param p(Tensor::from({2}, {1, 2}));
    backward(sum(p.var()));
    backward(sum(scale(p.var(), 2)));
    CHECK(p.var().grad().to_vector() == std::vector<real>{3, 3});
    zero_grad({{"p", p.var()}});
    CHECK(!p.var().grad().defined());
  }

  TEST_CASE("a second backward throws, naming the op") {
    const Var a = leaf({1, 2}), y = sum(mul(a, a));
    backward(y);
    CHECK_THROWS_WITH_AS(
        backward(y), "backward: the graph of 'sum' was freed by an earlier backward(); compute the loss again", Error);
  }

  TEST_CASE("writing to a tensor saved for backward throws, naming op and versions") {
    Var a = leaf({1, 2});
    const Var y = sum(mul(a, a));
    a.mutable_value().write()[0] = 5;
    CHECK_THROWS_WITH_AS(backward(y),
                         "mul: a tensor saved for backward was written to: shape [2], version 2, expected 1; compute a "
                         "new tensor instead",
                         Error);
  }

  TEST_CASE("an aborted backward leaves gradients as they were, and nothing for the next one") {
    const Var a = leaf({1, 2}), b = leaf({3, 4}), table = Var::leaf(Tensor::full({3, 2}, 1), true);
    Var spoilt = Var(Tensor::from({2}, {5, 6}));
    backward(sum(a * b) + sum(embedding(table, Ids({1}))));
    const auto da = a.grad().to_vector(), db = b.grad().to_vector();
    const int64_t alive = Node::alive();
    {
      const Var middle = a * b;
      const Var loss = sum(middle) + sum(matmul(reshape(middle, {1, 2}), reshape(spoilt * b, {2, 1}))) +
                       sum(embedding(table, Ids({2, 0}))) + sum(a * spoilt);
      spoilt.mutable_value().write()[0] = 7;
      CHECK_THROWS_WITH_AS(backward(loss), doctest::Contains("was written to"), Error);
    }
    CHECK(Node::alive() == alive);
    CHECK(a.grad().to_vector() == da);
    CHECK(b.grad().to_vector() == db);
    REQUIRE(table.sparse_grads().size() == 1);
    CHECK(table.sparse_grads()[0].ids[0] == 1);
    a.zero_grad();
    backward(sum(a * b));
    CHECK(a.grad().to_vector() == std::vector<real>{3, 4});
    // Half-summed gradients of nodes that another loss shares do not stay either.
    const Var shared = a * b, fine = sum(shared);
    Var saved = Var::leaf(Tensor::from({2}, {1, 1}));
    const Var bad = sum(mul(saved, saved)) + sum(shared);
    saved.mutable_value().write()[0] = 2;
    CHECK_THROWS_AS(backward(bad), Error);
    CHECK(!saved.grad().defined());
  }

  TEST_CASE("a gradient of the wrong shape is a Bug that names op, input and both shapes") {
    const auto op = [](const Var& x, auto&& hand_on) {
      return record("add", Tensor::zeros({2, 3}), {x, x}, [=](const Tensor& g, Sink in) { hand_on(g, in); });
    };
    const Var x = Var::leaf(Tensor::zeros({2, 3}));
    const Tensor up = Tensor::full({2, 3}, 1);
    for (const Shape& shape : {Shape{3, 2}, Shape{3}, Shape{}, Shape{2, 4}}) {
      const Tensor wrong = Tensor::zeros(shape);
      const std::string message = fmt::format("add: the gradient of input 1 has shape {}, the input [2, 3]", shape);
      CHECK_THROWS_WITH_AS(backward(op(x, [&](const Tensor&, Sink in) { in.add(1, wrong); }), up), message.c_str(),
                           Bug);
      CHECK_THROWS_WITH_AS(backward(op(x, [&](const Tensor&, Sink in) { in.add_scaled(1, 2, wrong); }), up),
                           message.c_str(), Bug);
    }
    CHECK_THROWS_WITH_AS(backward(op(x, [&](const Tensor&, Sink in) { in.add(0, Tensor()); }), up),
                         "add: the gradient of input 0 is undefined", Bug);
    CHECK_THROWS_WITH_AS(backward(op(x, [&](const Tensor& g, Sink in) { in.add(2, g); }), up), "add: input 2 of 2",
                         Bug);
    CHECK_THROWS_WITH_AS(backward(op(x,
                                     [&](const Tensor&, Sink in) {
                                       in.add_sparse(0, Ids({1, 1}), Tensor::zeros({2, 4}));
                                     }),
                                  up),
                         "add: the gradient of input 0 has shape [2, 4], the input [2, 3]", Bug);
    CHECK_THROWS_WITH_AS(backward(op(x,
                                     [&](const Tensor&, Sink in) {
                                       in.add_sparse(0, Ids({2}), Tensor::zeros({1, 3}));
                                     }),
                                  up),
                         doctest::Contains("index 2 outside a table of 2 rows"), Error);
    CHECK(!x.grad().defined());
  }

  TEST_CASE("a leaf's gradient shares storage with nothing") {
    const Var a = leaf({1, 2}), b = leaf({3, 4}), top = leaf({5, 6});
    Tensor upstream = Tensor::full({2}, 1);
    backward(a + b, upstream);
    backward(top, upstream);
    upstream.fill(9);
    Tensor of_a = a.grad();
    of_a.fill(8);
    CHECK(b.grad().to_vector() == std::vector<real>{1, 1});
    CHECK(top.grad().to_vector() == std::vector<real>{1, 1});
    Tensor given = Tensor::full({2}, 4);
    b.set_grad(given);
    given.fill(5);
    CHECK(b.grad().to_vector() == std::vector<real>{4, 4});
    CHECK_THROWS_WITH_AS(b.set_grad(Tensor::zeros({3})), "set_grad: gradient [3] for a leaf [2]", Error);
    CHECK_THROWS_WITH_AS((a + b).grad(), "grad: only leaves have that, not constants or results of ops", Error);
  }

  TEST_CASE("a mask is saved like any other tensor: writing to it before backward throws") {
    Rng rng(1);
    const Var a = Var::leaf(Tensor::normal({2, 3, 4}, rng)), b = Var::leaf(Tensor::normal({2, 3, 4}, rng));
    Tensor mask = Tensor::full({2, 3}, 1);
    const Var loss = clip_loss(a, b, Tensor::scalar(2), 1, mask);
    mask.fill(0);
    CHECK_THROWS_WITH_AS(backward(loss), doctest::Contains("clip_loss: a tensor saved for backward was written to"),
                         Error);
    Tensor target = Tensor::full({2}, 1), weight = Tensor::full({2}, 1);
    for (Tensor* written : {&target, &weight}) {
      const Var bce = bce_with_logits(leaf({1, 2}), target, weight);
      written->fill(1);
      CHECK_THROWS_WITH_AS(backward(bce), doctest::Contains("was written to"), Error);
    }
  }

  TEST_CASE("masks that do not line up are refused") {
    const Var x = Var::leaf(Tensor::zeros({2, 3, 4}));
    CHECK_THROWS_WITH_AS(masked_mean(x, Tensor::zeros({3, 2})), "masked_mean: mask [3, 2] for [2, 3, 4]", Error);
    CHECK_THROWS_WITH_AS(masked_mean(x, Tensor()), "masked_mean: mask [] for [2, 3, 4]", Error);
    CHECK_THROWS_WITH_AS(masked_mean(leaf({1}), Tensor::zeros({1})), "masked_mean: mask [1] for [1]", Error);
    CHECK(masked_mean(x, Tensor::full({2, 3}, 1)).shape() == Shape({2, 4}));
    CHECK_THROWS_AS(softmax(x, Tensor::zeros({3, 4})), Error);
    CHECK_THROWS_AS(softmax(x, Tensor::scalar(1)), Error);
    for (const Shape& shape : {Shape{4}, Shape{2, 4}, Shape{2, 3, 4}})
      CHECK(softmax(x, Tensor::full(shape, 1)).defined());
  }

  TEST_CASE("a parameter without requires_grad gets no gradient and stays, and may learn again") {
    const Param frozen(Tensor::from({2}, {1, 2})), free(Tensor::from({2}, {3, 4}));
    Adam adam({{"frozen", frozen.var()}, {"free", free.var()}}, {});
    frozen.set_requires_grad(false);
    backward(sum(frozen.var() * free.var()));
    CHECK(!frozen.var().grad().defined());
    adam.step();
    CHECK(frozen.var().value().to_vector() == std::vector<real>{1, 2});
    frozen.set_requires_grad(true);
    backward(sum(frozen.var() * free.var()));
    CHECK(frozen.var().grad().defined());
  }

  TEST_CASE("a retained graph runs backward again") {
    const Var a = leaf({1, 2}), y = sum(mul(a, a));
    backward(y, true);
    backward(y, true);
    CHECK(a.grad().to_vector() == std::vector<real>{4, 8});
    backward(y);
    CHECK(a.grad().to_vector() == std::vector<real>{6, 12});
    CHECK_THROWS_AS(backward(y), Error);
  }

  TEST_CASE("numbers and Vars mix as in PyTorch, and comparisons give masks") {
    const Var x = leaf({1, -2, 3});
    const Var y = sum(2 * x + 1 - x / 2 + (3 - x) * x + 1 / x + (-x) * 2.5 + x * 0.5 - 1);
    CHECK(y.item() == doctest::Approx(2 * 2 + 3 - 1 + (2 - 10 + 0) + (1 - 0.5 + 1.0 / 3) - 5 + 1 - 3));
    backward(y);
    for (int64_t i = 0; i < 3; ++i) {
      const double v = static_cast<double>(x.value().at({i}));
      CHECK(x.grad().at({i}) == doctest::Approx(2 - 0.5 + 3 - 2 * v - 1 / (v * v) - 2.5 + 0.5));
    }
    using List = std::vector<real>;
    CHECK((x > 0).to_vector() == List{1, 0, 1});
    CHECK((x >= 1).to_vector() == List{1, 0, 1});
    CHECK((x < leaf({1, 1, 4})).to_vector() == List{0, 1, 1});
    CHECK((x <= 1).to_vector() == List{1, 1, 0});
    CHECK(equal(x, Tensor::scalar(3)).to_vector() == List{0, 0, 1});
    CHECK(where(x > 0, x, Tensor::scalar(0)).value().to_vector() == List{1, 0, 3});
    CHECK(maximum(x, Tensor::scalar(2)).value().to_vector() == List{2, 2, 3});
    CHECK(minimum(x, Tensor::scalar(2)).value().to_vector() == List{1, -2, 2});
    CHECK(max(x).item() == 3);
    CHECK(min(x).item() == -2);
    const real nan = static_cast<real>(std::nan(""));
    for (const Var& v :
         {maximum(leaf({nan}), leaf({1})), maximum(leaf({1}), leaf({nan})), minimum(leaf({nan}), leaf({1})),
          minimum(leaf({1}), leaf({nan})), max(leaf({1, nan, 2})), min(leaf({nan, 1})), clamp(leaf({nan}), 0, 1)})
      CHECK(std::isnan(v.item()));
    CHECK_THROWS_WITH_AS(maximum(Var(), x), "maximum: input 0 is undefined", Error);
  }

  TEST_CASE("parts, stacks and axes of size 1") {
    Rng rng(2);
    const Var x = Var::leaf(Tensor::normal({5, 3}, rng));
    const std::vector<Var> parts = split(x, 2, 0);
    REQUIRE(parts.size() == 3);
    CHECK(parts[2].shape() == Shape({1, 3}));
    CHECK(concat(parts, 0).value().to_vector() == x.value().to_vector());
    CHECK(stack({parts[0], parts[1]}, 1).shape() == Shape({2, 2, 3}));
    CHECK(stack({parts[0], parts[1]}, 1).value().at({1, 0, 2}) == x.value().at({1, 2}));
    CHECK(unsqueeze(x, -1).shape() == Shape({5, 3, 1}));
    CHECK(squeeze(parts[2], 0).shape() == Shape{3});
    CHECK_THROWS_WITH_AS(squeeze(x, 0), "squeeze: axis 0 of [5, 3] has not size 1", Error);
    CHECK_THROWS_WITH_AS(stack({x, parts[0]}, 0), "stack: shapes differ: [5, 3] and [2, 3]", Error);
    CHECK_THROWS_WITH_AS(split(x, 0, 0), "split: the size of a part must be at least 1: 0", Error);
    CHECK_THROWS_WITH_AS(unsqueeze(x, 3), "unsqueeze: axis 3 of a tensor with 3 axes", Error);
  }

  TEST_CASE("backward needs a scalar that depends on something") {
    CHECK_THROWS_WITH_AS(backward(leaf({1, 2})),
                         "backward: needs a scalar, not shape [2]; reduce it with sum() or mean()", Error);
    CHECK_THROWS_WITH_AS(backward(Var(Tensor::scalar(1))), "backward: the output does not depend on any parameter",
                         Error);
    const Var a = leaf({1, 2});
    CHECK_THROWS_WITH_AS(backward(a + a, Tensor::zeros({3})), "backward: upstream [3] for an output [2]", Error);
  }

  TEST_CASE("a chain of 200,000 ops builds, runs backward and is dropped") {
    const int64_t alive = Node::alive();
    {
      const Var a = leaf({1});
      Var y = a;
      for (int i = 0; i < 200000; ++i) y = scale(y, 1);
      backward(y);
      CHECK(a.grad().item() == 1);
      Var z = a;
      for (int i = 0; i < 200000; ++i) z = scale(z, 1);  // dropped without backward
    }
    CHECK(Node::alive() == alive);
  }

  TEST_CASE("NoGrad records nothing, also nested and after an exception") {
    const Var a = leaf({1, 2});
    try {
      const NoGrad outer;
      const NoGrad inner;
      CHECK(!mul(a, a).needs_grad());
      fail("out");
    } catch (const Error&) {
    }
    CHECK(grad_enabled());
    CHECK(mul(a, a).needs_grad());
    CHECK(!detach(a).needs_grad());
  }

  TEST_CASE("a branch that the loss does not use gets nothing") {
    const Var a = leaf({1}), b = leaf({2});
    const Var used = mul(a, a), unused = mul(b, b);
    backward(sum(used));
    CHECK(a.grad().item() == 2);
    CHECK(!b.grad().defined());
  }

  TEST_CASE("sparse gradients equal the dense ones") {
    Rng rng(1);
    const Tensor values = Tensor::normal({5, 3}, rng);
    const Var dense = Var::leaf(values), rows = Var::leaf(values, true);
    const Ids ids({2, 3}, {4, 0, 4, 1, 1, 4});
    const Tensor weights = Tensor::normal({2, 3, 3}, rng);
    for (const Var& table : {dense, rows}) backward(sum(embedding(table, ids) * weights));
    CHECK(!rows.grad().defined());
    Tensor expected = Tensor::zeros({5, 3});
    real* y = expected.write();
    for (const SparseGradient& part : rows.sparse_grads())
      for (int64_t i = 0; i < part.ids.numel(); ++i)
        for (int64_t j = 0; j < 3; ++j) y[part.ids[i] * 3 + j] += part.rows.at({i, j});
    for (int64_t i = 0; i < 15; ++i) CHECK(expected.data()[i] == doctest::Approx(dense.grad().data()[i]));
  }

  TEST_CASE("backward tells of a leaf once, when its gradient is whole, and of the last layer's before the first's") {
    const Param first(Tensor::from({2}, {1, 2})), shared(Tensor::from({2}, {3, 4})), last(Tensor::from({2}, {5, 6}));
    const Var x = first.var() * shared.var(), loss = sum(x * last.var() * shared.var());
    std::vector<std::pair<LeafId, std::vector<real>>> told;
    backward(loss, Tensor::scalar(1), [&](LeafId leaf) {
      for (const Param* p : {&first, &shared, &last})
        if (p->var().leaf_id() == leaf) told.emplace_back(leaf, p->var().grad().to_vector());
    });
    REQUIRE(told.size() == 3);
    CHECK(told[0].first == last.var().leaf_id());
    for (const auto& [leaf_id, grad] : told)
      for (const Param* p : {&first, &shared, &last})
        if (p->var().leaf_id() == leaf_id) CHECK(grad == p->var().grad().to_vector());
    CHECK(told[0].second == std::vector<real>{9, 32});                            // first · shared²
    CHECK(shared.var().grad().to_vector() == std::vector<real>{2 * 15, 2 * 48});  // 2 · first · shared · last
  }

  TEST_CASE("an exception in a parallel region reaches the caller: that of the lowest block") {
    const int before = threads();
    for (int n : {1, 2, 8}) {
      set_threads(n);
      CHECK_THROWS_WITH_AS(parallel_for(100, 1, [](int64_t i, int64_t) { check(i < 7, "block {}", i); }), "block 7",
                           Error);
      CHECK_THROWS_WITH_AS(embedding(Tensor::zeros({3, 1000}), Ids(std::vector<int32_t>(1000, 9))),
                           doctest::Contains("index 9"), Error);
      int64_t total = 0;
      parallel_for(10, 100, [&](int64_t begin, int64_t end) { total += end - begin; });
      CHECK(total == 10);
    }
    set_threads(before);
    CHECK_THROWS_AS(set_threads(0), Error);
  }

  TEST_CASE("after the second step a training step asks the system for no memory") {
    if (!pool::caching()) return;
    const Mlp mlp = build<Mlp>(std::initializer_list<int64_t>{8, 16, 1}, Rng(1));
    Adam adam(parameters(mlp), {});
    Rng rng(2);
    const Tensor x = Tensor::normal({32, 8}, rng);
    int64_t calls = 0;
    for (int step = 0; step < 6; ++step) {
      if (step == 2) calls = pool::stats().system_calls;
      const Var y = mlp(x, Mode());
      backward(mean(y * y));
      adam.step();
    }
    CHECK(pool::stats().system_calls == calls);
  }
}
