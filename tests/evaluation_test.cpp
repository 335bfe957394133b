// Evaluation as a whole: against brute force, closed forms, published figures; ranks on disk; the leakage report.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>
#include <tuple>

#include "seminar/baselines/mean_pool.h"
#include "seminar/data/import.h"
#include "seminar/evaluation/leakage.h"
#include "seminar/evaluation/ranks_file.h"
#include "seminar/training/model_file.h"
#include "tests/tiny_data.h"

using namespace seminar;

namespace {

// Gives every candidate the same score.
struct Constant : Scorer {
  explicit Constant(double value) : value_(static_cast<real>(value)) {}
  std::vector<real> score(std::span<const Target>, const Candidates& candidates) const override {
    return std::vector<real>(candidates.items.size(), value_);
  }
  real value_;
};

// `users` users with 3 actions each on `items` items.
Dataset wide_data(const TemporaryFolder& folder, int users, int items) {
  DatasetBuilder builder;
  builder.info.kind = "wide";
  for (int i = 0; i < items; ++i) builder.item(fmt::format("{}", i));
  for (int u = 0; u < users; ++u)
    for (int p = 0; p < 3; ++p)
      builder.add_event(builder.user(fmt::format("{}", u)), (u * 7 + p * 31 + u / items) % items, 0, p,
                        builder.events());
  builder.write(folder / "wide");
  return Dataset::open(folder / "wide");
}

// Mean and standard error over `users` of a metric of one positive that takes each of 100 places with equal chance.
struct ClosedForm {
  double mean = 0, error = 0;
  ClosedForm(const Metric& metric, int64_t users) {
    double squares = 0;
    for (int64_t above = 0; above < 100; ++above) {
      const double gain = metric.gain({above, 0, 99});
      mean += gain / 100;
      squares += gain * gain / 100;
    }
    error = std::sqrt((squares - mean * mean) / static_cast<double>(users));
  }
};

void check_printed(double value, double expected) {
  CAPTURE(value);
  CHECK(std::abs(value - expected) < 0.5e-4 + 1e-9);
}

// The data sets of S3-Rec, which are not ours to ship: from the folder SEMINAR_S3REC, or ../shared/data/s3rec beside
// the project. Empty and a message if they are not there.
std::optional<Dataset> s3rec(const TemporaryFolder& folder, const std::string& name) {
  const char* set = std::getenv("SEMINAR_S3REC");
  const std::string from = set ? set : SEMINAR_SOURCE_DIR "/../shared/data/s3rec", path = from + "/" + name + ".txt";
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: ", path, " is not there; set SEMINAR_S3REC to the folder of S3-Rec's data files");
    return std::nullopt;
  }
  import_dataset("s3rec", path, folder / name, {});
  return Dataset::open(folder / name);
}

}  // namespace

