// Numbers and data at their ends: each gives a sound result or one clear line.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "seminar/data/features.h"
#include "seminar/training/model_file.h"
#include "seminar/training/trainer.h"
#include "tests/tiny_data.h"

using namespace seminar;

namespace {

constexpr const char* kinds[] = {"psu", "seminar", "mean_pool"};

// A data set of users with histories of the given lengths over `items` items, all with the same word, attribute and
// query unless told apart.
struct PlainData {
  TemporaryFolder folder;
  Dataset data;
  PlainData(std::initializer_list<int> lengths, int items, bool described = true)
      : data(make(folder / "data", lengths, items, described)) {}

 private:
  static Dataset make(const std::string& dir, std::initializer_list<int> lengths, int items, bool described) {
    DatasetBuilder builder;
    builder.info.kind = "plain";
    const std::vector<std::string> attribute{"only"};
    for (int i = 0; i < items; ++i) {
      const int32_t item = builder.item(fmt::format("i{}", i));
      if (described) builder.describe_item(item, "one", "one", attribute);
    }
    const int32_t query = described ? builder.queries.id("one") : 0;
    int u = 0;
    for (const int length : lengths) {
      const int32_t user = builder.user(fmt::format("u{}", u++));
      for (int p = 0; p < length; ++p)
        builder.add_event(user, (u + p) % items, p % 2 == 0 ? query : 0, 1000 + p, builder.events());
    }
    builder.write(dir);
    return Dataset::open(dir);
  }
};

void check_finite(const Tensor& t) {
  for (const real x : t.to_vector()) CHECK(std::isfinite(x));
}

// Trains a step or two and evaluates; everything must be finite.
RankingMetrics train_and_evaluate(const char* kind, const Dataset& data, const RunSettings& run,
                                  const ModelSettings& settings = small_settings()) {
  CAPTURE(kind);
  const auto model = make_model(kind, settings, data, Rng(1));
  CHECK(train(*model, data, run).steps > 0);
  for (const NamedParam& p : model->params()) check_finite(p.var.value());
  const RankingMetrics m = evaluate(*model, data, run, {});
  for (const double x : {m.ndcg10, m.hr10, m.mrr, m.auc}) CHECK((x >= 0 && x <= 1));
  return m;
}

RunSettings few_candidates() {
  RunSettings run = small_run();
  run.negatives = 1;
  run.eval_negatives = 1;
  return run;
}

}  // namespace

TEST_SUITE("numbers") {
  TEST_CASE("NaN and infinity in item vectors are refused with file, item and place") {
    const TemporaryFolder folder;
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -INFINITY}) {
      const std::string dir = folder / fmt::format("data{}", bad), vectors = folder / "v.safetensors";
      DatasetBuilder builder = tiny_builder();
      const std::vector<float> good{1, 2}, broken{1, bad};
      builder.add_features("image", 0, good);
      builder.add_features("image", 5, broken);
      builder.write(dir);
      const Dataset data = Dataset::open(dir);
      const std::string where = fmt::format("features.safetensors: 'image' of item 106: number 1 is {}", bad);
      CHECK_THROWS_WITH_AS(make_model("psu", small_settings(), data, Rng(1)), doctest::Contains(where.c_str()), Error);
      CHECK_THROWS_WITH_AS(data.verify(), doctest::Contains("the vector of item 6 holds"), Error);
      write_vectors({{"106"}, 2, broken}, {}, vectors);
      CHECK_THROWS_WITH_AS(read_vectors(vectors, ""), doctest::Contains("vector 0, number 1: must be finite"), Error);
    }
  }

  TEST_CASE("a batch of nothing but padding") {
    const TinyData tiny;
    const std::vector<Target> firsts{{0, 0}, {1, 0}, {2, 0}};
    const RunSettings run = small_run();
    const Batch batch = make_batch(tiny.data, firsts, {run.history, 2, 0.0}, Rng(1));
    for (const real m : batch.mask.to_vector()) CHECK(m == 0);
    for (const char* kind : kinds) {
      CAPTURE(kind);
      const auto model = make_model(kind, small_settings("gate"), tiny.data, Rng(1));
      check_finite(model->score(tiny.data, batch, run));
      const Var loss = model->loss(tiny.data, batch, run, {true, 0.1, Rng(2)}, nullptr);
      check_finite(loss.value());
      backward(loss);
      for (const NamedParam& p : model->params()) {
        if (p.var.grad().defined()) check_finite(p.var.grad());
        for (const SparseGradient& part : p.var.sparse_grads()) check_finite(part.rows);
      }
    }
  }

  TEST_CASE("users with one action, two, three: counted where they can be") {
    const PlainData plain({1, 1, 2, 3, 9}, 20);
    for (const char* kind : kinds) CHECK(train_and_evaluate(kind, plain.data, few_candidates()).users == 3);
    const PlainData short_ones({1, 2, 3, 3}, 20), single({1, 1}, 20);
    const auto model = make_model("seminar", small_settings(), short_ones.data, Rng(1));
    CHECK_THROWS_WITH_AS(train(*model, short_ones.data, small_run()),
                         "train: no user has a training target: every history is shorter than 4 actions", Error);
    CHECK_THROWS_WITH_AS(rank_users(Popularity(single.data, 1), single.data, small_run(), {}),
                         "evaluate: no user has a held-out action with a history before it", Error);
  }

  TEST_CASE("K above L, L = 1, K = 1") {
    const TinyData tiny;
    for (const char* kind : kinds)
      for (const auto& [history, k] : {std::pair<int64_t, int64_t>{5, 100}, {1, 50}, {1, 1}, {12, 1}}) {
        RunSettings run = small_run();
        run.history = history;
        run.k = k;
        train_and_evaluate(kind, tiny.data, run);
      }
  }

  TEST_CASE("vocabularies of one, of none, byte pairs without a pair") {
    const PlainData one({9, 8, 9}, 12), none({9, 8, 9}, 12, false);
    ModelSettings pairs = small_settings();
    pairs.tokens = "bpe";
    pairs.vocabulary = 258;
    for (const char* kind : kinds) {
      train_and_evaluate(kind, one.data, few_candidates());
      train_and_evaluate(kind, one.data, few_candidates(), pairs);
      train_and_evaluate(kind, none.data, few_candidates());
    }
    const PlainData one_item({6, 6}, 1);
    const auto model = make_model("mean_pool", small_settings(), one_item.data, Rng(1));
    CHECK_THROWS_WITH_AS(train(*model, one_item.data, few_candidates()),
                         doctest::Contains("had all but 0 of 1 items by then, 1 negatives are needed"), Error);
  }

  TEST_CASE("labels all equal have no AUC") {
    const TemporaryFolder folder;
    for (const bool clicked : {true, false}) {
      const std::string dir = folder / (clicked ? "clicked" : "ignored");
      DatasetBuilder builder = tiny_builder();
      for (int u = 0; u < 3; ++u) builder.add_exposure(u, 4, 0, 5000, clicked);
      builder.write(dir);
      const Dataset data = Dataset::open(dir);
      const auto model = make_model("mean_pool", small_settings(), data, Rng(1));
      const RunSettings run = small_run();
      CHECK_THROWS_WITH_AS(evaluate_exposures(ModelScorer(*model, data, run), data),
                           doctest::Contains("auc: undefined"), Error);
    }
  }
}
