// Studies: the rule of verdicts, intervals over users and seeds, jobs that are not run twice.
#include <doctest/doctest.h>

#include <cmath>

#include "seminar/studies/paper_studies.h"
#include "seminar/studies/planted_study.h"
#include "tests/tiny_data.h"

using namespace seminar;

TEST_SUITE("studies") {
  TEST_CASE("a verdict follows from the interval alone") {
    CHECK(verdict({0.1, 0.01, 0.2}) == Verdict::reproduced);
    CHECK(verdict({0.1, -0.01, 0.2}) == Verdict::not_reproduced);
    CHECK(verdict({0, 0, 0}) == Verdict::not_reproduced);
    CHECK(verdict({-0.1, -0.2, -0.01}) == Verdict::reversed);
    CHECK(test_claim({"nobody has the data"}, {}, {}, 1).verdict == Verdict::not_testable);
  }

  TEST_CASE("the bootstrap draws users and seeds, groups apart, and leaves out users without a value") {
    const Interval equal = seed_bootstrap({{{2, 2, 2}, {2, 2, 2}}}, 1);
    CHECK(equal.mean == 2);
    CHECK(equal.low == 2);
    CHECK(equal.high == 2);
    const Interval seeds = seed_bootstrap({{{0, 0, 0}, {4, 4, 4}}}, 1);  // users alike, seeds not
    CHECK(seeds.mean == 2);
    CHECK(seeds.low == 0);
    CHECK(seeds.high == 4);
    const Interval missing = seed_bootstrap({{{1, std::nan(""), 3}}, {{10}}}, 1);
    CHECK(missing.mean == 12);
    CHECK(missing.low >= 11);
    CHECK(missing.high <= 13);
    CHECK_THROWS_WITH_AS(seed_bootstrap({{{std::nan("")}}}, 1), "bootstrap: no user has a value", Error);
    CHECK_THROWS_WITH_AS(seed_bootstrap({{{1, 2}, {1}}}, 1), "bootstrap: every seed needs the same users", Error);
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
    const Finding self = test_claim(
        {"a model is not better than itself", {{"tiny", "trained", 1}, {"tiny", "trained", -1}}}, jobs, second, 1);
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
