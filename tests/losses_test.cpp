// Losses by their values: the parts of L_PSU by hand, weighted losses as sums of their parts, the bias of the output.
#include <set>

#include "seminar/baselines/sim.h"
#include "seminar/model/losses.h"
#include "seminar/model/seminar_model.h"
#include "tests/model_checks.h"

using namespace seminar;

namespace {

// One user whose first item comes again and again; every other behaviour is searched.
struct Repeating {
  TemporaryFolder folder;
  Dataset data;
  Repeating() : data(make(folder / "data")) {}

 private:
  static Dataset make(const std::string& dir) {
    DatasetBuilder builder = tiny_builder();
    const int32_t user = builder.user("repeats");
    for (const int item : {0, 4, 0, 0, 9, 0, 2, 11})
      builder.add_event(user, item, item % 2 == 0 ? builder.queries.id("red") : 0, 1000 + builder.events(),
                        builder.events());
    builder.write(dir);
    return Dataset::open(dir);
  }
};

Psu random_psu(const Dataset& data, const ModelSettings& s = small_settings()) {
  return build<Psu>(s, Vocabulary::of(data, s), Rng(3));
}

// Every parameter drawn anew, so that no two are equal by chance.
void randomize(const Model& model, uint64_t seed) {
  for (const NamedParam& p : model.params()) {
    Tensor x = p.var.value();
    Rng stream = Rng(seed).split(p.name);
    const Tensor drawn = Tensor::normal(x.shape(), stream, 0.3);
    std::copy_n(drawn.data(), drawn.numel(), x.write());
  }
}

std::map<std::string, double> parts_of(const Model& model, const Dataset& data, const Batch& batch,
                                       const RunSettings& run) {
  std::vector<LossPart> parts;
  const double total = static_cast<double>(model.loss(data, batch, run, {true, 0, Rng(4)}, &parts).value().item());
  std::map<std::string, double> by_name{{"total", total}};
  for (const LossPart& part : parts) by_name[part.name] = part.value;
  return by_name;
}

}  // namespace

