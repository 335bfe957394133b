// Checks chapter 5's part to write yourself.
#include EXERCISE
#include "grader.h"

using namespace tour;

int main() {
  Grader grader;
  grader.expect("cross entropy at chance level, one of five: ln 5", {std::log(5)}, [] {
    return Numbers{cross_entropy({2, 2, 2, 2, 2})};
  });
  grader.expect("cross entropy of (1, 2, 3)", {std::log(1 + std::exp(1) + std::exp(2))}, [] {
    return Numbers{cross_entropy({1, 2, 3})};
  });
  grader.expect("cross entropy of (1000, -1000) and of (-1000, 1000)", {0, 2000}, [] {
    return Numbers{cross_entropy({1000, -1000}), cross_entropy({-1000, 1000})};
  });
  const std::vector<double> z{0.3, -1, 2};
  Numbers differences;
  for (std::size_t i = 0; i < z.size(); ++i) {
    std::vector<double> above = z, below = z;
    above[i] += 1e-5, below[i] -= 1e-5;
    differences.push_back((std::log(std::exp(above[0]) + std::exp(above[1]) + std::exp(above[2])) - above[0] -
                           std::log(std::exp(below[0]) + std::exp(below[1]) + std::exp(below[2])) + below[0]) /
                          2e-5);
  }
  grader.expect("its gradient agrees with differences", differences, [&] { return cross_entropy_gradient(z); });
  const std::vector<std::vector<double>> a{{1, 0}, {0, 1}}, b{{0.8, 0.6}, {0.6, 0.8}};
  grader.expect("the exercise on paper: cosines 0.8 and 0.6, s = 5", {std::log(1 + std::exp(-1))},
                [&] { return Numbers{clip_loss(a, b, 5, 1)}; });
  const std::vector<std::vector<double>> same(12, {1});
  grader.expect("12 equal vectors in 1, 2, 3, 4 chunks",
                {std::log(12), 2 * std::log(6), 3 * std::log(4), 4 * std::log(3)}, [&] {
                  Numbers losses;
                  for (const std::size_t chunks : {1, 2, 3, 4}) losses.push_back(clip_loss(same, same, 7, chunks));
                  return losses;
                });
  const std::vector<std::vector<double>> seven(7, {1});
  grader.expect("7 equal vectors in 2 chunks: 4 and 3", {std::log(4) + std::log(3)},
                [&] { return Numbers{clip_loss(seven, seven, 1, 2)}; });
  grader.expect("a scale of 2000 overflows nowhere", {0}, [&] { return Numbers{clip_loss(a, a, 2000, 1)}; });
  grader.expect(
      "binary cross entropy of 0, 2, -2 with label 1, and of 2 with label 0",
      {std::log(2), std::log(1 + std::exp(-2)), std::log(1 + std::exp(2)), std::log(1 + std::exp(2))}, [] {
        return Numbers{bce_with_logits(0, 1), bce_with_logits(2, 1), bce_with_logits(-2, 1), bce_with_logits(2, 0)};
      });
  grader.expect("binary cross entropy of 1000 and -1000", {0, 1000, 1000, 0}, [] {
    return Numbers{bce_with_logits(1000, 1), bce_with_logits(1000, 0), bce_with_logits(-1000, 1),
                   bce_with_logits(-1000, 0)};
  });
  return grader.finish();
}
