// What a training step does to the parameters, against the same steps made one by one, and gradients against values by
// hand.
#include <cmath>
#include <map>
#include <numbers>

#include "autograd/ops.h"
#include "seminar/distributed/gradient_sum.h"
#include "tests/model_checks.h"

using namespace seminar;

namespace {

std::vector<real> numbers_of(const Params& params) {
  std::vector<real> all;
  for (const NamedParam& p : params) {
    const std::vector<real> values = p.var.value().to_vector();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

}  // namespace

TEST_SUITE("training steps") {
  TEST_CASE("two epochs are 20 steps of Adam: gradients clipped at 5, two steps of warm-up, then a cosine to 0") {
    const TinyData tiny;
    RunSettings run = small_run();
    run.dropout = 0.3;
    run.keep = "last";
    run.lr = 0.01;
    run.weight_decay = 0.1;
    run.batch = (EpochTargets(tiny.data, run.targets, 1, run.history, Rng(1)).size() + 9) / 10;
    const auto trained = small_model("seminar", tiny.data, small_settings()),
               stepped = small_model("seminar", tiny.data, small_settings());
    for (const Model* model : {trained.get(), stepped.get()})
      for (const NamedParam& p : model->params()) {  // so that gradients are large
        Tensor value = p.var.value();
        if (p.name.starts_with("head"))
          for (int64_t i = 0; i < value.numel(); ++i) value.write()[i] *= 10;
      }
    CHECK(train(*trained, tiny.data, run).steps == 20);

    const Params params = stepped->params();
    Adam adam(params, {.weight_decay = run.weight_decay});
    const Rng rng = Rng(static_cast<uint64_t>(run.seed)).split("train");
    int clipped = 0, untouched = 0;
    for (int step = 0; step < 20; ++step) {
      const Rng epoch = rng.split(static_cast<uint64_t>(step / 10));
      const EpochTargets targets(tiny.data, run.targets, run.batch, run.history, epoch.split("targets"), run.window);
      const Batch batch = make_batch(tiny.data, EpochShards(targets, 1)(step % 10, 0),
                                     {.history = run.history, .negatives = run.negatives, .hide_query = run.hide_query},
                                     epoch.split("negatives"));
      const Mode mode{true, run.dropout, rng.split("dropout").split(static_cast<uint64_t>(step))};
      backward(stepped->loss(tiny.data, batch, run, mode, nullptr));
      (clip_grad_norm(params, 5) > 5 ? clipped : untouched) += 1;
      const double warm[] = {0.5, 1};
      adam.set_lr(0.01 * (step < 2 ? warm[step] : 0.5 * (1 + std::cos(std::numbers::pi * (step - 2) / 18.0))));
      adam.step();
    }
    CHECK(clipped > 0);
    CHECK(clipped + untouched == 20);
    CHECK(numbers_of(trained->params()) == numbers_of(params));
  }

  TEST_CASE("the loss of a step that is told is its shards' losses, weighted by their targets, part by part") {
    const TinyData tiny;
    RunSettings run = small_run();
    run.shards = 2;
    run.dropout = 0;
    const auto model = small_model("psu", tiny.data, small_settings());
    std::vector<LossPart> told;
    TrainOptions options;
    options.progress = [&](const TrainProgress& p) {
      told = p.loss;
      return false;
    };
    CHECK(train(*model, tiny.data, run, options).stopped);

    const auto same = small_model("psu", tiny.data, small_settings());
    const Rng rng = Rng(static_cast<uint64_t>(run.seed)).split("train"), epoch = rng.split(0);
    const EpochTargets targets(tiny.data, run.targets, run.batch, run.history, epoch.split("targets"), run.window);
    const EpochShards shards(targets, 2);
    std::map<std::string, double> expected;
    for (int64_t i = 0; i < 2; ++i) {
      const std::vector<Target> part = shards(0, i);
      REQUIRE(!part.empty());
      const double weight = static_cast<double>(part.size()) / static_cast<double>(shards.rows(0));
      const Batch batch = make_batch(tiny.data, part,
                                     {.history = run.history, .negatives = run.negatives, .hide_query = run.hide_query},
                                     epoch.split("negatives"));
      std::vector<LossPart> parts{{"loss", 0}};
      parts[0].value = same->loss(tiny.data, batch, run,
                                  {true, 0, rng.split("dropout").split(0).split(static_cast<uint64_t>(i))}, &parts)
                           .value()
                           .item();
      for (const LossPart& p : parts) expected[std::string(p.name)] += weight * p.value;
    }
    REQUIRE(told.size() == expected.size());
    CHECK(told.size() > 2);
    CHECK(told[0].name == "loss");
    for (const LossPart& p : told) CHECK(p.value == doctest::Approx(expected.at(std::string(p.name))).epsilon(1e-5));
  }

  TEST_CASE("the sum of shards by hand: weighted, rows by id, and none where no shard has one") {
    // Two numbers that both shards reach, one that only the second does, one that none does, and tables likewise.
    const Var both = Var::leaf(Tensor::from({2}, {1, 2})), second = Var::leaf(Tensor::from({1}, {3})),
              none = Var::leaf(Tensor::from({1}, {4})),
              table = Var::leaf(Tensor::from({3, 2}, {1, 2, 3, 4, 5, 6}), true),
              unread = Var::leaf(Tensor::from({2, 2}, {1, 2, 3, 4}), true);
    const Params params{{"both", both}, {"second", second}, {"none", none}, {"table", table}, {"unread", unread}};
    const auto row = [&](std::initializer_list<int32_t> ids) {
      return sum(embedding(table, Ids(std::vector<int32_t>(ids))));
    };
    for (const bool with_second : {true, false}) {
      CAPTURE(with_second);
      GradientSum gradients(params, 2, alone());
      gradients.backward(sum(both) + row({2, 0, 2}), 0.25);
      if (with_second)
        gradients.backward(sum(both * both) + sum(second) * Tensor::scalar(8) + row({0}), 0.75);
      else
        gradients.skip();
      gradients.finish();
      // Of both: 1/4 · 1 + 3/4 · 2x.
      CHECK(both.grad().to_vector() == (with_second ? std::vector<real>{1.75, 3.25} : std::vector<real>{0.25, 0.25}));
      CHECK(second.grad().defined() == with_second);
      if (with_second) CHECK(second.grad().to_vector() == std::vector<real>{6});
      CHECK_FALSE(none.grad().defined());
      CHECK(unread.sparse_grads().empty());
      REQUIRE(table.sparse_grads().size() == 1);
      const SparseGradient& rows = table.sparse_grads()[0];
      CHECK(std::vector<int32_t>(rows.ids.data(), rows.ids.data() + rows.ids.numel()) == std::vector<int32_t>{0, 2});
      CHECK(rows.rows.to_vector() ==
            (with_second ? std::vector<real>{1, 1, 0.5, 0.5} : std::vector<real>{0.25, 0.25, 0.5, 0.5}));
      zero_grad(params);
    }
  }
}
