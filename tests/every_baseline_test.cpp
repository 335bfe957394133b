// What every model must satisfy.
#include "tests/baseline_checks.h"

using namespace seminar;

namespace {

struct Forgetful {
  Buffer planes{Tensor::zeros({2})};
  void visit(auto&&) const {}
};

}  // namespace

TEST_SUITE("baselines: every model") {
  TEST_CASE("every parameter gets a gradient in one step") {
    const TinyData tiny;
    for (const KindAndForm& which : baselines())
      for (const char* fusion : {"lambda", "gate"}) {
        if (which.kind == "qin" && which.form == "authors") continue;  // its own test
        CAPTURE(which.kind);
        CAPTURE(which.form);
        CHECK(without_gradient(*small_model(which.kind, tiny.data, which.settings(fusion)), tiny.data) ==
              std::vector<std::string>());
      }
  }

  TEST_CASE("the gradients of the whole losses agree with differences along random directions") {
    if (sizeof(real) != 8) return;
    const TinyData tiny;
    for (const KindAndForm& which : baselines()) {
      CAPTURE(which.kind);
      CAPTURE(which.form);
      check_loss_gradients(*small_model(which.kind, tiny.data, which.settings("gate")), tiny.data);
    }
  }

  TEST_CASE("padding reaches no loss, no score and no gradient: its vectors may be anything") {
    const TinyData tiny;
    for (const KindAndForm& which : baselines()) {
      if (which.form == "authors") continue;
      CAPTURE(which.kind);
      check_padding_unread(*small_model(which.kind, tiny.data, small_settings()), tiny.data);
    }
  }

  TEST_CASE("a history of one behaviour, or of none, has scores and a loss") {
    const TinyData tiny;
    RunSettings run = small_run();
    for (const KindAndForm& which : baselines())
      for (const int32_t position : {0, 1}) {
        CAPTURE(which.kind);
        CAPTURE(which.form);
        CAPTURE(position);
        const auto model = small_model(which.kind, tiny.data, which.settings());
        const Target target{5, position};
        const Batch batch = make_batch(tiny.data, std::span(&target, 1), {run.history, 2, 0.0}, Rng(2));
        for (const real s : model->score(tiny.data, batch, run).to_vector()) CHECK(std::isfinite(s));
        if (position == 0) continue;
        const Var loss = model->loss(tiny.data, batch, run, {true, 0.1, Rng(4)}, nullptr);
        CHECK(std::isfinite(loss.value().item()));
        backward(loss);
      }
  }

  TEST_CASE("training lowers the loss and leaves frozen tensors as they were") {
    const TinyData tiny;
    for (const KindAndForm& which : baselines()) {
      CAPTURE(which.kind);
      CAPTURE(which.form);
      const auto model = small_model(which.kind, tiny.data, which.settings());
      std::vector<std::vector<real>> before;
      for (const NamedParam& p : model->frozen()) before.push_back(p.var.value().to_vector());
      CHECK(before.empty() == !(which.form == "authors" || which.kind == "eta" || which.kind == "sdim"));
      const RunSettings run = small_run();
      const Batch batch = small_batch(tiny.data, run);
      Adam adam(model->params(), {.lr = 2e-2});
      std::vector<real> losses;
      for (int step = 0; step < 60; ++step) {
        const Var loss = model->loss(tiny.data, batch, run, {true, 0, Rng(4)}, nullptr);
        losses.push_back(loss.value().item());
        backward(loss);
        adam.step();
      }
      // On data so small the authors' narrow head may learn no more than how rare clicks are.
      CHECK(losses.back() < (which.form == "authors" ? 0.95 : 0.8) * losses.front());
      for (std::size_t i = 0; i < before.size(); ++i) CHECK(model->frozen()[i].var.value().to_vector() == before[i]);
    }
  }

  TEST_CASE("model files: round trip with equal scores, frozen tensors included") {
    const TinyData tiny;
    for (const KindAndForm& which : baselines()) {
      CAPTURE(which.kind);
      CAPTURE(which.form);
      check_round_trip(which.kind, which.settings("gate"), tiny);
    }
  }

  TEST_CASE("the same seed gives the same model file byte for byte, with 1, 2 and 3 threads") {
    const TinyData tiny;
    for (const KindAndForm& which : baselines()) {
      CAPTURE(which.kind);
      CAPTURE(which.form);
      check_same_bytes(which.kind, which.settings(), tiny);
    }
  }

  TEST_CASE("a frozen tensor that visit() does not list is a bug") { CHECK_THROWS_AS(build<Forgetful>(), Bug); }
}
