// The kernels of scans and attention, included once by every scan_<isa>.cpp and, with those of training, by every
// kernels_<isa>.cpp. Only anonymous functions and no std:: templates: a template instantiated here with wide
// instructions could be picked by the linker for all callers.
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "tensor/scan_kernels.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int lanes = static_cast<int>(kernel_lanes);
using Vec = real __attribute__((vector_size(64)));
#ifdef SEMINAR_DOUBLE
using Bits = int64_t;
#else
using Bits = int32_t;
#endif
using IntVec = Bits __attribute__((vector_size(64)));

#define SEMINAR_INLINE [[maybe_unused]] static inline __attribute__((always_inline))

SEMINAR_INLINE Vec load(const real* x) {
  Vec v;
  memcpy(&v, x, sizeof v);
  return v;
}
SEMINAR_INLINE void store(real* y, const Vec& v) { memcpy(y, &v, sizeof v); }
#if defined(__AVX512F__) && !defined(SEMINAR_DOUBLE)
SEMINAR_INLINE Vec load_part(const real* x, int64_t n, real fill) {
  return _mm512_mask_loadu_ps(_mm512_set1_ps(fill), static_cast<__mmask16>((1U << n) - 1), x);
}
SEMINAR_INLINE void store_part(real* y, const Vec& v, int64_t n) {
  _mm512_mask_storeu_ps(y, static_cast<__mmask16>((1U << n) - 1), v);
}
#else
SEMINAR_INLINE Vec load_part(const real* x, int64_t n, real fill) {
  Vec v = Vec{} + fill;
  memcpy(&v, x, static_cast<size_t>(n) * sizeof(real));
  return v;
}
SEMINAR_INLINE void store_part(real* y, const Vec& v, int64_t n) {
  memcpy(y, &v, static_cast<size_t>(n) * sizeof(real));
}
#endif
// Pairwise: lane i and lane i + half, then again.
SEMINAR_INLINE real total(const Vec& v) {
#ifdef SEMINAR_DOUBLE
  const auto a = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
  const auto b = __builtin_shufflevector(a, a, 0, 1) + __builtin_shufflevector(a, a, 2, 3);
  return b[0] + b[1];
#else
  const auto a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                 __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  const auto b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
  const auto c = __builtin_shufflevector(b, b, 0, 1) + __builtin_shufflevector(b, b, 2, 3);
  return c[0] + c[1];
#endif
}
// Like total.
SEMINAR_INLINE real largest(const Vec& v) {
#define SEMINAR_LARGER(a, b) ((a) > (b) ? (a) : (b))
#ifdef SEMINAR_DOUBLE
  const auto low = __builtin_shufflevector(v, v, 0, 1, 2, 3), high = __builtin_shufflevector(v, v, 4, 5, 6, 7);
  const auto a = SEMINAR_LARGER(low, high);
#else
  const auto low = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7),
             high = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  const auto eight = SEMINAR_LARGER(low, high);
  const auto four = __builtin_shufflevector(eight, eight, 0, 1, 2, 3),
             four_more = __builtin_shufflevector(eight, eight, 4, 5, 6, 7);
  const auto a = SEMINAR_LARGER(four, four_more);
#endif
  const real b = SEMINAR_LARGER(a[0], a[2]), c = SEMINAR_LARGER(a[1], a[3]);
  return SEMINAR_LARGER(b, c);
#undef SEMINAR_LARGER
}

