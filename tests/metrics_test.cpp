// Metrics, intervals and tests of differences, by hand and by closed forms.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "seminar/evaluation/bootstrap.h"
#include "seminar/evaluation/metrics.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

using namespace seminar;

namespace {

// A row as it was printed; NDCG@1 apart.
RankingMetrics printed(double hr1, double ndcg1, double hr5, double ndcg5, double hr10, double ndcg10, double hr50,
                       double ndcg50, double mrr) {
  RankingMetrics m;
  m.hr1 = hr1, m.hr5 = hr5, m.hr10 = hr10, m.hr50 = hr50;
  m.ndcg1 = ndcg1, m.ndcg5 = ndcg5, m.ndcg10 = ndcg10, m.ndcg50 = ndcg50;
  m.mrr = mrr;
  m.candidates = 100;
  return m;
}

constexpr double four_digits = 2e-4;  // sums and differences of numbers rounded to four digits

std::vector<double> drawn(std::size_t n, uint64_t seed, double chance) {
  Rng rng(seed);
  std::vector<double> values(n);
  for (double& v : values) v = rng.chance(chance) ? 1 : 0;
  return values;
}

}  // namespace

TEST_SUITE("metrics") {
  TEST_CASE("identities hold on random scores, with and without ties") {
    Rng rng(5);
    for (int round = 0; round < 20; ++round) {
      std::vector<real> scores(40 * 100);
      for (real& s : scores) s = static_cast<real>(round % 2 == 0 ? rng.normal() : static_cast<double>(rng.below(8)));
      for (const Ties ties : {Ties::expected, Ties::optimistic, Ties::pessimistic})
        CHECK_NOTHROW(check_identities(ranking_metrics(rank_counts(scores, 100), ties)));
    }
    CHECK_NOTHROW(check_identities(ranking_metrics(std::vector<RankCount>{{3, 2, 7}, {0, 0, 1}, {900, 99, 5000}})));
  }

  TEST_CASE("the identity checker refuses the authors' KuaiSAR rows and accepts their Amazon rows") {
    const auto refused = [](const RankingMetrics& m, const char* message) {
      CHECK_THROWS_WITH_AS(check_identities(m, four_digits), doctest::Contains(message), Bug);
    };
    refused(printed(.2129, .2129, .2638, .2523, .3082, .2661, .6259, .3293, .2330), "NDCG@5 - NDCG@1 = 0.039400");
    refused(printed(.2139, .2139, .3272, .2535, .3636, .2672, .6219, .3312, .2782), "NDCG@5 - NDCG@1 = 0.039600");
    refused(printed(.2191, .1891, .2839, .2642, .3270, .2756, .6107, .3313, .2476), "HR@1 = 0.219100 exceeds NDCG@1");
    refused(printed(.2185, .2185, .2427, .2558, .2846, .2709, .6117, .3294, .2110), "NDCG@5 = 0.255800 exceeds HR@5");
    refused(printed(.2248, .2248, .3520, .2816, .3886, .2969, .6782, .3457, .2687), "NDCG@10 - NDCG@5 = 0.015300");
    // MRR alone.
    refused(printed(.2129, .2129, .2638, .2400, .3082, .2553, .6259, .3200, .2330), "least MRR");
    refused(printed(.2129, .2129, .2638, .2400, .3082, .2553, .6259, .3200, .3330), "MRR = 0.333000 exceeds the most");
    for (const RankingMetrics& m : {printed(.2203, .2203, .4815, .3573, .6011, .3959, .8778, .4577, .3473),
                                    printed(.2200, .2200, .4964, .3650, .6146, .4038, .8786, .4630, .3521),
                                    printed(.2233, .2233, .4898, .3626, .6076, .4008, .8771, .4607, .3511),
                                    printed(.2223, .2223, .4915, .3627, .6116, .4017, .8766, .4605, .3508),
                                    printed(.2261, .2261, .4933, .3661, .6107, .4041, .8785, .4636, .3543)})
      CHECK_NOTHROW(check_identities(m, four_digits));
  }

  TEST_CASE("known places") {
    const RankingMetrics m = ranking_metrics(rank_counts(std::vector<real>{3, 5, 1, 0}, 4));  // second of four
    CHECK(m.hr1 == 0);
    CHECK(m.ndcg5 == doctest::Approx(1 / std::log2(3)));
    CHECK(m.mrr == doctest::Approx(0.5));
    CHECK(m.auc == doctest::Approx(2.0 / 3));
    CHECK(m.tie_rate == 0);
  }

  TEST_CASE("ties: expected is the mean over the places, optimistic the best, pessimistic the worst") {
    const RankCount rank{3, 2, 9};  // place 4, 5 or 6 of 10
    CHECK(hit(rank, 5) == doctest::Approx(2.0 / 3));
    CHECK(hit(settle(rank, Ties::optimistic), 4) == 1);
    CHECK(hit(settle(rank, Ties::pessimistic), 5) == 0);
    CHECK(ndcg(rank, 5) == doctest::Approx((1 / std::log2(5) + 1 / std::log2(6)) / 3));
    CHECK(reciprocal_rank(rank) == doctest::Approx((1.0 / 4 + 1.0 / 5 + 1.0 / 6) / 3));
    CHECK(reciprocal_rank(settle(rank, Ties::pessimistic)) == doctest::Approx(1.0 / 6));
    CHECK(user_auc(rank) == doctest::Approx(5.0 / 9));
    CHECK(user_auc(settle(rank, Ties::optimistic)) == doctest::Approx(6.0 / 9));
    CHECK(settle(rank, Ties::expected) == rank);
    for (const Ties ties : {Ties::expected, Ties::optimistic, Ties::pessimistic}) {
      CHECK(ties_named(name_of(ties)) == ties);
      CHECK(ranking_metrics(std::vector{rank}, ties).tie_rate == 1);
    }
    CHECK_THROWS_WITH_AS(ties_named("lucky"), "--ties: must be one of expected, optimistic, pessimistic: 'lucky'",
                         Error);
  }

  TEST_CASE("1 / rank of a tie over a catalogue equals the sum") {
    for (const RankCount& rank : {RankCount{0, 5000, 9000}, RankCount{990, 30, 9000}, RankCount{1700, 4000, 9000},
                                  RankCount{999, 0, 9000}, RankCount{1000, 0, 9000}, RankCount{4000, 0, 9000}}) {
      double sum = 0;
      for (int64_t place = rank.above + 1; place <= rank.above + rank.ties + 1; ++place)
        sum += 1 / static_cast<double>(place);
      CHECK(std::abs(reciprocal_rank(rank) * static_cast<double>(rank.ties + 1) / sum - 1) < 1e-11);
    }
  }

  TEST_CASE("metrics by name, values of users") {
    const std::vector<RankCount> ranks{{0, 0, 9}, {4, 1, 9}, {8, 0, 9}};
    const RankingMetrics m = ranking_metrics(ranks);
    for (const Metric& metric : user_metrics()) {
      const std::vector<double> values = gains(metric_named(metric.name), ranks);
      CHECK(m.*metric.mean == doctest::Approx(std::accumulate(values.begin(), values.end(), 0.0) / 3));
    }
    CHECK(gains(metric_named("hr@5"), ranks) == std::vector<double>{1, 0.5, 0});
    CHECK(gains(metric_named("hr@5"), ranks, Ties::optimistic) == std::vector<double>{1, 1, 0});
    CHECK_THROWS_WITH_AS(metric_named("ndcg@7"), doctest::Contains("metric: must be one of ndcg@1, "), Error);
  }

  TEST_CASE("NaN and undefined AUC are errors") {
    const std::vector<real> scores{1, 2, static_cast<real>(std::nan(""))};
    CHECK_THROWS_WITH_AS(rank_counts(scores, 3), doctest::Contains("candidate 2 of evaluated user 0 is NaN"), Error);
    const std::vector<uint8_t> ones{1, 1};
    CHECK_THROWS_WITH_AS(auc(std::vector<real>{1, 2}, ones), doctest::Contains("auc: undefined"), Error);
    CHECK_THROWS_WITH_AS(auc(scores, std::vector<uint8_t>{1, 0, 0}), "auc: score 2 is NaN", Error);
    CHECK_THROWS_WITH_AS(calibration(scores, std::vector<uint8_t>{1, 0, 0}), "calibration: score 2 is NaN", Error);
    CHECK_THROWS_WITH_AS(exposure_metrics(std::vector<real>{1, 2}, ones, std::vector<int32_t>{0, 0}),
                         doctest::Contains("auc: undefined: 2 positive and 0 negative labels"), Error);
  }
}

