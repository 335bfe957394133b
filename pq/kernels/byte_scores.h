// Scores of 8-bit vectors against one of 16 bits, in whole numbers: y_l = (Σ_j x_j k_lj) scales_l factor. Four numbers
// of each of the byte_lanes vectors of a block stand together (pq/scan_kernels.h).
#pragma once

#include "pq/scan_kernels.h"
#include "tensor/kernels/vec.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// The formula as it stands: for processors without a faster form, and what the others are tested against.
[[maybe_unused]] void byte_scores_plain(int64_t n, int64_t blocks, const int16_t* x, const int8_t* columns,
                                        const real* scales, real factor, real* y) {
  for (int64_t l = 0; l < blocks * byte_lanes; ++l) {
    int32_t sum = 0;
    const int8_t* key = columns + l / byte_lanes * n * byte_lanes + l % byte_lanes * 4;
    for (int64_t j = 0; j < n; ++j) sum += x[j] * key[j / 4 * byte_lanes * 4 + j % 4];
    y[l] = static_cast<real>(sum) * scales[l] * factor;
  }
}

#if defined(__AVX512BW__) && !defined(SEMINAR_DOUBLE)
#define SEMINAR_VNNI __attribute__((target("avx512vnni")))

// `count` blocks together, whose sums stay in registers. x = 256 high + low. The instruction multiplies unsigned bytes
// with signed ones, so high meets key + 128, and `start` takes off what that adds.
template <int count>
SEMINAR_VNNI static inline void some_byte_scores(int64_t n, const int8_t* high, const uint8_t* low, int32_t start,
                                                 const int8_t* columns, const real* scales, real factor, real* y) {
  const __m512i flip = _mm512_set1_epi8(-128);
  __m512i of_high[count], of_low[count];
  for (int i = 0; i < count; ++i) {
    of_high[i] = _mm512_set1_epi32(start);
    of_low[i] = _mm512_setzero_si512();
  }
#pragma GCC unroll 4
  for (int64_t j = 0; j < n; j += 4) {
    int32_t four_high, four_low;
    memcpy(&four_high, high + j, sizeof four_high);
    memcpy(&four_low, low + j, sizeof four_low);
    const __m512i h = _mm512_set1_epi32(four_high), l = _mm512_set1_epi32(four_low);
    for (int i = 0; i < count; ++i) {
      const __m512i key = _mm512_loadu_si512(columns + (i * n + j) * byte_lanes);
      of_high[i] = _mm512_dpbusd_epi32(of_high[i], _mm512_xor_si512(key, flip), h);
      of_low[i] = _mm512_dpbusd_epi32(of_low[i], l, key);
    }
  }
  for (int i = 0; i < count; ++i) {
    const __m512i sum = _mm512_add_epi32(_mm512_maskz_slli_epi32(0xFFFF, of_high[i], 8), of_low[i]);
    const __m512 scaled =
        _mm512_mul_ps(_mm512_maskz_cvtepi32_ps(0xFFFF, sum), _mm512_loadu_ps(scales + i * byte_lanes));
    _mm512_storeu_ps(y + i * byte_lanes, _mm512_mul_ps(scaled, _mm512_set1_ps(factor)));
  }
}

SEMINAR_VNNI void byte_scores_vnni(int64_t n, int64_t blocks, const int16_t* x, const int8_t* columns,
                                   const real* scales, real factor, real* y) {
  constexpr int at_once = 2;
  int8_t high[max_byte_width];
  uint8_t low[max_byte_width];
  int32_t added = 0;
  for (int64_t j = 0; j < n; ++j) {
    high[j] = static_cast<int8_t>(x[j] >> 8);
    low[j] = static_cast<uint8_t>(x[j] & 255);
    added += 128 * high[j];
  }
  int64_t b = 0;
  for (; b + at_once <= blocks; b += at_once)
    some_byte_scores<at_once>(n, high, low, -added, columns + b * n * byte_lanes, scales + b * byte_lanes, factor,
                              y + b * byte_lanes);
  for (; b < blocks; ++b)
    some_byte_scores<1>(n, high, low, -added, columns + b * n * byte_lanes, scales + b * byte_lanes, factor,
                        y + b * byte_lanes);
}
#endif

#if defined(__AVX2__)
void byte_scores(int64_t n, int64_t blocks, const int16_t* x, const int8_t* columns, const real* scales, real factor,
                 real* y) {
#ifdef SEMINAR_VNNI
  if (__builtin_cpu_supports("avx512vnni")) return byte_scores_vnni(n, blocks, x, columns, scales, factor, y);
#endif
  for (int64_t b = 0; b < blocks; ++b, columns += n * byte_lanes) {
    __m256i pairs[4] = {};  // of four keys each, two sums a key
    for (int64_t j = 0; j < n; j += 4) {
      int64_t four;
      memcpy(&four, x + j, sizeof four);
      const __m256i numbers = _mm256_set1_epi64x(four);
      const __m128i* keys = reinterpret_cast<const __m128i*>(columns + j * byte_lanes);
      for (int i = 0; i < 4; ++i)
        pairs[i] =
            _mm256_add_epi32(pairs[i], _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm_loadu_si128(keys + i)), numbers));
    }
    alignas(32) int32_t sums[byte_lanes];
    for (int i = 0; i < 4; i += 2)  // the sums come as keys 0 1 4 5 2 3 6 7
      _mm256_store_si256(reinterpret_cast<__m256i*>(sums + 4 * i),
                         _mm256_permute4x64_epi64(_mm256_hadd_epi32(pairs[i], pairs[i + 1]), 0xD8));
    for (int64_t l = b * byte_lanes; l < (b + 1) * byte_lanes; ++l)
      y[l] = static_cast<real>(sums[l % byte_lanes]) * scales[l] * factor;
  }
}
#else
constexpr auto byte_scores = byte_scores_plain;
#endif

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