// exp: relative error below 2e-7 in float (range reduction by ln 2, polynomial of degree 6); libm in double.
SEMINAR_INLINE Vec exp_lanes(const Vec& v) {
#ifdef SEMINAR_DOUBLE
  Vec y;
  for (int i = 0; i < lanes; ++i) y[i] = ::exp(v[i]);
  return y;
#else
  const Vec low = Vec{} - 103.97f, high = Vec{} + 89.0f;
  Vec x = v < low ? low : v;
  x = x > high ? high : x;
  const Vec magic = Vec{} + 12582912.0f;  // 1.5 · 2^23: adding it rounds to the nearest integer
  const Vec n = (x * 1.44269504f + magic) - magic;
  const Vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec p = Vec{} + 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const IntVec whole = __builtin_convertvector(n == n ? n : Vec{}, IntVec), half = whole >> 1;
  const IntVec a = (half + 127) << 23, b = (whole - half + 127) << 23;  // 2^n in two factors: n reaches -150 and 129
  Vec fa, fb;
  memcpy(&fa, &a, sizeof a);
  memcpy(&fb, &b, sizeof b);
  return v < low ? Vec{} : p * fa * fb;  // what a mask left out (-inf) is exactly 0
#endif
}

real dot(int64_t n, const real* a, const real* b) {
  Vec s0{}, s1{};
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    s0 += load(a + i) * load(b + i);
    s1 += load(a + i + lanes) * load(b + i + lanes);
  }
  for (; i + lanes <= n; i += lanes) s0 += load(a + i) * load(b + i);
  if (i < n) s1 += load_part(a + i, n - i, 0) * load_part(b + i, n - i, 0);
  return total(s0 + s1);
}

real sum(int64_t n, const real* x) {
  Vec s{};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) s += load(x + i);
  if (i < n) s += load_part(x + i, n - i, 0);
  return total(s);
}

void axpy(int64_t n, real s, const real* x, real* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += s * x[i];
}

SEMINAR_INLINE real row_max(int64_t n, const real* x) {
  Vec m = Vec{} - static_cast<real>(INFINITY);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const Vec v = load(x + i);
    m = v > m ? v : m;
  }
  if (i < n) {
    const Vec v = load_part(x + i, n - i, -static_cast<real>(INFINITY));
    m = v > m ? v : m;
  }
  return largest(m);
}

void softmax(int64_t n, real* y, const real* x, const real* mask) {
  if (mask) {
    for (int64_t i = 0; i < n; ++i) y[i] = mask[i] != 0 ? x[i] : -static_cast<real>(INFINITY);
    x = y;
  }
  const real m = row_max(n, x);
  if (n == 0 || (mask && m == -static_cast<real>(INFINITY))) {
    for (int64_t i = 0; i < n; ++i) y[i] = 0;
    return;
  }
  Vec s{};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const Vec e = exp_lanes(load(x + i) - m);
    s += e;
    store(y + i, e);
  }
  if (i < n) {
    const Vec e = exp_lanes(load_part(x + i, n - i, -static_cast<real>(INFINITY)) - m);
    s += e;
    store_part(y + i, e, n - i);
  }
  const real scale = 1 / total(s);
  for (i = 0; i < n; ++i) y[i] *= scale;
}

// One block of columns for a few targets: their sums stay in registers.
template <int targets>
SEMINAR_INLINE void block_dots(int64_t n, const real* x, const real* block, real* y, int64_t stride) {
  Vec sum[targets] = {};
  for (int64_t j = 0; j < n; ++j) {
    const Vec column = load(block + j * lanes);
    for (int t = 0; t < targets; ++t) sum[t] += x[t * n + j] * column;
  }
  for (int t = 0; t < targets; ++t) store(y + t * stride, sum[t]);
}

void column_dots(int64_t n, int64_t blocks, int64_t targets, const real* x, const real* columns, real* y,
                 int64_t stride) {
  for (int64_t b = 0; b < blocks; ++b, columns += n * lanes, y += lanes) {
    int64_t t = 0;
    for (; t + 4 <= targets; t += 4) block_dots<4>(n, x + t * n, columns, y + t * stride, stride);
    if (targets - t == 3) block_dots<3>(n, x + t * n, columns, y + t * stride, stride);
    if (targets - t == 2) block_dots<2>(n, x + t * n, columns, y + t * stride, stride);
    if (targets - t == 1) block_dots<1>(n, x + t * n, columns, y + t * stride, stride);
  }
}

// One key against the target, four numbers of each key together (scan_kernels.h): the reference of byte_scores.
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

// `count` blocks together, whose sums stay in registers. x = 256 high + low; the instruction multiplies unsigned bytes
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

