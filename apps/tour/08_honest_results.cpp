// Chapter 8: what a difference between two models is worth (docs/tour/8-honest-results.md).
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "seminar/evaluation/bootstrap.h"
#include "seminar/evaluation/metrics.h"
#include "tensor/random.h"

using namespace seminar;

int main() {
  // The gain of one user by the rank of her positive, and of ranks that say nothing: 1 to 100 with equal chance.
  fmt::print("NDCG@10 at rank 1, 2, 10, 11: {:.4f} {:.4f} {:.4f} {:.4f}\n", ndcg({0, 0, 99}, 10), ndcg({1, 0, 99}, 10),
             ndcg({9, 0, 99}, 10), ndcg({10, 0, 99}, 10));
  fmt::print("random among 100: NDCG@10 {:.4f}, HR@10 {:.4f}\n", ndcg({0, 99, 99}, 10), hit({0, 99, 99}, 10));

  // A model that gives every candidate the same score, by three rules for ties.
  for (const Ties ties : {Ties::expected, Ties::optimistic, Ties::pessimistic})
    fmt::print("constant scores, ties {:<12} HR@10 {:.2f}\n", name_of(ties), hit(settle({0, 99, 99}, ties), 10));

  // The same skill among 99 negatives and in a catalogue of 10,000: some users are harder.
  Rng rng(1);
  const auto skill = [&](int64_t negatives) {
    std::vector<RankCount> ranks;
    for (int u = 0; u < 1000; ++u) {
      RankCount r{0, 0, negatives};
      const double chance = std::pow(rng.uniform(), 4) / 4;  // most users are easy, some are not
      for (int64_t i = 0; i < negatives; ++i) r.above += rng.chance(chance);
      ranks.push_back(r);
    }
    return ranking_metrics(ranks).ndcg10;
  };
  const double sampled = skill(99), full = skill(10000);
  fmt::print("\none skill: NDCG@10 {:.4f} among 99 negatives, {:.4f} among 10,000\n\n", sampled, full);

  // Two models on the same 400 users. Users differ far more than models do: B is better than A by a little, for many.
  std::vector<RankCount> first, second;
  for (int u = 0; u < 400; ++u) {
    const int64_t place = rng.below(rng.chance(0.5) ? 5 : 60);
    first.push_back({place, 0, 99});
    second.push_back({std::max<int64_t>(0, place - (rng.chance(0.3) ? 1 : 0) + (rng.chance(0.1) ? 1 : 0)), 0, 99});
  }
  const Metric& metric = metric_named("ndcg@10");
  const std::vector<double> a = gains(metric, first), b = gains(metric, second);
  const auto show = [](const char* name, const Interval& i) {
    fmt::print("{:<8} {:.4f}  95 % interval [{:.4f}, {:.4f}]\n", name, i.mean, i.low, i.high);
  };
  show("A", bootstrap(a, 1));
  show("B", bootstrap(b, 1));
  show("B - A", bootstrap_difference(b, a, 1));
  fmt::print("p by random signs {:.4f}; were it the best of 10 tries, by Holm {:.4f}\n", sign_flip_test(b, a, 1), [&] {
    std::vector<double> p(10, 1);
    p[0] = sign_flip_test(b, a, 1);
    return holm(p)[0];
  }());

  // How precise can a mean over n users be? Gains lie in [0, 1], so their deviation is at most ½.
  for (const double n : {400., 25877., 297000.})
    fmt::print("{:>6.0f} users: half an interval is at most {:.4f}\n", n, 1.96 * 0.5 / std::sqrt(n));
}