TEST_SUITE("losses") {
  TEST_CASE("L_next: minus the log of the true pair's share of the softmax, rows of weight 0 left out") {
    const Tensor logits = Tensor::from({3, 3}, {1, 2, 0, 0, 0, 0, 5, 1, 2});
    const auto row = [](double own, double a, double b) {
      return std::log(std::exp(own) + std::exp(a) + std::exp(b)) - own;
    };
    CHECK(static_cast<double>(l_next(logits).value().item()) ==
          doctest::Approx((row(1, 2, 0) + row(0, 0, 0) + row(5, 1, 2)) / 3));
    Tensor weight = Tensor::full({3, 3}, 1);
    std::fill_n(weight.write() + 3, 3, real{0});
    CHECK(static_cast<double>(l_next(logits, weight).value().item()) ==
          doctest::Approx((row(1, 2, 0) + row(5, 1, 2)) / 2));
  }

  TEST_CASE(
      "next-pair logits: attention over history and EOS, and the mean of all behaviours, repeats as often as they "
      "are") {
    const Repeating repeating;
    const Dataset& data = repeating.data;
    const Psu psu = random_psu(data);
    randomize(psu, 5);
    const int64_t d = psu.settings().dim;
    const Target target{static_cast<int32_t>(data.users() - 1), 7};
    const Batch batch = make_batch(data, std::span(&target, 1), {20, 3, 0.0}, Rng(2));
    const FusedBatch pairs = fused(psu.encoders, psu.fusion, data, batch, Mode());
    Tensor mean = Tensor::zeros({1, d});
    for (int64_t l = 0; l < 7; ++l)
      for (int64_t i = 0; i < d; ++i) mean.write()[i] += pairs.history.value().at({0, l, i}) / 7;
    const std::vector<int32_t> ages{7, 6, 5, 4, 3, 2, 1};
    const Var keys = concat({psu.age(pairs.history, ages), reshape(psu.eos, {1, 1, d})}, 1);
    const Var found = psu.attention(pairs.targets, keys, Tensor::full({1, 8}, 1));
    check_close(psu.score(data, batch, small_run()), psu.head.y_hat(found, mean, pairs.targets, Mode()).value());
  }

  TEST_CASE("L_align: the CLIP loss of the distinct items that have both channels, each once") {
    const Repeating repeating;
    const Dataset& data = repeating.data;
    const Psu psu = random_psu(data);
    randomize(psu, 6);
    RunSettings run = small_run();
    run.next_weight = run.relevance_weight = 0;
    run.align_weight = 1;
    run.chunks = 1;
    run.hide_query = 0;
    const Target target{static_cast<int32_t>(data.users() - 1), 7};
    const Batch batch = make_batch(data, std::span(&target, 1), {20, 3, 0.0}, Rng(2));
    const Channels c = psu.encoders(data, batch.items, batch.queries, Mode());
    std::vector<int32_t> items;  // the history's, once, with a title
    for (int64_t l = 0; l < 7; ++l) {
      const int32_t item = batch.history.item[l];
      if (c.present.at({item, 0}) != 0 && std::find(items.begin(), items.end(), item) == items.end())
        items.push_back(item);
    }
    REQUIRE(items.size() == 4);
    const Tensor text = normalize(embedding(c.item[0], Ids(items))).value(),
                 attributes = normalize(embedding(c.item[1], Ids(items))).value();
    const double s = std::min(100.0, std::exp(static_cast<double>(psu.logit_scale.var().value().item())));
    double expected = 0;
    for (int64_t i = 0; i < 4; ++i) {
      const auto score = [&](int64_t a, int64_t b) {
        double dot = 0;
        for (int64_t k = 0; k < text.size(1); ++k) dot += static_cast<double>(text.at({a, k}) * attributes.at({b, k}));
        return s * dot;
      };
      double row = 0, column = 0;
      for (int64_t j = 0; j < 4; ++j) row += std::exp(score(i, j)), column += std::exp(score(j, i));
      expected += (std::log(row) + std::log(column) - 2 * score(i, i)) / 8;
    }
    CHECK(parts_of(psu, data, batch, run)["align"] == doctest::Approx(expected).epsilon(1e-4));
  }

  TEST_CASE("L_query_item: of two items in a batch the other one is the negative, never the pair's own") {
    const TinyData tiny;
    const Psu psu = random_psu(tiny.data);
    randomize(psu, 7);
    RunSettings run = small_run();
    run.next_weight = run.align_weight = 0;
    run.relevance_weight = 1;
    const Target target{7, 1};  // one behaviour, searched; one candidate
    const auto items = tiny.data.user_items(7);
    REQUIRE(tiny.data.user_queries(7)[0] != 0);
    const std::vector<int32_t> candidate{items[1]}, query{0};
    const Batch batch = make_batch(tiny.data, std::span(&target, 1), 5, candidate, query);
    REQUIRE(batch.items.size() == 3);
    const Channels c = psu.encoders(tiny.data, batch.items, batch.queries, Mode());
    const auto logit = [&](int32_t item) {
      const Var pair =
          concat({embedding(c.query, Ids({batch.history.query[0]})), psu.fusion.items(c, Ids({item}))}, -1);
      return static_cast<double>(psu.relevance(pair, Mode()).value().item());
    };
    const auto softplus = [](double x) { return std::log1p(std::exp(x)); };
    const int32_t own = batch.history.item[0], other = batch.targets.item[0];
    REQUIRE(own != other);
    CHECK(parts_of(psu, tiny.data, batch, run)["relevance"] ==
          doctest::Approx((softplus(-logit(own)) + softplus(logit(other))) / 2).epsilon(1e-4));
  }

  TEST_CASE("a loss is the sum of its parts, each times its weight") {
    const TinyData tiny;
    RunSettings run = small_run();
    run.hide_query = 0;
    const Batch batch = small_batch(tiny.data, run);
    const Psu psu = random_psu(tiny.data);
    run.next_weight = 0.5;
    run.align_weight = 0.25;
    run.relevance_weight = 2;
    std::map<std::string, double> p = parts_of(psu, tiny.data, batch, run);
    CHECK(p["total"] == doctest::Approx(0.5 * p["next"] + 0.25 * p["align"] + 2 * p["relevance"]).epsilon(1e-5));
    for (const char* part : {"next", "align", "relevance"}) CHECK(p[part] > 1e-3);

    for (const char* kind : {"seminar", "sim", "qin"})
      for (const double weight : {0.5, 3.0}) {
        CAPTURE(kind);
        run.search_weight = weight;
        const auto model = small_model(kind, tiny.data, small_settings());
        p = parts_of(*model, tiny.data, batch, run);
        CHECK(p["gsu"] > 1e-3);
        CHECK(p["total"] == doctest::Approx(p["ctr"] + weight * p["gsu"]).epsilon(1e-5));
      }
    run.search_weight = 0;
    const auto model = small_model("seminar", tiny.data, small_settings());
    p = parts_of(*model, tiny.data, batch, run);
    CHECK(p.count("gsu") == 0);
    CHECK(p["total"] == p["ctr"]);
  }

  TEST_CASE("the GSU's own loss is that of its own prediction over all behaviours") {
    const TinyData tiny;
    const RunSettings run = small_run();
    const Batch batch = small_batch(tiny.data, run);
    const auto model = small_model("seminar", tiny.data, small_settings());
    const auto& s = dynamic_cast<SeminarModel&>(*model);
    const FusedBatch pairs = s.fused(tiny.data, batch, Mode());
    const Var own = s.gsu.logits(s.gsu.scores(pairs.targets, pairs.history), pairs, batch.mask, Mode());
    CHECK(parts_of(*model, tiny.data, batch, run)["gsu"] ==
          doctest::Approx(static_cast<double>(bce_with_logits(own, candidate_labels(batch)).value().item())));
  }

  TEST_CASE("a short history beside a long one has the loss that it has alone") {
    const TinyData tiny;
    RunSettings run = small_run();
    const std::vector<Target> both{{3, 1}, {7, 9}};
    const std::vector<int32_t> items{1, 2, 3, 4}, queries(4, 0);
    const Batch together = make_batch(tiny.data, both, run.history, items, queries);
    for (const char* kind : {"seminar", "sim", "qin"}) {
      CAPTURE(kind);
      const auto model = small_model(kind, tiny.data, small_settings());
      double alone = 0;
      for (std::size_t i = 0; i < 2; ++i) {
        const Batch one = make_batch(tiny.data, std::span(both).subspan(i, 1), run.history,
                                     std::span(items).subspan(2 * i, 2), std::span(queries).first(2));
        alone += parts_of(*model, tiny.data, one, run)["gsu"] / 2;
      }
      CHECK(parts_of(*model, tiny.data, together, run)["gsu"] == doctest::Approx(alone).epsilon(1e-4));
    }
  }

  TEST_CASE("cross entropy of each candidate learns the output's bias, a softmax does not see it") {
    const TinyData tiny;
    RunSettings run = small_run();
    const Batch batch = small_batch(tiny.data, run);
    for (const char* kind : {"seminar", "mean_pool"}) {
      CAPTURE(kind);
      const auto model = small_model(kind, tiny.data, small_settings());
      const Params params = model->params();
      const auto bias = std::find_if(params.begin(), params.end(), [](const auto& p) { return p.name == "head.bias"; });
      REQUIRE(bias != params.end());
      const std::vector<real> before = model->score(tiny.data, batch, run).to_vector();
      double expected = 0;  // mean of p - y
      for (std::size_t i = 0; i < before.size(); ++i)
        expected += 1 / (1 + std::exp(-static_cast<double>(before[i]))) - (i % 3 == 0 ? 1 : 0);
      run.ctr_loss = "bce";
      backward(model->loss(tiny.data, batch, run, Mode(), nullptr));
      REQUIRE(bias->var.grad().defined());
      CHECK(static_cast<double>(bias->var.grad().item()) ==
            doctest::Approx(expected / static_cast<double>(before.size())).epsilon(1e-4));
      zero_grad(params);
      run.ctr_loss = "softmax";
      backward(model->loss(tiny.data, batch, run, Mode(), nullptr));
      CHECK(!bias->var.grad().defined());
      zero_grad(params);
      Tensor value = bias->var.value();
      value.fill(2);
      const std::vector<real> after = model->score(tiny.data, batch, small_run()).to_vector();
      for (std::size_t i = 0; i < before.size(); ++i) CHECK(after[i] == doctest::Approx(before[i] + 2));
    }
    const Psu psu = random_psu(tiny.data);
    CHECK(!psu.head.bias);
  }
}

TEST_SUITE("encoders in training") {
  TEST_CASE("unit vectors are unit vectors under dropout") {
    const TinyData tiny;
    ModelSettings s = small_settings();
    s.norms = "unit";
    const Encoders encoders = build<Encoders>(s, Vocabulary::of(tiny.data, s), Rng(3));
    const std::vector<int32_t> items{1, 2, 3, 4, 5}, queries{0, 1, 2};
    const Channels c = encoders(tiny.data, items, queries, {true, 0.5, Rng(7)});
    int64_t dropped = 0;
    for (const Var* channel : {&c.query, &c.item[0], &c.item[1]})
      for (int64_t row = 0; row < channel->size(0); ++row) {
        double square = 0;
        for (int64_t i = 0; i < s.dim; ++i) {
          const double x = static_cast<double>(channel->value().at({row, i}));
          square += x * x;
          dropped += x == 0;
        }
        CHECK(square == doctest::Approx(1).epsilon(1e-4));
      }
    CHECK(dropped > 10);
  }
}