TEST_SUITE("click metrics") {
  TEST_CASE("log loss and calibration by hand") {
    const real certain = static_cast<real>(std::log(3));  // probability 3/4
    const std::vector<real> logits{certain, certain, certain, certain, 0, 0};
    const std::vector<uint8_t> labels{1, 1, 1, 0, 1, 0};
    const Calibration c = calibration(logits, labels);
    CHECK(c.log_loss == doctest::Approx(-(3 * std::log(.75) + std::log(.25) + 2 * std::log(.5)) / 6));
    CHECK(c.mean_prediction == doctest::Approx(4.0 / 6));
    CHECK(c.mean_label == doctest::Approx(4.0 / 6));
    CHECK(c.ratio() == doctest::Approx(1));
    CHECK(c.error == doctest::Approx(0).epsilon(1e-6));
    // The order among equal predictions does not matter.
    const Calibration again = calibration(logits, std::vector<uint8_t>{0, 1, 1, 1, 0, 1});
    CHECK(again.error == doctest::Approx(c.error));
    CHECK(again.log_loss == doctest::Approx(c.log_loss));
    // Ten bins of two; each promises 1/2, five hold two positives and five none.
    std::vector<real> rising(20);
    std::vector<uint8_t> half(20);
    for (std::size_t i = 0; i < 20; ++i) rising[i] = static_cast<real>(1e-4 * static_cast<double>(i)), half[i] = i < 10;
    CHECK(calibration(rising, half).error == doctest::Approx(0.5).epsilon(1e-3));
    // 13 of the same kind: bins 0 to 9 begin at 0 1 2 3 5 6 7 9 10 11; the last bin is 11 and 12.
    std::vector<real> logits13(13);
    std::vector<uint8_t> labels13(13);
    for (std::size_t i = 0; i < 13; ++i)
      logits13[i] = static_cast<real>(1e-4 * static_cast<double>(i)), labels13[i] = i == 3 || i >= 11;
    // Gaps of 1/2 a member, but for the bin of 3 and 4, where one label of two makes up for two halves.
    CHECK(calibration(logits13, labels13).error == doctest::Approx((8 * 0.5 + 2 * 0.5 + 0.5) / 13).epsilon(1e-3));
    const Calibration sure = calibration(std::vector<real>{1000, -1000}, std::vector<uint8_t>{0, 0});
    CHECK(sure.log_loss == doctest::Approx(500));
    CHECK(std::isinf(sure.ratio()));
  }

  TEST_CASE("GAUC by impressions, by clicks, unweighted; users with one label dropped") {
    //                               user 0: AUC 1/2    user 1: AUC 1      user 2    user 3
    const std::vector<real> scores{3, 2, 1, /**/ 4, 3, 2, 1, 0, /**/ 1, 2, /**/ 5};
    const std::vector<uint8_t> clicked{0, 1, 0, /**/ 1, 1, 0, 0, 0, /**/ 0, 0, /**/ 1};
    const std::vector<int32_t> user{0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 3};
    const ExposureMetrics m = exposure_metrics(scores, clicked, user);
    CHECK(m.shown == 11);
    CHECK(m.clicked == 4);
    CHECK(m.dropped_users == 2);
    REQUIRE(m.users.size() == 2);
    CHECK(m.users[0].auc == doctest::Approx(0.5));
    CHECK(m.gauc == doctest::Approx((3 * 0.5 + 5 * 1) / 8));
    CHECK(m.gauc_clicks == doctest::Approx((1 * 0.5 + 2 * 1) / 3));
    CHECK(m.gauc_users == doctest::Approx(0.75));
    CHECK(m.auc == doctest::Approx(auc(scores, clicked)));
  }
}