TEST_SUITE("evaluation") {
  TEST_CASE("full ranking counts every item the user did not have before") {
    const TinyData tiny;
    RunSettings run = small_run();
    run.eval_negatives = 0;
    const UserRanks ranks = rank_users(Popularity(tiny.data, 1), tiny.data, run, {});
    // By hand: popularity over all but the last action of each user.
    std::vector<int> count(31, 0);
    for (int64_t u = 0; u < tiny.data.users(); ++u) {
      const auto items = tiny.data.user_items(u);
      for (std::size_t p = 0; p + 1 < items.size(); ++p) ++count[items[p]];
    }
    UserRanks expected;
    for (const Target& t : held_out_targets(tiny.data, Split::test)) {
      const auto items = tiny.data.user_items(t.user);
      const std::set<int32_t> before(items.begin(), items.begin() + t.position);
      RankCount rank;
      for (int32_t i = 1; i <= tiny.data.items(); ++i) {
        if (i == items[t.position] || before.count(i) != 0) continue;
        rank.above += count[i] > count[items[t.position]];
        rank.ties += count[i] == count[items[t.position]];
        ++rank.negatives;
      }
      expected.users.push_back(t.user);
      expected.ranks.push_back(rank);
    }
    CHECK(ranks.users == expected.users);
    CHECK(ranks.ranks == expected.ranks);
    CHECK(!ranks.auc.has_value());
    // Counting what is to be predicted helps.
    const UserRanks leaky = rank_users(Popularity(tiny.data, 0), tiny.data, run, {});
    CHECK(ranking_metrics(leaky).hr10 > ranking_metrics(ranks).hr10);
    const auto model = make_model("mean_pool", small_settings(), tiny.data, Rng(3));
    CHECK(evaluate(*model, tiny.data, run, {}).users == ranking_metrics(ranks).users);
  }

  TEST_CASE("a model's ranks are those of its scores; its metrics too") {
    const TinyData tiny;
    const RunSettings run = small_run();
    const auto model = make_model("mean_pool", small_settings(), tiny.data, Rng(3));
    for (const Split split : {Split::valid, Split::test}) {
      const std::vector<Target> targets = held_out_targets(tiny.data, split);
      const Candidates c = sampled_candidates(tiny.data, run, {split}, targets);
      const Batch batch = make_batch(tiny.data, targets, run.history, c.items, c.queries);
      const std::vector<real> scores = model->score(tiny.data, batch, run).to_vector();
      const UserRanks ranks = rank_users(*model, tiny.data, run, {split});
      CHECK(ranks.ranks == rank_counts(scores, 1 + run.eval_negatives));
      REQUIRE(ranks.calibration.has_value());
      CHECK(ranks.calibration->mean_label == doctest::Approx(0.1));
      CHECK(evaluate(*model, tiny.data, run, {split}).ndcg10 == ranking_metrics(ranks).ndcg10);
      CHECK(ranking_metrics(ranks).auc == *ranks.auc);
    }
    CHECK(!rank_users(Popularity(tiny.data, 1), tiny.data, run, {}).calibration.has_value());
  }

  TEST_CASE("a subsample of the users ranks them as the whole does") {
    const TinyData tiny;
    RunSettings run = small_run();
    for (const int64_t negatives : {9, 0}) {
      run.eval_negatives = negatives;
      const Popularity popularity(tiny.data, 1);
      const UserRanks all = rank_users(popularity, tiny.data, run, {}),
                      some = rank_users(popularity, tiny.data, run, {.users = 5});
      CHECK(some.users.size() == 5);
      CHECK(std::is_sorted(some.users.begin(), some.users.end()));
      for (std::size_t i = 0; i < some.users.size(); ++i) {
        const auto at = std::find(all.users.begin(), all.users.end(), some.users[i]) - all.users.begin();
        CHECK(all.ranks[static_cast<std::size_t>(at)] == some.ranks[i]);
      }
      CHECK(some.protocol != all.protocol);
      CHECK(rank_users(popularity, tiny.data, run, {.users = 500}).users == all.users);
      RunSettings other = run;
      other.eval_seed = 7;
      CHECK(rank_users(popularity, tiny.data, other, {.users = 5}).users != some.users);
    }
  }

  TEST_CASE("progress ends at all users; NaN is an error") {
    const TinyData tiny;
    RunSettings run = small_run();
    for (const int64_t negatives : {9, 0}) {
      run.eval_negatives = negatives;
      int64_t done = 0, total = 0;
      rank_users(Constant(1), tiny.data, run, {.progress = [&](int64_t d, int64_t t) { done = d, total = t; }});
      CHECK(done == total);
      CHECK(done == std::ssize(held_out_targets(tiny.data, Split::test)));
      CHECK_THROWS_WITH_AS(rank_users(Constant(std::nan("")), tiny.data, run, {}), doctest::Contains("is NaN"), Error);
    }
  }

  TEST_CASE("a random ranker is within four standard errors of its closed form, a constant one exactly there") {
    const TemporaryFolder folder;
    const Dataset data = wide_data(folder, 4000, 300);
    RunSettings run = small_run();
    run.eval_negatives = 99;
    const RankingMetrics random = ranking_metrics(rank_users(Chance(11), data, run, {})),
                         constant = ranking_metrics(rank_users(Constant(1), data, run, {}));
    check_printed(ClosedForm(metric_named("ndcg@5"), 1).mean, .0295);
    check_printed(ClosedForm(metric_named("ndcg@10"), 1).mean, .0454);
    check_printed(ClosedForm(metric_named("ndcg@50"), 1).mean, .1290);
    check_printed(ClosedForm(metric_named("mrr"), 1).mean, .0519);
    for (const Metric& metric : user_metrics()) {
      CAPTURE(metric.name);
      const ClosedForm expected(metric, random.users);
      CHECK(std::abs(random.*metric.mean - expected.mean) < 4 * expected.error);
      CHECK(constant.*metric.mean == doctest::Approx(expected.mean).epsilon(1e-12));
    }
    CHECK(random.tie_rate < 0.01);
    CHECK(constant.tie_rate == 1);
    CHECK(constant.auc == 0.5);
    CHECK(constant.hr10 == doctest::Approx(0.1));
    CHECK(constant.hr50 == doctest::Approx(0.5));
  }

  TEST_CASE("JSON results: a contradiction is a bug, not a file") {
    const TinyData tiny;
    const UserRanks ranks = rank_users(Popularity(tiny.data, 1), tiny.data, small_run(), {});
    RankingMetrics m = ranking_metrics(ranks);
    const std::vector<Interval> intervals = metric_intervals(ranks.ranks, Ties::expected, 1);
    CHECK(metrics_json("popularity", ranks.protocol, m, intervals).find("\"intervals\"") != std::string::npos);
    m.ndcg5 = m.hr5 + 0.01;
    CHECK_THROWS_AS(metrics_json("popularity", ranks.protocol, m, intervals), Bug);
  }

  TEST_CASE("the seed of training changes neither candidates nor users; the seed of evaluation does") {
    const TinyData tiny;
    RunSettings run = small_run(), other = run;
    other.seed = 99;
    const Popularity popularity(tiny.data, 1);
    const UserRanks a = rank_users(popularity, tiny.data, run, {.users = 5}),
                    b = rank_users(popularity, tiny.data, other, {.users = 5});
    CHECK(a.users == b.users);
    CHECK(a.ranks == b.ranks);
    CHECK(a.protocol == b.protocol);
    const std::vector<Target> targets = held_out_targets(tiny.data, Split::test);
    CHECK(sampled_candidates(tiny.data, run, {}, targets).items ==
          sampled_candidates(tiny.data, other, {}, targets).items);
    other.eval_seed = 99;
    CHECK(sampled_candidates(tiny.data, run, {}, targets).items !=
          sampled_candidates(tiny.data, other, {}, targets).items);
  }

  TEST_CASE("ranks say which L and K were read; rankings of other L or K are not compared, popularity with all") {
    const TinyData tiny;
    RunSettings run = small_run();
    const auto model = make_model("mean_pool", small_settings(), tiny.data, Rng(3));
    const std::string path = tiny.folder / "ranks.safetensors";
    save_ranks(rank_users(*model, tiny.data, run, {}), "model", path);
    const UserRanks ranks = load_ranks(path), popular = rank_users(Popularity(tiny.data, 1), tiny.data, run, {});
    CHECK(ranks.protocol.at(history_key) == "12");
    CHECK(ranks.protocol.at(kept_key) == "4");
    CHECK(popular.protocol.count(history_key) == 0);
    CHECK_NOTHROW(check_comparable(ranks, "a", popular, "b"));
    CHECK_NOTHROW(check_comparable(popular, "a", ranks, "b"));
    RunSettings shorter = run;
    shorter.history = 5;
    CHECK_THROWS_WITH_AS(check_comparable(ranks, "a", rank_users(*model, tiny.data, shorter, {}), "b"),
                         "b: not comparable with a: history L is '5', not '12'", Error);
    run.k = 3;
    CHECK_THROWS_WITH_AS(check_comparable(ranks, "a", rank_users(*model, tiny.data, run, {}), "b"),
                         "b: not comparable with a: kept K is '3', not '4'", Error);
  }

  TEST_CASE("a model file tells the run that trained it") {
    const TinyData tiny;
    RunSettings run = small_run();
    run.history = 7;
    run.k = 3;
    const auto model = make_model("mean_pool", small_settings(), tiny.data, Rng(3));
    save_model(*model, tiny.data, run, tiny.folder / "m");
    const RunSettings back = load_run_settings(tiny.folder / "m");
    CHECK(back.history == 7);
    CHECK(back.k == 3);
  }

  TEST_CASE("exposures: one cut-off for all of a user's, the history before the test action") {
    const TemporaryFolder folder;
    DatasetBuilder builder;
    for (int i = 0; i < 9; ++i) builder.item(fmt::format("{}", i));
    for (const char* name : {"u", "v"}) {
      const int32_t user = builder.user(name);
      for (int p = 0; p < 4; ++p) builder.add_event(user, p, 0, 10 * p, builder.events());
      // A click is an event as well: at 30 it is the last one.
      for (const auto& [item, time, clicked] :
           {std::tuple{4, 20, false}, {3, 30, true}, {5, 30, false}, {6, 35, true}, {7, 40, false}})
        builder.add_exposure(user, item, 0, time, clicked);
    }
    builder.write(folder / "data");
    const Dataset data = Dataset::open(folder / "data");
    struct Watching : Scorer {
      std::vector<real> score(std::span<const Target> targets, const Candidates& candidates) const override {
        for (const Target& t : targets) positions.push_back(t.position);
        std::vector<real> scores;
        for (const int32_t item : candidates.items) scores.push_back(static_cast<real>(item % 5));
        return scores;
      }
      mutable std::vector<int32_t> positions;
    };
    const Watching scorer;
    const ExposureMetrics m = evaluate_exposures(scorer, data);
    CHECK(m.shown == 8);
    CHECK(m.clicked == 4);
    CHECK(scorer.positions == std::vector<int32_t>(8, 3));
  }

  TEST_CASE("ranks on disk: round trip, refusals") {
    const TinyData tiny;
    RunSettings run = small_run();
    const std::string path = tiny.folder / "ranks.safetensors";
    const UserRanks ranks = rank_users(Popularity(tiny.data, 1), tiny.data, run, {});
    save_ranks(ranks, "popularity", path);
    const UserRanks back = load_ranks(path);
    CHECK(back.protocol == ranks.protocol);
    CHECK(back.users == ranks.users);
    CHECK(back.ranks == ranks.ranks);
    CHECK_NOTHROW(check_comparable(ranks, "a", back, "b"));

    run.eval_seed = 1;
    CHECK_THROWS_WITH_AS(
        check_comparable(ranks, "a", rank_users(Popularity(tiny.data, 1), tiny.data, run, {}), "b"),
        "b: not comparable with a: candidates is '9 negatives drawn with seed 1', not '9 negatives drawn with seed 42'",
        Error);
    UserRanks other = ranks;
    other.users.back() += 1;
    CHECK_THROWS_WITH_AS(check_comparable(ranks, "a", other, "b"), "b: not comparable with a: other users", Error);
    other = ranks;
    other.ranks[0].negatives = 8;
    CHECK_THROWS_WITH_AS(check_comparable(ranks, "a", other, "b"), doctest::Contains("user 0 has 8 negatives, not 9"),
                         Error);
    other.ranks[0] = {5, 5, 9};
    save_ranks(other, "wrong", path);
    CHECK_THROWS_WITH_AS(load_ranks(path), doctest::Contains("damaged: 5 above and 5 equal of 9 negatives"), Error);
    save_ranks({}, "empty", path);
    CHECK_THROWS_WITH_AS(load_ranks(path), doctest::Contains("no users"), Error);
    const auto model = make_model("mean_pool", small_settings(), tiny.data, Rng(3));
    save_model(*model, tiny.data, run, path);
    CHECK_THROWS_WITH_AS(load_ranks(path), doctest::Contains("not ranks of this program"), Error);
  }
}

