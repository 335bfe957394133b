// The nearest of many centroids: what k-means and encoding spend their time on.
#pragma once

#include "tensor/kernels/vec.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// distances_j = Σ_i (x_i - c_ij)² for centroids c as columns [n, k]; returns argmin_j, the lower number among equals.
int32_t nearest(int64_t n, int64_t k, const real* x, const real* columns, real* distances) {
  for (int64_t j = 0; j < k; ++j) distances[j] = 0;
  for (int64_t i = 0; i < n; ++i) {
    const real* c_i = columns + i * k;
    for (int64_t j = 0; j < k; ++j) distances[j] = mul_add(x[i] - c_i[j], x[i] - c_i[j], distances[j]);
  }
  Vec lowest = splat(infinity);
  int64_t j = 0;
  for (; j + lanes <= k; j += lanes) lowest = smaller(load(distances + j), lowest);
  real best = least(lowest);
  for (; j < k; ++j) best = distances[j] < best ? distances[j] : best;
  for (j = 0; j < k; ++j)
    if (distances[j] == best) return static_cast<int32_t>(j);
  return 0;
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
