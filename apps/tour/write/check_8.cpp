// Checks chapter 8's part to write yourself.
#include EXERCISE
#include "grader.h"

using namespace tour;

int main() {
  Grader grader;
  grader.expect("the place of a positive: negatives above, negatives level with it", {1, 2}, [] {
    const Place p = place(0.5, {0.9, 0.5, 0.1, 0.5});
    return Numbers{double(p.above), double(p.ties)};
  });
  grader.expect("HR@10 at rank 1, 10, 11", {1, 1, 0}, [] {
    return Numbers{hit_rate({0, 0}, 10), hit_rate({9, 0}, 10), hit_rate({10, 0}, 10)};
  });
  grader.expect("NDCG@10 at rank 1, 2, 10, 11", {1, 1 / std::log2(3), 1 / std::log2(11), 0}, [] {
    return Numbers{ndcg({0, 0}, 10), ndcg({1, 0}, 10), ndcg({9, 0}, 10), ndcg({10, 0}, 10)};
  });
  grader.expect("equal scores for all 100 candidates: HR@10 is 0.1", {0.1}, [] {
    return Numbers{hit_rate({0, 99}, 10)};
  });
  grader.expect("the exercise on paper: one above, three level, NDCG@2", {0.25 / std::log2(3)}, [] {
    return Numbers{ndcg({1, 3}, 2)};
  });
  std::vector<double> hits(100, 0.0);
  std::fill_n(hits.begin(), 36, 1.0);
  grader.expect("36 hits of 100: the mean", {0.36}, [&] { return Numbers{bootstrap(hits, std::mt19937_64(1)).mean}; });
  grader.expect(
      "its interval, to 0.02 of 0.36 ± 0.094", {0.266, 0.454},
      [&] {
        const Interval interval = bootstrap(hits, std::mt19937_64(1));
        return Numbers{interval.low, interval.high};
      },
      0.02);
  // Users differ much, models little: B is better by 0.01 to 0.03 for each user.
  std::mt19937_64 random(8);
  std::vector<double> a(400), b(400);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<double>(random() % 1000) / 1000;
    b[i] = a[i] + 0.01 + static_cast<double>(random() % 1000) / 1000 * 0.02;
  }
  grader.expect("the intervals of A and B overlap, the paired one is above 0 (1 = yes)", {1, 1}, [&] {
    const Interval of_a = bootstrap(a, std::mt19937_64(1)), of_b = bootstrap(b, std::mt19937_64(1)),
                   paired = paired_difference(a, b, std::mt19937_64(1));
    return Numbers{of_a.high > of_b.low && of_a.low >= 0 ? 1.0 : 0.0, paired.low > 0.015 ? 1.0 : 0.0};
  });
  return grader.finish();
}
