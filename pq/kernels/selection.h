// The best of many scores: a bound that few more than k reach, the scores that reach it, and their order.
#pragma once

#include "pq/scan_kernels.h"
#include "tensor/kernels/vec.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// Groups of scores whose maxima give a bound: a few for each of the k, so that few more than k reach it.
constexpr int64_t groups_for_each = 5, max_groups = 4096;

// maxima_g = max_r scores[r * groups + g]. k maxima that reach a bound are k scores that reach it.
real top_bound(int64_t n, const real* scores, int64_t k) {
  const int64_t in_group = n / (groups_for_each * k), rows = n / lanes / (in_group > 1 ? in_group : 1);
  const int64_t groups = rows * lanes;
  if (rows < 1 || groups < 2 * k || groups > max_groups || n < 2 * groups) return -infinity;
  alignas(64) real maxima[max_groups];
  memcpy(maxima, scores, static_cast<size_t>(groups) * sizeof(real));
  for (int64_t begin = groups; begin < n; begin += groups) {
    const int64_t end = n - begin < groups ? n - begin : groups;
    for (int64_t i = 0; i < end; ++i) {
      const real v = scores[begin + i];
      maxima[i] = v > maxima[i] || maxima[i] != maxima[i] ? v : maxima[i];
    }
  }
  Vec lowest = splat(infinity), highest = splat(-infinity);
  for (int64_t i = 0; i < groups; i += lanes) {
    const Vec v = load(maxima + i);
    lowest = smaller(v, lowest);
    highest = larger(v, highest);
  }
  real low = least(lowest), high = largest(highest);
  if (!(high - low < infinity)) return low;
  for (int step = 0; step < 24; ++step) {
    const real middle = low + (high - low) / 2;
    if (!(middle > low)) break;
    IntVec reached{};  // a mask is -1 where it holds
    for (int64_t i = 0; i < groups; i += lanes) reached -= load(maxima + i) >= middle;
    Bits counts[lanes];
    store(counts, reached);
    int64_t count = 0;
    for (int l = 0; l < lanes; ++l) count += counts[l];
    (count < k ? high : low) = middle;
    if (count >= k && count <= k + k / 16) break;
  }
  return low;
}

// The indices i with not scores_i < bound, in order.
int64_t select_ge(int64_t n, const real* scores, real bound, int32_t* indices) {
  int64_t count = 0, i = 0;
#if defined(__AVX512F__) && !defined(SEMINAR_DOUBLE)
  const __m512 limit = _mm512_set1_ps(bound);
  __m512i index = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (; i + lanes <= n; i += lanes, index = _mm512_add_epi32(index, _mm512_set1_epi32(lanes))) {
    const __mmask16 reached = _mm512_cmp_ps_mask(_mm512_loadu_ps(scores + i), limit, _CMP_NLT_UQ);
    _mm512_storeu_si512(indices + count, _mm512_maskz_compress_epi32(reached, index));
    count += __builtin_popcount(reached);
  }
#else
  for (; i + lanes <= n; i += lanes) {
    Bits below[lanes], every = -1;
    store(below, load(scores + i) < bound);
    for (int l = 0; l < lanes; ++l) every &= below[l];
    if (every != 0) continue;
    for (int l = 0; l < lanes; ++l) {
      indices[count] = static_cast<int32_t>(i + l);
      count += below[l] == 0 ? 1 : 0;
    }
  }
#endif
  for (; i < n; ++i) {
    indices[count] = static_cast<int32_t>(i);
    count += scores[i] < bound ? 0 : 1;
  }
  return count;
}

// y_i = Σ_j [x_j > x_i, or x_j = x_i and j < i], a vector of i at a time.
void ranks(int64_t n, const real* x, int32_t* y) {
  Bits numbers[lanes];
  for (int l = 0; l < lanes; ++l) numbers[l] = l;
  const IntVec lane = load_as<IntVec>(numbers);
  for (int64_t begin = 0; begin < n; begin += lanes) {
    const int64_t end = n - begin < lanes ? n : begin + lanes;
    const Vec own = load_part(x + begin, end - begin, 0);
    IntVec rank{};  // a mask is -1 where it holds
    int64_t j = 0;
    for (; j < begin; ++j) rank -= splat(x[j]) >= own;
    for (; j < end; ++j)
      rank -= (splat(x[j]) > own) | ((splat(x[j]) == own) & (lane > splat_int(static_cast<Bits>(j - begin))));
    for (; j < n; ++j) rank -= splat(x[j]) > own;
    store(numbers, rank);
    for (int64_t l = 0; l < end - begin; ++l) y[begin + l] = static_cast<int32_t>(numbers[l]);
  }
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
