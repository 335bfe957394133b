// Chapter 7, the solution.
#pragma once

#include <vector>

namespace tour {

using Row = std::vector<double>;
using Centroids = std::vector<Row>;
using Codebook = std::vector<Centroids>;
using Codes = std::vector<std::size_t>;

/// The centroid nearest to the numbers from x[first] on.
inline std::size_t nearest(const Row& x, std::size_t first, const Centroids& centroids) {
  std::size_t best = 0;
  double least = -1;
  for (std::size_t c = 0; c < centroids.size(); ++c) {
    double distance = 0;
    for (std::size_t i = 0; i < centroids[c].size(); ++i) {
      const double difference = x[first + i] - centroids[c][i];
      distance += difference * difference;
    }
    if (least < 0 || distance < least) least = distance, best = c;
  }
  return best;
}

inline Codes encode(const Row& x, const Codebook& codebook) {
  const std::size_t width = x.size() / codebook.size();
  Codes codes;
  for (std::size_t b = 0; b < codebook.size(); ++b) codes.push_back(nearest(x, b * width, codebook[b]));
  return codes;
}

inline std::vector<Row> score_table(const Row& q, double gamma, const Codebook& codebook) {
  const std::size_t width = q.size() / codebook.size();
  std::vector<Row> table(codebook.size());
  for (std::size_t b = 0; b < codebook.size(); ++b)
    for (const Row& centroid : codebook[b]) {
      double product = 0;
      for (std::size_t i = 0; i < width; ++i) product += q[b * width + i] * centroid[i];
      table[b].push_back(gamma * product);
    }
  return table;
}

inline double score(const std::vector<Row>& table, const Codes& codes) {
  double total = 0;
  for (std::size_t b = 0; b < table.size(); ++b) total += table[b][codes[b]];
  return total;
}

inline Centroids kmeans_step(const std::vector<Row>& points, const Centroids& centroids) {
  Centroids sums(centroids.size(), Row(centroids[0].size()));
  std::vector<double> counts(centroids.size());
  for (const Row& point : points) {
    const std::size_t c = nearest(point, 0, centroids);
    counts[c] += 1;
    for (std::size_t i = 0; i < point.size(); ++i) sums[c][i] += point[i];
  }
  for (std::size_t c = 0; c < sums.size(); ++c)
    for (std::size_t i = 0; i < sums[c].size(); ++i)
      sums[c][i] = counts[c] > 0 ? sums[c][i] / counts[c] : centroids[c][i];
  return sums;
}

}  // namespace tour
