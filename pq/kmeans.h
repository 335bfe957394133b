// k-means clustering: what a codebook is trained by.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace seminar::inline SEMINAR_PRECISION {

struct KMeansOptions {
  int64_t clusters = 256;
  int64_t iterations = 25;
  uint64_t seed = 1;
};

struct KMeansResult {
  Tensor centroids;                 ///< [clusters, d]
  std::vector<int32_t> assignment;  ///< nearest centroid of each point; the lower number among equals
  double inertia = 0;               ///< Σ squared distance of a point to its centroid
  int64_t iterations = 0;           ///< run until nothing changed, or all
  int64_t splits = 0;               ///< empty clusters that took half of a large one
};

/// Clusters points [n, d] from a k-means++ start. With fewer distinct points than clusters some centroids repeat. The
/// same seed gives the same bits for any number of threads. Throws Error for n = 0, clusters < 1 or a point that is not
/// finite.
KMeansResult kmeans(const Tensor& points, const KMeansOptions& options);

/// Nearest of centroids [k, d] for every point [n, d]; the lower number among equals. `distance` (may be null) gets the
/// squared distances.
std::vector<int32_t> nearest(const Tensor& points, const Tensor& centroids, std::vector<real>* distance = nullptr);

}  // namespace seminar::inline SEMINAR_PRECISION
