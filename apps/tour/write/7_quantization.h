// Chapter 7: product quantization of one channel. Complete the four functions.
#pragma once

#include <vector>

namespace tour {

using Row = std::vector<double>;
using Centroids = std::vector<Row>;       // K rows of d / S numbers
using Codebook = std::vector<Centroids>;  // one list of centroids per piece: S of them
using Codes = std::vector<std::size_t>;   // one number per piece

/// The number of the nearest centroid for each piece of x, by squared distance; the first of equals.
inline Codes encode(const Row& x, const Codebook& codebook) {
  (void)x, (void)codebook;
  return {};  // your part
}

/// T[b][c] = γ q_b · centroid_{b,c}.
inline std::vector<Row> score_table(const Row& q, double gamma, const Codebook& codebook) {
  (void)q, (void)gamma, (void)codebook;
  return {};  // your part
}

/// Σ_b T[b][codes[b]].
inline double score(const std::vector<Row>& table, const Codes& codes) {
  (void)table, (void)codes;
  return -1e9;  // your part
}

/// One step of k-means: each point goes to its nearest centroid, and each centroid becomes the mean of its points. A
/// centroid without points stays where it is.
inline Centroids kmeans_step(const std::vector<Row>& points, const Centroids& centroids) {
  (void)points, (void)centroids;
  return {};  // your part
}

}  // namespace tour