// Groups of scores whose maxima give a bound: a few for each of the k, so that few more than k reach it.
constexpr int64_t groups_for_each = 5, max_groups = 4096;

real top_bound(int64_t n, const real* scores, int64_t k) {
  const int64_t share = n / (groups_for_each * k), rows = n / lanes / (share > 1 ? share : 1), groups = rows * lanes;
  if (rows < 1 || groups < 2 * k || groups > max_groups || n < 2 * groups) return -static_cast<real>(INFINITY);
  alignas(64) real maxima[max_groups];
  memcpy(maxima, scores, static_cast<size_t>(groups) * sizeof(real));
  for (int64_t begin = groups; begin < n; begin += groups) {
    const int64_t end = n - begin < groups ? n - begin : groups;
    for (int64_t i = 0; i < end; ++i) {
      const real v = scores[begin + i];
      maxima[i] = v > maxima[i] || maxima[i] != maxima[i] ? v : maxima[i];
    }
  }
  Vec least = Vec{} + static_cast<real>(INFINITY), most = -least;
  for (int64_t i = 0; i < groups; i += lanes) {
    const Vec v = load(maxima + i);
    least = v < least ? v : least;
    most = v > most ? v : most;
  }
  real low = -largest(-least), high = largest(most);
  if (!(high - low < static_cast<real>(INFINITY))) return low;
  for (int step = 0; step < 24; ++step) {
    const real middle = low + (high - low) / 2;
    if (!(middle > low)) break;
    IntVec reached{};
    for (int64_t i = 0; i < groups; i += lanes) reached -= load(maxima + i) >= middle;
    int64_t count = 0;
    for (int l = 0; l < lanes; ++l) count += reached[l];
    (count < k ? high : low) = middle;
    if (count >= k && count <= k + k / 16) break;
  }
  return low;
}

