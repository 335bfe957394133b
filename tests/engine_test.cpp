// The semantics of the engine, one by one.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "autograd/debug.h"
#include "autograd/ops.h"
#include "autograd/print.h"
#include "nn/checkpoint.h"
#include "nn/clip_loss.h"
#include "nn/conv.h"
#include "nn/layers.h"
#include "nn/optim.h"
#include "nn/transformer.h"
#include "tensor/parallel.h"
#include "tensor/pool.h"
#include "tests/temporary_folder.h"

using namespace seminar;

namespace {

Var leaf(std::initializer_list<real> values) {
  return Var::leaf(Tensor::from({static_cast<int64_t>(values.size())}, values));
}

// Two members that are one parameter, and a buffer twice.
struct Tied {
  Param first{Tensor::from({2}, {3, 4})}, second = first;
  Buffer planes{Tensor::zeros({2})}, same_planes = planes;
  void visit(auto&& f) const {
    f("first", first);
    f("second", second);
    f("planes", planes);
    f("same_planes", same_planes);
  }
};

struct Both {
  Param a, b;
  void visit(auto&& f) const {
    f("a", a);
    f("b", b);
  }
};

struct Forgetful {
  Param listed{Tensor::zeros({2})}, forgotten{Tensor::zeros({3})};
  void visit(auto&& f) const { f("listed", listed); }
};

}  // namespace

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

  TEST_CASE("a parameter made of a view trains as a parameter made of a copy") {
    Rng rng(3);
    const Tensor t = Tensor::normal({3, 4}, rng);
    for (const Tensor& view : {t.transpose(), t.slice(1, 1, 3), t.slice(1, 0, 2).transpose(), t.slice(0, 1, 3)}) {
      const Param of_view(view), of_copy(view.clone());
      CHECK(of_view.var().value().is_contiguous());
      const Tensor target = Tensor::normal(view.shape(), rng);
      for (const Param* p : {&of_view, &of_copy}) {
        Adam adam({{"p", p->var()}}, {.lr = 0.1});
        Sgd sgd({{"p", p->var()}}, 0.1, 0.5);
        for (int step = 0; step < 6; ++step) {
          const Var error = p->var() - target;
          backward(sum(error * error));
          step % 2 ? adam.step() : sgd.step();
        }
      }
      CHECK(of_view.var().value().to_vector() == of_copy.var().value().to_vector());
    }
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

  TEST_CASE("tied parameters are one: for build, for clipping and for the optimizer") {
    const Tied tied = build<Tied>();
    const Params params = parameters(tied);
    REQUIRE(params.size() == 1);
    CHECK(params[0].name == "first");
    CHECK(buffers(tied).size() == 1);
    backward(sum(tied.first.var() * tied.second.var()));
    CHECK(params[0].var.grad().to_vector() == std::vector<real>{6, 8});
    CHECK(clip_grad_norm(params, 5) == doctest::Approx(10));
    CHECK(params[0].var.grad().to_vector() == std::vector<real>{3, 4});
    const Param one(params[0].var.value()), other(params[0].var.value());  // two parameters, though of one tensor
    CHECK(parameters(Both{one, other}).size() == 2);
    Params twice = parameters(Both{one, other});  // two modules that share a parameter
    twice.push_back({"shared", one.var()});
    one.var().set_grad(Tensor::from({2}, {6, 8}));
    CHECK(clip_grad_norm(twice, 5) == doctest::Approx(10));
    CHECK(one.var().grad().to_vector() == std::vector<real>{3, 4});
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

  TEST_CASE("options out of range, sequences that are too long and grains of 0 are refused") {
    for (const AdamOptions& bad : {AdamOptions{.lr = -1}, AdamOptions{.lr = std::nan("")}, AdamOptions{.beta1 = 1},
                                   AdamOptions{.beta2 = -0.1}, AdamOptions{.eps = -1}, AdamOptions{.weight_decay = -1}})
      CHECK_THROWS_WITH_AS(Adam(Params(), bad), doctest::Contains("adam: "), Error);
    CHECK_THROWS_WITH_AS(Sgd({}, -1), "sgd: lr and momentum must be 0 or more: -1", Error);
    const TransformerEncoder encoder = build<TransformerEncoder>(4, 1, 1, 3, Rng(1));
    const Var tokens = Tensor::zeros({5, 4});
    CHECK_THROWS_WITH_AS(encoder(tokens, Ids({0, 1, 5}), Mode()), "transformer: sequence 1 of 4 tokens: at most 3",
                         Error);
    CHECK_THROWS_WITH_AS(encoder(tokens, Ids({0, 3, 2, 5}), Mode()), "transformer: sequence 1 of -1 tokens: at most 3",
                         Error);
    CHECK_THROWS_WITH_AS(encoder(tokens, Ids({0, 3}), Mode()), "transformer: 2 offsets do not cover tokens [5, 4]",
                         Error);
    CHECK_THROWS_WITH_AS(parallel_for(3, 0, [](int64_t, int64_t) {}), "parallel_for: the grain must be at least 1: 0",
                         Bug);
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

  TEST_CASE("Adam's moments of a unit without gradient end at zero, not among the denormal numbers") {
    if (sizeof(real) == 8) return;
    const Param p(Tensor::from({2}, {1, 1}));
    Adam adam({{"p", p.var()}}, {.lr = 0});
    for (int step = 0; step < 3000; ++step) {
      p.var().set_grad(Tensor::from({2}, {1, step == 0 ? real{1} : real{0}}));
      adam.step();
    }
    CHECK(adam.moments()[0].m.at({1}) == 0);
    CHECK(adam.moments()[0].m.at({0}) > real{0.9});
  }

  TEST_CASE("parameters are loaded all or not at all") {
    const TemporaryFolder folder;
    const Param a(Tensor::from({2}, {1, 2})), b(Tensor::from({3}, {3, 4, 5}));
    const Params params{{"a", a.var()}, {"b", b.var()}};
    const auto saved = [&](const Tensor& of_b) {
      SafetensorsWriter file;
      file.add("a", Tensor::full({2}, 9));
      file.add("b", of_b);
      file.save(folder / "p.safetensors");
      return SafetensorsFile(folder / "p.safetensors");
    };
    for (const Tensor& bad : {Tensor::full({4}, 1), Tensor::from({3}, {1, static_cast<real>(std::nan("")), 1})}) {
      CHECK_THROWS_AS(load_parameters(saved(bad), params), Error);
      CHECK(a.var().value().to_vector() == std::vector<real>{1, 2});
    }
    load_parameters(saved(Tensor::full({3}, 8)), params);
    CHECK(a.var().value().to_vector() == std::vector<real>{9, 9});
    CHECK(b.var().value().to_vector() == std::vector<real>{8, 8, 8});
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

  TEST_CASE("biases and norms do not decay, unless their group says so") {
    const Param matrix(Tensor::full({1, 2}, 1)), bias(Tensor::full({2}, 1));
    const Params params{{"matrix", matrix.var()}, {"bias", bias.var()}};
    const auto step = [&](Adam adam) {
      for (const NamedParam& p : params) {
        Tensor value = p.var.value();
        value.fill(1);
        p.var.set_grad(Tensor::zeros(p.var.shape()));
      }
      adam.step();
      return std::pair(matrix.var().value().data()[0], bias.var().value().data()[0]);
    };
    const AdamOptions options{.lr = 0.5, .weight_decay = 0.1};
    CHECK(step(Adam(params, options)) == std::pair<real, real>(real{1} - real{0.5} * real{0.1}, 1));
    const auto [m, b] = step(Adam(std::vector<ParamGroup>{{{params[0]}, 2}, {{params[1]}, 1, 0.2}}, options));
    CHECK(m == doctest::Approx(0.9));
    CHECK(b == doctest::Approx(0.9));
  }

  TEST_CASE("a module is saved and loaded by name, with its buffers") {
    const TemporaryFolder folder;
    const Tied tied = build<Tied>();
    Tied other = build<Tied>();
    Tensor value = tied.first.var().value(), planes = tied.planes.value();
    value.fill(7);
    planes.fill(2);
    save(tied, folder / "m.safetensors");
    load(folder / "m.safetensors", other);
    CHECK(other.second.var().value().to_vector() == std::vector<real>{7, 7});
    CHECK(other.planes.value().to_vector() == std::vector<real>{2, 2});
  }

  TEST_CASE("RMS norm, rotary positions, convolution and pooling against their definitions") {
    Rng rng(4);
    const Tensor x = Tensor::normal({2, 3, 4}, rng), w = Tensor::normal({4}, rng);
    const Tensor y = rms_norm(x, w).value(), turned = rotary(x, 5).value();
    for (int64_t r = 0; r < 6; ++r) {
      double square = 0;
      for (int64_t i = 0; i < 4; ++i) square += std::pow(x.at({r / 3, r % 3, i}), 2) / 4;
      for (int64_t i = 0; i < 4; ++i)
        CHECK(y.at({r / 3, r % 3, i}) ==
              doctest::Approx(x.at({r / 3, r % 3, i}) / std::sqrt(square + 1e-6) * w.at({i})));
      for (int64_t i = 0; i < 2; ++i) {
        const double angle = static_cast<double>(r % 3 + 5) * std::pow(10000, -static_cast<double>(i) / 2);
        const double a = x.at({r / 3, r % 3, i}), b = x.at({r / 3, r % 3, i + 2});
        CHECK(turned.at({r / 3, r % 3, i}) == doctest::Approx(a * std::cos(angle) - b * std::sin(angle)));
        CHECK(turned.at({r / 3, r % 3, i + 2}) == doctest::Approx(a * std::sin(angle) + b * std::cos(angle)));
      }
    }
    const Tensor image = Tensor::normal({1, 2, 5, 4}, rng), kernel = Tensor::normal({3, 2, 2, 3}, rng),
                 bias = Tensor::normal({3}, rng);
    const Tensor z = conv2d(image, kernel, bias, {2, 1}).value();
    REQUIRE(z.shape() == Shape({1, 3, 3, 2}));
    for (int64_t o = 0; o < 3; ++o)
      for (int64_t r = 0; r < 3; ++r)
        for (int64_t s = 0; s < 2; ++s) {
          double sum_of = bias.at({o});
          for (int64_t c = 0; c < 2; ++c)
            for (int64_t i = 0; i < 2; ++i)
              for (int64_t j = 0; j < 3; ++j) {
                const int64_t row = 2 * r + i - 1, column = 2 * s + j - 1;
                if (row >= 0 && row < 5 && column >= 0 && column < 4)
                  sum_of += static_cast<double>(image.at({0, c, row, column})) * kernel.at({o, c, i, j});
              }
          CHECK(z.at({0, o, r, s}) == doctest::Approx(sum_of));
        }
    const Tensor line = Tensor::from({1, 1, 4}, {1, 2, 3, 4}), pair = Tensor::from({1, 1, 2}, {1, 10});
    CHECK(conv1d(line, pair, {}, {1, 1}).value().to_vector() == std::vector<real>{10, 21, 32, 43, 4});
    const Tensor square = Tensor::from({1, 1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
    CHECK(max_pool2d(square, 2).value().to_vector() == std::vector<real>{6, 8});
    CHECK(mean_pool2d(square, 2).value().to_vector() == std::vector<real>{3.5, 5.5});
    CHECK(max_pool2d(square, 2, 1).value().to_vector() == std::vector<real>{6, 7, 8});
    CHECK(build<Conv2d>(2, 3, 3, Rng(1), Windows{1, 1})(image).shape() == Shape({1, 3, 5, 4}));
    CHECK(build<RmsNorm>(4)(x).shape() == x.shape());
    CHECK_THROWS_WITH_AS(rotary(Tensor::zeros({2, 3})), "rotary: needs rows of an even width, not shape [2, 3]", Error);
    CHECK_THROWS_WITH_AS(conv2d(image, Tensor::zeros({3, 1, 2, 2})),
                         "conv2d: input [1, 2, 5, 4] for a weight [3, 1, 2, 2]", Error);
    CHECK_THROWS_WITH_AS(max_pool2d(x, 2), "max_pool2d: needs pictures [B, C, H, W], not shape [2, 3, 4]", Error);
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

  TEST_CASE("a module that forgets a member cannot be built") {
    CHECK_THROWS_WITH_AS(build<Forgetful>(),
                         "build: the module made 2 parameters but visit() lists 1: a member is missing from visit()",
                         Bug);
    CHECK(parameters(build<Linear>(3, 2, Rng(1))).size() == 2);
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