TEST_SUITE("bootstrap") {
  TEST_CASE("the interval of a share is that of its standard error") {
    const std::vector<double> values = drawn(4000, 3, 0.3);
    const Interval i = bootstrap(values, 1);
    const double error = std::sqrt(i.mean * (1 - i.mean) / 4000);
    CHECK(std::abs((i.high - i.mean) / (1.96 * error) - 1) < 0.1);
    CHECK(std::abs((i.mean - i.low) / (1.96 * error) - 1) < 0.1);
    const Interval one = bootstrap(std::vector<double>{2}, 1);
    CHECK((one.low == 2 && one.mean == 2 && one.high == 2));
    CHECK_THROWS_WITH_AS(bootstrap({}, 1), "bootstrap: no values", Error);
  }

  TEST_CASE("the 95 % interval holds the truth about 95 times in 100") {
    int held = 0;
    for (uint64_t round = 0; round < 200; ++round) {
      const Interval i = bootstrap(drawn(200, 100 + round, 0.4), round);
      held += i.low <= 0.4 && 0.4 <= i.high;
    }
    CHECK(held >= 183);
    CHECK(held <= 199);
  }

  TEST_CASE("paired differences are narrower than unpaired ones, and do not depend on threads") {
    const int before = threads();
    const std::vector<double> a = drawn(1000, 7, 0.5);
    std::vector<double> b = a;
    for (std::size_t i = 0; i < 30; ++i) b[i] = 1;  // at most 30 users differ
    const Interval d = bootstrap_difference(b, a, 1);
    CHECK(d.low > 0);
    CHECK(d.high < 0.03);
    const double p = sign_flip_test(b, a, 1);
    CHECK(p < 0.001);
    for (const int n : {1, 2, 3}) {
      set_threads(n);
      const Interval again = bootstrap_difference(b, a, 1);
      CHECK((again.low == d.low && again.high == d.high));
      CHECK(sign_flip_test(b, a, 1) == p);
    }
    set_threads(before);
    CHECK_THROWS_WITH_AS(bootstrap_difference(a, {}, 1), "paired differences: 1000 and 0 values", Error);
  }

  TEST_CASE("random signs: the chance of all alike, and nothing where nothing differs") {
    const std::vector<double> zero(5, 0), up{1, 2, 0.5, 0, 0};
    CHECK(std::abs(sign_flip_test(up, zero, 1) - 2.0 / 8) < 0.02);  // three signs
    CHECK(sign_flip_test(zero, zero, 1) == 1);
    // Under no difference, p is below 0.1 about once in ten.
    int low = 0;
    for (uint64_t round = 0; round < 50; ++round)
      low += sign_flip_test(drawn(150, 2 * round, 0.5), drawn(150, 2 * round + 1, 0.5), round) < 0.1;
    CHECK(low <= 12);
  }

  TEST_CASE("Holm's correction") {
    CHECK(holm(std::vector<double>{0.01, 0.04, 0.03}) == std::vector<double>{0.03, 0.06, 0.06});
    CHECK(holm(std::vector<double>{0.5, 0.9}) == std::vector<double>{1, 1});
    CHECK(holm({}).empty());
  }
}
