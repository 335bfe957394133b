// Chapter 5, the solution.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace tour {

using Row = std::vector<double>;

/// log Σ_k exp(z_k). The largest is taken out, so that nothing overflows.
inline double log_sum_exp(const Row& z) {
  const double highest = *std::max_element(z.begin(), z.end());
  double total = 0;
  for (const double v : z) total += std::exp(v - highest);
  return highest + std::log(total);
}

inline double cross_entropy(const Row& logits) { return log_sum_exp(logits) - logits[0]; }

inline Row cross_entropy_gradient(const Row& logits) {
  const double log_total = log_sum_exp(logits);
  Row gradient;
  for (const double z : logits) gradient.push_back(std::exp(z - log_total));
  gradient[0] -= 1;
  return gradient;
}

inline double clip_loss(const std::vector<Row>& a, const std::vector<Row>& b, double s, std::size_t chunks) {
  const std::size_t length = a.size(), run = (length + chunks - 1) / chunks;
  const auto score = [&](std::size_t l, std::size_t k) {
    double total = 0;
    for (std::size_t i = 0; i < a[l].size(); ++i) total += a[l][i] * b[k][i];
    return s * total;
  };
  double loss = 0;
  for (std::size_t first = 0; first < length; first += run) {
    const std::size_t end = std::min(first + run, length);
    const auto n = static_cast<double>(end - first);
    for (std::size_t l = first; l < end; ++l) {
      Row row, column;
      for (std::size_t k = first; k < end; ++k) row.push_back(score(l, k)), column.push_back(score(k, l));
      loss += (log_sum_exp(row) + log_sum_exp(column) - 2 * score(l, l)) / (2 * n);
    }
  }
  return loss;
}

inline double bce_with_logits(double logit, double label) {
  return std::max(logit, 0.0) - label * logit + std::log1p(std::exp(-std::abs(logit)));
}

}  // namespace tour
