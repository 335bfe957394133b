// Steps of training by hand: the schedule, clipping, Adam; which parameters get a gradient.
#include <doctest/doctest.h>

#include <cmath>

#include "seminar/distributed/gradient_sum.h"
#include "seminar/training/trainer.h"
#include "tests/tiny_data.h"

using namespace seminar;

namespace {

// One parameter [2] whose gradient is given for every step.
class Scripted : public Model {
 public:
  explicit Scripted(const Dataset& data)
      : Model(small_settings(), Vocabulary::of(data, small_settings())), x(Tensor::zeros({2})) {}
  const char* kind() const override { return "scripted"; }
  Params params() const override { return {{"x", x.var()}}; }
  void freeze_text(const Dataset&) override {}
  Tensor score(const Dataset&, const Batch& batch, const RunSettings&) const override {
    return Tensor::zeros({batch.size(), batch.candidates()});
  }
  Var loss(const Dataset&, const Batch&, const RunSettings&, const Mode&, std::vector<LossPart>*) const override {
    const auto [a, b] = gradient(step++);
    return sum(x * Tensor::from({2}, {static_cast<real>(a), static_cast<real>(b)}));
  }
  // Of every second step longer than 5.
  static std::pair<double, double> gradient(int64_t step) {
    const double size = step % 2 == 0 ? 50 : 0.5;
    return {0.6 * size * std::cos(static_cast<double>(step)), 0.8 * size};
  }
  Param x;
  mutable int64_t step = 0;
};

}  // namespace

TEST_SUITE("steps of training") {
  TEST_CASE("warm-up over a twentieth, a cosine to 0, gradients clipped at 5, Adam") {
    const TinyData tiny;
    RunSettings run = small_run();
    run.epochs = 4;
    run.batch = 4;
    run.lr = 0.1;
    run.keep = "last";
    Scripted model(tiny.data);
    std::vector<std::vector<real>> found;
    int64_t steps = 0;
    TrainOptions options;
    options.progress = [&](const TrainProgress& p) {
      found.push_back(model.x.var().value().to_vector());
      steps = p.steps;
      return true;
    };
    train(model, tiny.data, run, options);
    REQUIRE(steps == std::ssize(found));
    REQUIRE(steps > 60);
    const double warmup = std::floor(0.05 * static_cast<double>(steps)) + 1;
    REQUIRE(warmup >= 4);
    double x[2] = {0, 0}, m[2] = {0, 0}, v[2] = {0, 0};
    for (int64_t t = 0; t < steps; ++t) {
      const auto [a, b] = Scripted::gradient(t);
      const double norm = std::hypot(a, b), clip = norm > 5 ? 5 / norm : 1, now = static_cast<double>(t);
      const double schedule =
          now < warmup ? (now + 1) / warmup
                       : 0.5 * (1 + std::cos(std::acos(-1.0) * (now - warmup) / (static_cast<double>(steps) - warmup)));
      for (int i = 0; i < 2; ++i) {
        const double g = clip * (i == 0 ? a : b);
        m[i] = 0.9 * m[i] + 0.1 * g;
        v[i] = 0.999 * v[i] + 0.001 * g * g;
        const double mean = m[i] / (1 - std::pow(0.9, now + 1)), square = v[i] / (1 - std::pow(0.999, now + 1));
        x[i] -= 0.1 * schedule * mean / (std::sqrt(square) + 1e-8);
        CHECK(static_cast<double>(found[static_cast<std::size_t>(t)][static_cast<std::size_t>(i)]) ==
              doctest::Approx(x[i]).epsilon(2e-3));
      }
    }
  }

  TEST_CASE("what is told of an epoch is the mean over its targets, not its last batch") {
    const TinyData tiny;
    RunSettings run = small_run();
    run.batch = 8;
    Scripted model(tiny.data);
    double sum_of_losses = 0, targets = 0;
    int64_t before = 0, epochs = 0;
    TrainOptions options;
    options.progress = [&](const TrainProgress& p) {
      const double rows = static_cast<double>(p.targets - before);
      before = p.targets;
      sum_of_losses += rows * p.loss[0].value;
      targets += rows;
      CHECK(p.epoch_loss[0].value == doctest::Approx(sum_of_losses / targets));
      if (p.valid) {
        ++epochs;
        sum_of_losses = targets = 0;
      }
      return true;
    };
    train(model, tiny.data, run, options);
    CHECK(epochs == run.epochs);
  }

  TEST_CASE("with shards, a parameter that no shard reaches has no gradient") {
    const Param reached(Tensor::full({3}, 1)), idle(Tensor::full({3}, 1));
    GradientSum sums({{"reached", reached.var()}, {"idle", idle.var()}}, 2, alone());
    sums.backward(sum(scale(reached, 2)), 0.25);
    sums.backward(sum(scale(reached, 4)), 0.75);
    sums.finish();
    REQUIRE(reached.var().grad().defined());
    CHECK(reached.var().grad().to_vector() == std::vector<real>(3, real{3.5}));
    CHECK(!idle.var().grad().defined());
    // What one shard alone reaches has that shard's.
    sums.backward(sum(reached), 0.5);
    sums.backward(sum(idle), 0.5);
    sums.finish();
    CHECK(idle.var().grad().to_vector() == std::vector<real>(3, real{0.5}));
  }
}
