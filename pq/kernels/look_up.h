// Look-ups by the codes of product quantization: in tables of numbers, and in tables of 8 bits that stand in registers.
#pragma once

#include "pq/scan_kernels.h"
#include "tensor/kernels/vec.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// y_l = Σ_t table[t, codes_tl]
void code_sums(int64_t n, int64_t tables, int64_t size, const real* table, const uint16_t* codes, int64_t stride,
               real* __restrict y) {
  for (int64_t l = 0; l < n; ++l) y[l] = 0;
  for (int64_t t = 0; t < tables; ++t) {
    const real* __restrict table_t = table + t * size;
    const uint16_t* __restrict codes_t = codes + t * stride;
    for (int64_t l = 0; l < n; ++l) y[l] += table_t[codes_t[l]];
  }
}

// bytes_ti = round((table_ti - min_j table_tj) / step), step = max_t (max_j table_tj - min_j table_tj) / 255
real byte_tables(int64_t tables, int64_t size, const real* table, uint8_t* bytes, real* least_sum, real* least_size) {
  real widest = 0, checked = 0, lowest[max_byte_tables];
  *least_sum = *least_size = 0;
  for (int64_t t = 0; t < tables; ++t) {
    Vec low = splat(infinity), high = splat(-infinity), all{};
    for (int64_t i = 0; i < size; i += lanes) {
      const real* x = table + t * size + i;
      const Vec v = size - i < lanes ? load_part(x, size - i, table[t * size]) : load(x);
      low = smaller(v, low);
      high = larger(v, high);
      all += v;
    }
    lowest[t] = least(low);
    const real range = largest(high) - lowest[t];
    widest = range > widest ? range : widest;
    *least_sum += lowest[t];
    *least_size += lowest[t] < 0 ? -lowest[t] : lowest[t];
    checked += total(all);  // finite only if every number is
  }
  if (!(checked - checked == 0)) return static_cast<real>(NAN);
  const real step = widest / 255, scale = widest > 0 ? 1 / step : 0;
  for (int64_t t = 0; t < tables; ++t) {
    const real* __restrict table_t = table + t * size;
    uint8_t* __restrict bytes_t = bytes + t * byte_table;
    const real shift = lowest[t];
    for (int64_t i = 0; i < size; ++i)
      bytes_t[i] = static_cast<uint8_t>(static_cast<int32_t>((table_t[i] - shift) * scale + real{0.5}));
  }
  return step;
}

#if defined(__AVX512BW__) && !defined(SEMINAR_DOUBLE)
#define SEMINAR_VBMI __attribute__((target("avx512vbmi")))

// 64 codes at once looked up in a table of 512 bytes that stands in eight registers. Four look-ups in two registers
// each go by the lower seven bits, and a choice among them by the two upper ones.
SEMINAR_VBMI static inline __attribute__((always_inline)) __m512i look_up(const __m512i* table, __m512i low,
                                                                          __mmask64 ninth) {
  const __mmask64 eighth = _mm512_movepi8_mask(low);
  const __m512i a = _mm512_mask_blend_epi8(eighth, _mm512_permutex2var_epi8(table[0], low, table[1]),
                                           _mm512_permutex2var_epi8(table[2], low, table[3]));
  const __m512i b = _mm512_mask_blend_epi8(eighth, _mm512_permutex2var_epi8(table[4], low, table[5]),
                                           _mm512_permutex2var_epi8(table[6], low, table[7]));
  return _mm512_mask_blend_epi8(ninth, a, b);
}

// y_l = Σ_c gamma_cl (steps_c Σ_t bytes[t, code_tl] + least_c)
SEMINAR_VBMI void byte_code_scores_vbmi(int64_t n, int64_t channels, int64_t tables, const uint8_t* bytes,
                                        const uint8_t* low, const uint8_t* high, int64_t stride, const real* gamma,
                                        const real* steps, const real* least_sums, real* y) {
  constexpr int at_once = 8, width = code_block;  // 512 keys, whose sums stay in registers
  for (int64_t begin = 0; begin < n; begin += at_once * width, y += at_once * width) {
    const int count = n - begin < at_once * width ? static_cast<int>((n - begin + width - 1) / width) : at_once;
    for (int64_t c = 0; c < channels; ++c) {
      __m512i even[at_once] = {}, odd[at_once] = {};  // of the keys 0, 2, … and 1, 3, …, 16 bits each
      for (int64_t t = c * tables; t < (c + 1) * tables; ++t) {
        __m512i table[8];
        for (int i = 0; i < 8; ++i) table[i] = _mm512_loadu_si512(bytes + t * byte_table + i * width);
        const uint8_t* codes = low + t * stride + begin;
        const uint8_t* bits = high + (t * stride + begin) / 8;
#pragma GCC unroll 8
        for (int i = 0; i < at_once; ++i) {
          if (i >= count) break;
          uint64_t ninth;
          memcpy(&ninth, bits + i * 8, sizeof ninth);
          const __m512i found = look_up(table, _mm512_loadu_si512(codes + i * width), ninth);
          even[i] = _mm512_add_epi16(even[i], _mm512_and_si512(found, _mm512_set1_epi16(255)));
          odd[i] = _mm512_add_epi16(odd[i], _mm512_srli_epi16(found, 8));
        }
      }
#pragma GCC unroll 8
      for (int i = 0; i < at_once; ++i) {
        if (i >= count) break;
        alignas(64) uint16_t sums[width];
        const __m512i first = _mm512_unpacklo_epi16(even[i], odd[i]), second = _mm512_unpackhi_epi16(even[i], odd[i]);
        const __m512i index = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
        _mm512_store_si512(sums, _mm512_permutex2var_epi64(first, index, second));
        _mm512_store_si512(sums + 32,
                           _mm512_permutex2var_epi64(first, _mm512_add_epi64(index, _mm512_set1_epi64(4)), second));
        const real* weights = gamma ? gamma + c * stride + begin + i * width : nullptr;
        for (int j = 0; j < width; j += lanes) {
          Vec score;
          for (int l = 0; l < lanes; ++l) score[l] = static_cast<real>(sums[j + l]);
          score = score * steps[c] + least_sums[c];
          if (weights) score *= load(weights + j);
          store(y + i * width + j, c == 0 ? score : load(y + i * width + j) + score);
        }
      }
    }
  }
}
#endif

// Look-ups in bytes pay only where the tables fit in registers.
bool byte_code_scores([[maybe_unused]] int64_t n, [[maybe_unused]] int64_t channels, [[maybe_unused]] int64_t tables,
                      [[maybe_unused]] const uint8_t* bytes, [[maybe_unused]] const uint8_t* low,
                      [[maybe_unused]] const uint8_t* high, [[maybe_unused]] int64_t stride,
                      [[maybe_unused]] const real* gamma, [[maybe_unused]] const real* steps,
                      [[maybe_unused]] const real* least_sums, [[maybe_unused]] real* y) {
#ifdef SEMINAR_VBMI
  if (__builtin_cpu_supports("avx512vbmi")) {
    byte_code_scores_vbmi(n, channels, tables, bytes, low, high, stride, gamma, steps, least_sums, y);
    return true;
  }
#endif
  return false;
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
