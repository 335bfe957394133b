// Modules, their parameters and files, and optimizers.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "nn/checkpoint.h"
#include "nn/conv.h"
#include "nn/layers.h"
#include "nn/optim.h"
#include "nn/transformer.h"
#include "tensor/parallel.h"
#include "tests/leaf.h"
#include "tests/temporary_folder.h"

using namespace seminar;

namespace {

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

TEST_SUITE("modules") {
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

  TEST_CASE("a module that forgets a member cannot be built") {
    CHECK_THROWS_WITH_AS(build<Forgetful>(),
                         "build: the module made 2 parameters but visit() lists 1: a member is missing from visit()",
                         Bug);
    CHECK(parameters(build<Linear>(3, 2, Rng(1))).size() == 2);
  }
}