int64_t not_below(int64_t n, const real* scores, real bound, int32_t* indices) {
  int64_t count = 0, i = 0;
#if defined(__AVX512F__) && !defined(SEMINAR_DOUBLE)
  const __m512 limit = _mm512_set1_ps(bound);
  __m512i at = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (; i + lanes <= n; i += lanes, at = _mm512_add_epi32(at, _mm512_set1_epi32(lanes))) {
    const __mmask16 reached = _mm512_cmp_ps_mask(_mm512_loadu_ps(scores + i), limit, _CMP_NLT_UQ);
    _mm512_storeu_si512(indices + count, _mm512_maskz_compress_epi32(reached, at));
    count += __builtin_popcount(reached);
  }
#else
  for (; i + lanes <= n; i += lanes) {
    const Vec v = load(scores + i);
    const IntVec below = v < bound;
    Bits all = -1;
    for (int l = 0; l < lanes; ++l) all &= below[l];
    if (all != 0) continue;
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

void ranks(int64_t n, const real* x, int32_t* y) {
  IntVec lane{};
  for (int l = 0; l < lanes; ++l) lane[l] = l;
  for (int64_t begin = 0; begin < n; begin += lanes) {
    const int64_t end = n - begin < lanes ? n : begin + lanes;
    const Vec own = load_part(x + begin, end - begin, 0);
    IntVec rank{};
    int64_t j = 0;
    for (; j < begin; ++j) rank -= (Vec{} + x[j]) >= own;
    for (; j < end; ++j)
      rank -= ((Vec{} + x[j]) > own) | (((Vec{} + x[j]) == own) & (lane > static_cast<Bits>(j - begin)));
    for (; j < n; ++j) rank -= (Vec{} + x[j]) > own;
    for (int64_t l = 0; l < end - begin; ++l) y[begin + l] = static_cast<int32_t>(rank[l]);
  }
}

void code_sums(int64_t n, int64_t tables, int64_t size, const real* table, const uint16_t* codes, int64_t stride,
               real* __restrict y) {
  for (int64_t l = 0; l < n; ++l) y[l] = 0;
  for (int64_t t = 0; t < tables; ++t) {
    const real* __restrict row = table + t * size;
    const uint16_t* __restrict code = codes + t * stride;
    for (int64_t l = 0; l < n; ++l) y[l] += row[code[l]];
  }
}

real byte_tables(int64_t tables, int64_t size, const real* table, uint8_t* bytes, real* least) {
  real widest = 0, all = 0, from[max_byte_tables];
  *least = 0;
  for (int64_t t = 0; t < tables; ++t) {
    Vec low = Vec{} + static_cast<real>(INFINITY), high = -low, every{};
    for (int64_t i = 0; i < size; i += lanes) {
      const Vec v =
          size - i < lanes ? load_part(table + t * size + i, size - i, table[t * size]) : load(table + t * size + i);
      low = v < low ? v : low;
      high = v > high ? v : high;
      every += v;
    }
    from[t] = -largest(-low);
    const real range = largest(high) - from[t];
    widest = range > widest ? range : widest;
    *least += from[t];
    all += total(every);  // finite only if every number is
  }
  if (!(all - all == 0)) return static_cast<real>(NAN);
  const real step = widest / 255, scale = widest > 0 ? 1 / step : 0;
  for (int64_t t = 0; t < tables; ++t) {
    const real* __restrict row = table + t * size;
    uint8_t* __restrict out = bytes + t * byte_table;
    const real shift = from[t];
    for (int64_t i = 0; i < size; ++i)
      out[i] = static_cast<uint8_t>(static_cast<int32_t>((row[i] - shift) * scale + real{0.5}));
  }
  return step;
}

#if defined(__AVX512BW__) && !defined(SEMINAR_DOUBLE)
#define SEMINAR_VBMI __attribute__((target("avx512vbmi")))

// 64 codes at once looked up in a table of 512 bytes that stands in eight registers: four look-ups in two of them, by
// the lower seven bits, and a choice by the two upper ones.
SEMINAR_VBMI static inline __attribute__((always_inline)) __m512i look_up(const __m512i* table, __m512i low,
                                                                          __mmask64 ninth) {
  const __mmask64 eighth = _mm512_movepi8_mask(low);
  const __m512i a = _mm512_mask_blend_epi8(eighth, _mm512_permutex2var_epi8(table[0], low, table[1]),
                                           _mm512_permutex2var_epi8(table[2], low, table[3]));
  const __m512i b = _mm512_mask_blend_epi8(eighth, _mm512_permutex2var_epi8(table[4], low, table[5]),
                                           _mm512_permutex2var_epi8(table[6], low, table[7]));
  return _mm512_mask_blend_epi8(ninth, a, b);
}

SEMINAR_VBMI void byte_code_scores_vbmi(int64_t n, int64_t channels, int64_t tables, const uint8_t* bytes,
                                        const uint8_t* low, const uint8_t* high, int64_t stride, const real* gamma,
                                        const real* steps, const real* least, real* y) {
  constexpr int at_once = 8, width = 64;  // 512 keys, whose sums stay in registers
  for (int64_t begin = 0; begin < n; begin += at_once * width, y += at_once * width) {
    const int count = n - begin < at_once * width ? static_cast<int>((n - begin + width - 1) / width) : at_once;
    for (int64_t c = 0; c < channels; ++c) {
      __m512i even[at_once] = {}, odd[at_once] = {};  // of the keys 0, 2, .. and 1, 3, .., 16 bits each
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
          score = score * steps[c] + least[c];
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
                      [[maybe_unused]] const real* least, [[maybe_unused]] real* y) {
#ifdef SEMINAR_VBMI
  if (__builtin_cpu_supports("avx512vbmi")) {
    byte_code_scores_vbmi(n, channels, tables, bytes, low, high, stride, gamma, steps, least, y);
    return true;
  }
#endif
  return false;
}

[[maybe_unused]] constexpr ScanKernels scan_table(const char* isa) {
  return {isa,         dot,       sum,       axpy,  softmax,     column_dots,     code_sums,
          byte_scores, top_bound, not_below, ranks, byte_tables, byte_code_scores};
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
