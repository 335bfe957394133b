// Checks chapter 6's part to write yourself.
#include EXERCISE
#include <random>

#include "grader.h"

using namespace tour;

namespace {

Numbers numbers(const std::vector<std::size_t>& positions) { return {positions.begin(), positions.end()}; }

std::mt19937_64 generator(6);

std::vector<double> random_row(std::size_t n) {
  std::normal_distribution<double> normal;
  std::vector<double> row(n);
  for (double& v : row) v = normal(generator);
  return row;
}

std::vector<std::vector<double>> random_matrix(std::size_t rows, std::size_t cols) {
  std::vector<std::vector<double>> m(rows);
  for (auto& row : m) row = random_row(cols);
  return m;
}

}  // namespace

int main() {
  Grader grader;
  const std::size_t d = 5, length = 7;
  const auto q = random_row(d);
  const std::vector<std::vector<std::vector<double>>> wq{random_matrix(d, d), random_matrix(d, d)},
      wk{random_matrix(d, d), random_matrix(d, d)};
  const auto keys = random_matrix(length, d);
  Numbers by_head;  // Σ_h (q W_h^Q)(k_l W_h^K)ᵀ as it is written
  for (const auto& key : keys) {
    double total = 0;
    for (std::size_t h = 0; h < 2; ++h)
      for (std::size_t j = 0; j < d; ++j) {
        double asked = 0, answer = 0;
        for (std::size_t i = 0; i < d; ++i) asked += q[i] * wq[h][i][j], answer += key[i] * wk[h][i][j];
        total += asked * answer;
      }
    by_head.push_back(total);
  }
  grader.expect("one vector scores as two heads do", by_head, [&] {
    const auto f = folded(q, wq, wk);
    Numbers scores;
    for (const auto& key : keys) {
      scores.push_back(0);
      for (std::size_t i = 0; i < f.size(); ++i) scores.back() += f[i] * key[i];
    }
    return scores;
  });
  const std::vector<bool> all(5, true);
  grader.expect("the exercise on paper: sums (4, 4, 4, 4, 6), K = 3", {4, 0, 1}, [&] {
    return numbers(top_k({4, 4, 4, 4, 6}, all, 3));
  });
  grader.expect("the same, behaviour 0 is padding", {4, 1, 2}, [] {
    return numbers(top_k({4, 4, 4, 4, 6}, {false, true, true, true, true}, 3));
  });
  grader.expect("K larger than what is real; padding has the best score", {2, 0}, [] {
    return numbers(top_k({-3, 100, 5}, {true, false, true}, 10));
  });
  grader.expect("share of the attention: scores (ln 2, 0, 0), kept the first", {0.5}, [] {
    return Numbers{covered({std::log(2), 0, 0}, {0})};
  });
  grader.expect("the same with scores above 1000", {0.75}, [] {
    return Numbers{covered({1000 + std::log(2), 1000, 1000}, {0, 2})};
  });
  return grader.finish();
}
