// Chapter 6, the solution.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace tour {

using Row = std::vector<double>;
using Matrix = std::vector<Row>;

inline Row folded(const Row& q, const std::vector<Matrix>& wq, const std::vector<Matrix>& wk) {
  const std::size_t d = q.size();
  Row result(d);
  for (std::size_t h = 0; h < wq.size(); ++h) {
    Row asked(d);  // q W_h^Q
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = 0; j < d; ++j) asked[j] += q[i] * wq[h][i][j];
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = 0; j < d; ++j) result[i] += asked[j] * wk[h][i][j];
  }
  return result;
}

inline std::vector<std::size_t> top_k(const Row& scores, const std::vector<bool>& real, std::size_t k) {
  std::vector<std::size_t> kept;
  for (std::size_t l = 0; l < scores.size(); ++l)
    if (real[l]) kept.push_back(l);
  std::stable_sort(kept.begin(), kept.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  kept.resize(std::min(k, kept.size()));
  return kept;
}

inline double covered(const Row& scores, const std::vector<std::size_t>& kept) {
  const double highest = *std::max_element(scores.begin(), scores.end());
  double all = 0, part = 0;
  for (const double score : scores) all += std::exp(score - highest);
  for (const std::size_t l : kept) part += std::exp(scores[l] - highest);
  return part / all;
}

}  // namespace tour
