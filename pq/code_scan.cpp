#include "pq/code_scan.h"

#include <algorithm>
#include <cmath>

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t max_channels = 16;

// All scores by the tables themselves, a few keys at a time, whose sums stay in the first cache.
void all_scores(const CodeColumns& keys, int64_t n, const real* table, real* scores, const ScanKernels& kernels) {
  constexpr int64_t at_a_time = 512;
  real sums[at_a_time];
  const int64_t in_channel = keys.tables * keys.stride;
  for (int64_t begin = 0; begin < n; begin += at_a_time) {
    const int64_t count = std::min(at_a_time, n - begin);
    std::fill_n(scores + begin, count, real{0});
    for (int64_t c = 0; c < keys.channels; ++c) {
      kernels.code_sums(count, keys.tables, keys.centroids, table + c * keys.tables * keys.centroids,
                        keys.codes + c * in_channel + begin, keys.stride, sums);
      for (int64_t l = 0; l < count; ++l)
        scores[begin + l] += (keys.gamma ? keys.gamma[c * keys.stride + begin + l] : 1) * sums[l];
    }
  }
}

}  // namespace

void CodeColumns::set(int64_t l, const uint16_t* key, const real* weights) const {
  for (int64_t t = 0; t < channels * tables; ++t) {
    const int64_t i = t * stride + l;
    codes[i] = key[t];
    low[i] = static_cast<uint8_t>(key[t]);
    const auto bit = static_cast<uint8_t>(1 << (l % 8));
    ninth[i / 8] = static_cast<uint8_t>(key[t] & 256 ? ninth[i / 8] | bit : ninth[i / 8] & ~bit);
  }
  for (int64_t c = 0; gamma && c < channels; ++c) {
    gamma[c * stride + l] = weights[c];
    max_abs_gamma[c] = std::max(max_abs_gamma[c], std::abs(weights[c]));
  }
}

real code_score(const CodeColumns& keys, const real* table, int64_t l) {
  real score = 0;
  for (int64_t c = 0; c < keys.channels; ++c) {
    real sum = 0;
    for (int64_t t = c * keys.tables; t < (c + 1) * keys.tables; ++t)
      sum += table[t * keys.centroids + keys.codes[t * keys.stride + l]];
    score += (keys.gamma ? keys.gamma[c * keys.stride + l] : 1) * sum;
  }
  return score;
}

int64_t code_top(const CodeColumns& keys, int64_t n, int64_t first, const real* table, int64_t k, uint8_t* bytes,
                 real* scores, Found* found, const ScanKernels& kernels) {
  constexpr real rounding = 1e-5;  // of sums in float, generously
  real steps[max_channels], least[max_channels], least_size, error = 0;
  bool coded = n > k && keys.centroids <= byte_table && keys.tables <= max_byte_tables && keys.channels <= max_channels;
  for (int64_t c = 0; c < keys.channels && coded; ++c) {
    const int64_t row = c * keys.tables;
    steps[c] = kernels.byte_tables(keys.tables, keys.centroids, table + row * keys.centroids, bytes + row * byte_table,
                                   least + c, &least_size);
    if (std::isnan(steps[c])) return -1;
    const real weight = keys.gamma ? keys.max_abs_gamma[c] : 1, count = static_cast<real>(keys.tables);
    error += weight * (count * steps[c] / 2 + rounding * (least_size + 255 * count * steps[c]));
  }
  coded = coded && kernels.byte_code_scores(n, keys.channels, keys.tables, bytes, keys.low, keys.ninth, keys.stride,
                                            keys.gamma, steps, least, scores);
  if (!coded) {
    all_scores(keys, n, table, scores, kernels);
    return select_top(n, scores, first, k, found);
  }
  // A score in bytes is off by at most `error`. Where k of them reach the bound, k true scores reach bound - error, and
  // a key whose score in bytes is below bound - 2 error is not among the k best.
  const real bound = kernels.top_bound(n, scores, k) - 2 * error;
  const int64_t count = select_reaching(n, scores, first, bound, found);
  if (count < 0) return count;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t place = found[i].position + first;
    found[i].score = code_score(keys, table, place < n ? place : place - n);
    if (std::isnan(found[i].score)) return -1;
  }
  return keep_top(count, k, found);
}

}  // namespace seminar::inline SEMINAR_PRECISION
