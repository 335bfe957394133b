#include "tensor/select.h"

#include <algorithm>
#include <cmath>

#include "tensor/scan_kernels.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// Groups of scores whose maxima give the bound: a few for each of the k, so that few more than k reach it.
constexpr int64_t groups_for_each = 5, max_groups = 4096, buckets = 256, at_a_time = 4096;

// A number that at least k of the n scores reach, found in the maxima of groups: the lower edge of the bucket, of
// `buckets` between the least and the largest maximum, that holds the k-th largest. -∞ if that would not pay.
real lower_bound(int64_t n, const real* scores, int64_t k) {
  const int64_t rows = n / kernel_lanes / std::max<int64_t>(1, n / (groups_for_each * k));
  if (rows < 1 || rows * kernel_lanes < 2 * k || rows * kernel_lanes > max_groups || n < 2 * rows * kernel_lanes)
    return -static_cast<real>(INFINITY);
  real maxima[max_groups];
  const int64_t groups = rows * kernel_lanes;
  scan_kernels().group_maxima(n, rows, scores, maxima);
  const auto [least, most] = std::minmax_element(maxima, maxima + groups);
  const real low = *least, width = (*most - low) / buckets;
  if (!(width > 0) || !std::isfinite(width)) return low;  // all are equal, or one is infinite
  int32_t counts[buckets] = {};
  for (int64_t i = 0; i < groups; ++i)
    ++counts[std::min<int64_t>(buckets - 1, static_cast<int64_t>((maxima[i] - low) / width))];
  int64_t bucket = buckets;
  for (int64_t above = 0; above < k; above += counts[bucket]) --bucket;
  // One bucket lower: rounding may have put a maximum on the other side of an edge.
  return bucket < 2 ? low : low + static_cast<real>(bucket - 1) * width;
}

}  // namespace

int64_t select_top(int64_t n, const real* scores, int64_t first, int64_t k, Found* found) {
  const real bound = n > k ? lower_bound(n, scores, k) : -static_cast<real>(INFINITY);
  int64_t count = 0;
  int32_t places[at_a_time];
  for (int64_t begin = 0; begin < n; begin += at_a_time) {
    const int64_t reached = scan_kernels().not_below(std::min(at_a_time, n - begin), scores + begin, bound, places);
    for (int64_t i = 0; i < reached; ++i) {
      const int64_t place = begin + places[i];
      if (std::isnan(scores[place])) return -1;
      found[count++] = {scores[place], static_cast<int32_t>(place >= first ? place - first : place - first + n)};
    }
  }
  const auto better = [](const Found& a, const Found& b) {
    return a.score != b.score ? a.score > b.score : a.position < b.position;
  };
  const int64_t kept = std::min(count, k);
  if (count > kept) std::nth_element(found, found + kept - 1, found + count, better);
  std::sort(found, found + kept, better);
  return kept;
}

}  // namespace seminar::inline SEMINAR_PRECISION
