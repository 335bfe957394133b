// Studies: the rule of verdicts, intervals over users and seeds, jobs that are not run twice.
#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "seminar/studies/paper_studies.h"
#include "seminar/studies/planted_study.h"
#include "tests/tiny_data.h"

using namespace seminar;

TEST_SUITE("studies") {
  TEST_CASE("a verdict follows from the contrast's sign and the corrected p alone") {
    CHECK(verdict(0.1, 0.05) == Verdict::reproduced);
    CHECK(verdict(0.1, 0.051) == Verdict::not_reproduced);
    CHECK(verdict(0, 0) == Verdict::not_reproduced);
    CHECK(verdict(-0.1, 0.01) == Verdict::reversed);
    const std::vector<Claim> claims{{"nobody has the data"}};
    CHECK(test_claims(claims, {}, {}, 1)[0].verdict == Verdict::not_testable);
  }

  TEST_CASE("the bootstrap draws users and seeds, groups apart, and leaves out users without a value") {
    const auto group = [](std::vector<std::vector<double>> values) {
      SeedValues seeds;
      for (std::vector<double>& v : values) {
        std::vector<int32_t> users(v.size());
        std::iota(users.begin(), users.end(), 0);
        seeds.push_back({std::move(users), std::move(v)});
      }
      return seeds;
    };
    const Contrast equal = seed_bootstrap({group({{2, 2, 2}, {2, 2, 2}})}, 1);
    CHECK(equal.mean == 2);
    CHECK(equal.low == 2);
    CHECK(equal.high == 2);
    CHECK(equal.p == doctest::Approx(2.0 / 1001));
    CHECK(seed_bootstrap({group({{2, 2}})}, 1, 2).p == 1);  // the threshold is what is there
    CHECK(seed_bootstrap({group({{2, 2}})}, 1, 3).mean == -1);
    const Contrast seeds = seed_bootstrap({group({{0, 0, 0}, {4, 4, 4}})}, 1);  // users alike, seeds not
    CHECK(seeds.mean == 2);
    CHECK(seeds.low == 0);
    CHECK(seeds.high == 4);
    CHECK(seeds.p == doctest::Approx(0.5).epsilon(0.2));  // a quarter of the draws has the first seed only
    const Contrast missing = seed_bootstrap({group({{1, std::nan(""), 3}}), group({{10}})}, 1);
    CHECK(missing.mean == 12);
    CHECK(missing.low >= 11);
    CHECK(missing.high <= 13);
    CHECK_THROWS_WITH_AS(seed_bootstrap({group({{std::nan("")}})}, 1), "bootstrap: no user has a value", Error);
    CHECK_THROWS_WITH_AS(seed_bootstrap({{{{1, 2}, {1}}}}, 1), "bootstrap: 1 values for 2 users", Error);
  }

  TEST_CASE("seeds that evaluated other users: each user is a column of its own") {
    // Users 0 and 1 with the first seed, 1 and 2 with the second. By place, the seeds would look equal.
    const SeedValues values{{{0, 1}, {0, 6}}, {{1, 2}, {6, 0}}};
    const Contrast c = seed_bootstrap({values}, 1);
    CHECK(c.mean == 3);
    // A draw without user 1 is 0, one with user 1 alone is 6.
    CHECK(c.low == 0);
    CHECK(c.high == 6);
    const SeedValues many{{{0, 1, 2, 3}, {1, 1, 1, 1}}, {{7, 8, 9, 10}, {1, 1, 1, 1}}};
    const Contrast same = seed_bootstrap({many}, 1);
    CHECK(same.low == 1);
    CHECK(same.high == 1);
  }

  TEST_CASE("verdicts are corrected for their number by Holm") {
    const TinyData tiny;
    const Experiment a{"a", 0, "random", {}, small_run()}, b{"b", 0, "random", {}, small_run()};
    const std::vector<Job> jobs{{&a, &tiny.data, "tiny", 1}, {&b, &tiny.data, "tiny", 1}};
    std::vector<Outcome> outcomes(2);
    for (int u = 0; u < 200; ++u) {  // 2.2 standard errors above zero: a p of about 0.03
      outcomes[0].measured.push_back((u % 2 == 0 ? 1 : -1) + 2.2 / std::sqrt(200.0));
      outcomes[1].measured.push_back(0);
    }
    const Claim claim{"a is above b", {{"tiny", "a", 1}, {"tiny", "b", -1}}, "measured"};
    const std::vector<Claim> one{claim}, five(5, claim);
    const Finding alone = test_claims(one, jobs, outcomes, 1)[0];
    CHECK(alone.seeds == 1);
    CHECK(alone.p_holm == alone.contrast.p);
    REQUIRE(alone.contrast.p < 0.05);
    REQUIRE(alone.contrast.p > 0.01);
    CHECK(alone.verdict == Verdict::reproduced);
    for (const Finding& f : test_claims(five, jobs, outcomes, 1)) {
      CHECK(f.p_holm == doctest::Approx(5 * f.contrast.p));
      CHECK(f.verdict == Verdict::not_reproduced);
    }
  }

  TEST_CASE("jobs are run once: the second time their outcomes are read, unless a setting changed") {
    const TinyData tiny;
    Experiment trained{"trained", 0, "mean_pool", small_settings(), small_run()};
    const Experiment popular{"popular", 0, "popularity", {}, small_run()};
    const std::vector<Job> jobs{{&trained, &tiny.data, "tiny", 1}, {&popular, &tiny.data, "tiny", 1}};
    const std::string dir = tiny.folder / "runs";
    int steps = 0;
    const auto count = [&](int64_t, int64_t, const std::string&) { ++steps; };
    const std::vector<Outcome> first = run_jobs(jobs, dir, count);
    const int trained_steps = steps;
    steps = 0;
    const std::vector<Outcome> second = run_jobs(jobs, dir, count);
    CHECK(trained_steps > 2);
    CHECK(steps == 2);  // told of, not run
    for (std::size_t i = 0; i < jobs.size(); ++i) CHECK(first[i].ranks.ranks == second[i].ranks.ranks);
    CHECK(second[0].passes == trained.run.epochs);
    const std::vector<Claim> claims{
        {"a model is not better than itself", {{"tiny", "trained", 1}, {"tiny", "trained", -1}}}};
    const Finding self = test_claims(claims, jobs, second, 1)[0];
    CHECK(self.contrast.mean == 0);
    CHECK(self.verdict == Verdict::not_reproduced);
    steps = 0;
    trained.run.lr *= 2;
    run_jobs(jobs, dir, count);
    CHECK(steps > 2);
    CHECK_THROWS_WITH_AS(values_of(jobs, second, "tiny", "nobody", "ndcg@10"), "study: no outcome of 'nobody' on tiny",
                         Error);
  }

  TEST_CASE("plans: all models make equal passes if asked, and every claim names experiments of its plan") {
    for (const std::string& name : paper_studies())
      for (const bool matched : {true, false}) {
        const StudySet set = study_set("lastfm", false);
        const StudyPlan plan = plan_study(name, set, matched);
        for (const Experiment& e : plan.experiments) {
          const int64_t passes = e.run.epochs + (e.pretrain ? e.pretrain->epochs : 0);
          if (matched && name != "figure3") CHECK(passes == set.run.epochs);
        }
        for (const Claim& claim : plan.claims)
          for (const Term& term : claim.terms)
            CHECK(std::any_of(plan.experiments.begin(), plan.experiments.end(),
                              [&](const Experiment& e) { return e.name == term.experiment; }));
      }
    CHECK_THROWS_AS(plan_study("table9", study_set("lastfm", true), true), Error);
    CHECK_THROWS_AS(planted_effect("nothing", true), Error);
    for (const std::string& name : planted_effects()) CHECK(planted_effect(name, true).size() == 2);
  }
}