TEST_SUITE("leakage") {
  TEST_CASE("validation and test negatives overlap as independent draws do; places are no times") {
    const TemporaryFolder folder;
    const Dataset data = wide_data(folder, 400, 300);
    const Leakage l = find_leakage(data, {});
    CHECK(!l.has_times);
    CHECK(l.shared_chance == doctest::Approx(99 / 298.0));
    CHECK(std::abs(l.shared - l.shared_chance) < 0.02);
    CHECK(l.same_negatives == 0);
  }
}

TEST_SUITE("published figures") {
  TEST_CASE("LastFM with its own negatives: popularity in three tie modes") {
    const TemporaryFolder folder;
    const std::optional<Dataset> data = s3rec(folder, "LastFM");
    if (!data) return;
    CHECK(data->items() == 3646);
    const UserRanks ranks = rank_users(Popularity(*data, 2), *data, {}, {});
    const auto check_row = [&](Ties ties, double hr1, double hr5, double ndcg5, double hr10, double ndcg10, double hr50,
                               double ndcg50, double mrr) {
      CAPTURE(name_of(ties));
      const RankingMetrics m = ranking_metrics(ranks, ties);
      CHECK(m.users == 1090);
      check_printed(m.hr1, hr1);
      check_printed(m.hr5, hr5);
      check_printed(m.ndcg5, ndcg5);
      check_printed(m.hr10, hr10);
      check_printed(m.ndcg10, ndcg10);
      check_printed(m.hr50, hr50);
      check_printed(m.ndcg50, ndcg50);
      check_printed(m.mrr, mrr);
    };
    check_row(Ties::optimistic, .0688, .1917, .1304, .2991, .1647, .6890, .2496, .1460);
    check_row(Ties::expected, .0688, .1899, .1293, .2919, .1619, .6654, .2437, .1443);
    check_row(Ties::pessimistic, .0688, .1881, .1282, .2853, .1593, .6450, .2384, .1426);
  }

  TEST_CASE("Beauty, all items, counts that include the test actions: S3-Rec's PopRec row") {
    const TemporaryFolder folder;
    const std::optional<Dataset> data = s3rec(folder, "Beauty");
    if (!data) return;
    RunSettings run;
    run.eval_negatives = 0;
    const UserRanks ranks = rank_users(Popularity(*data, 0), *data, run, {});
    const RankingMetrics m = ranking_metrics(ranks);
    CHECK(data->items() == 12101);
    CHECK(m.users == 22363);
    check_printed(m.hr5, .0080);
    check_printed(m.ndcg5, .0044);
    check_printed(m.hr10, .0152);
    check_printed(m.ndcg10, .0068);
    double hr20 = 0, ndcg20 = 0;
    for (const RankCount& rank : ranks.ranks) {
      hr20 += hit(rank, 20);
      ndcg20 += ndcg(rank, 20);
    }
    check_printed(hr20 / static_cast<double>(m.users), .0217);
    check_printed(ndcg20 / static_cast<double>(m.users), .0084);
  }
}
