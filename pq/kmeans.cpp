#include "pq/kmeans.h"

#include <algorithm>
#include <limits>

#include "tensor/finite.h"
#include "tensor/kernels.h"
#include "tensor/parallel.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// An empty cluster and the one it splits start this far apart, relative to the coordinates (as faiss does).
constexpr real split_distance = static_cast<real>(1.0 / 1024);

real squared_distance(int64_t d, const real* a, const real* b) {
  real s = 0;
  for (int64_t i = 0; i < d; ++i) s += (a[i] - b[i]) * (a[i] - b[i]);
  return s;
}

// k-means++: every next centroid is a point drawn with a chance proportional to its squared distance to those chosen.
Tensor first_centroids(const Tensor& points, int64_t clusters, Rng rng) {
  const int64_t n = points.size(0), d = points.size(1);
  Tensor centroids = Tensor::empty({clusters, d});
  real* c = centroids.write();
  std::vector<real> distance(static_cast<std::size_t>(n), std::numeric_limits<real>::max());
  for (int64_t k = 0; k < clusters; ++k) {
    int64_t chosen = rng.below(n);
    if (k > 0) {
      double total = 0;
      for (real x : distance) total += static_cast<double>(x);
      double left = rng.uniform() * total;
      for (int64_t i = 0; i < n && total > 0; ++i) {
        left -= static_cast<double>(distance[i]);
        if (left < 0) {
          chosen = i;
          break;
        }
      }
    }
    std::copy_n(points.data() + chosen * d, d, c + k * d);
    parallel_for(n, row_grain(d), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        distance[i] = std::min(distance[i], squared_distance(d, points.data() + i * d, c + k * d));
    });
  }
  return centroids;
}

// Every centroid becomes the mean of its points; an empty one takes half of the cluster with most points.
int64_t move_centroids(Tensor& centroids, const Tensor& points, const std::vector<int32_t>& assignment) {
  const int64_t clusters = centroids.size(0), d = centroids.size(1);
  const Groups groups = group_by_id(assignment);
  std::vector<int64_t> size(static_cast<std::size_t>(clusters), 0);
  real* c = centroids.write();
  parallel_for(static_cast<int64_t>(groups.ids.size()), 8, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      real* mean = c + groups.ids[g] * d;
      const int64_t count = groups.offsets[g + 1] - groups.offsets[g];
      size[groups.ids[g]] = count;
      // The mean of the differences from the first point, so that equal points give that point exactly.
      const auto point = [&](int64_t i) { return points.data() + int64_t{groups.order[i]} * d; };
      const real* first = point(groups.offsets[g]);
      std::vector<double> sum(static_cast<std::size_t>(d), 0);
      for (int64_t i = groups.offsets[g] + 1; i < groups.offsets[g + 1]; ++i)
        for (int64_t j = 0; j < d; ++j) sum[j] += static_cast<double>(point(i)[j]) - static_cast<double>(first[j]);
      for (int64_t j = 0; j < d; ++j)
        mean[j] = static_cast<real>(static_cast<double>(first[j]) + sum[j] / static_cast<double>(count));
    }
  });
  int64_t splits = 0;
  for (int64_t k = 0; k < clusters; ++k) {
    if (size[k] > 0) continue;
    const int64_t largest = std::max_element(size.begin(), size.end()) - size.begin();
    if (size[largest] < 2) break;
    for (int64_t i = 0; i < d; ++i) {
      const real sign = i % 2 == 0 ? split_distance : -split_distance;
      c[k * d + i] = c[largest * d + i] * (1 + sign);
      c[largest * d + i] *= 1 - sign;
    }
    size[k] = size[largest] / 2;
    size[largest] -= size[k];
    ++splits;
  }
  return splits;
}

}  // namespace

std::vector<int32_t> nearest(const Tensor& points, const Tensor& centroids, std::vector<real>* distance) {
  check(points.rank() == 2 && centroids.rank() == 2 && points.size(1) == centroids.size(1) && centroids.size(0) >= 1,
        "nearest: points {} and centroids {}", points.shape(), centroids.shape());
  const int64_t n = points.size(0), d = points.size(1), clusters = centroids.size(0);
  const Tensor p = points.contiguous(), c = centroids.contiguous();
  std::vector<int32_t> best(static_cast<std::size_t>(n), 0);
  if (distance) distance->assign(best.size(), 0);
  const Tensor columns = c.transpose().contiguous();  // so that the kernel runs along the centroids
  parallel_for(n, row_grain(d * clusters), [&](int64_t begin, int64_t end) {
    std::vector<real> distances(static_cast<std::size_t>(clusters));
    for (int64_t i = begin; i < end; ++i) {
      best[i] = kernels().nearest(d, clusters, p.data() + i * d, columns.data(), distances.data());
      if (distance) (*distance)[i] = distances[best[i]];
    }
  });
  return best;
}

KMeansResult kmeans(const Tensor& input, const KMeansOptions& options) {
  check(input.rank() == 2 && input.size(0) >= 1 && input.size(1) >= 1, "kmeans: needs points [n, d], not {}",
        input.shape());
  check(options.clusters >= 1, "kmeans: clusters must be at least 1: {}", options.clusters);
  const Tensor points = input.contiguous();
  const int64_t bad = first_not_finite(points);
  if (bad >= 0) fail("kmeans: point {} is not finite: {}", bad / points.size(1), points.data()[bad]);
  KMeansResult result;
  result.centroids = first_centroids(points, options.clusters, Rng(options.seed));
  std::vector<real> distance;
  result.assignment = nearest(points, result.centroids, &distance);
  while (result.iterations < options.iterations) {
    const int64_t splits = move_centroids(result.centroids, points, result.assignment);
    result.splits += splits;
    ++result.iterations;
    std::vector<int32_t> next = nearest(points, result.centroids, &distance);
    const bool settled = next == result.assignment && splits == 0;
    result.assignment = std::move(next);
    if (settled) break;
  }
  for (real s : distance) result.inertia += static_cast<double>(s);
  return result;
}

}  // namespace seminar::inline SEMINAR_PRECISION
