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
SEMINAR_INLINE Vec load_part(const real* x, int64_t n, real fill) {
  Vec v = Vec{} + fill;
  memcpy(&v, x, static_cast<size_t>(n) * sizeof(real));
  return v;
}
SEMINAR_INLINE void store_part(real* y, const Vec& v, int64_t n) {
  memcpy(y, &v, static_cast<size_t>(n) * sizeof(real));
}
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
SEMINAR_INLINE real largest(const Vec& v) {
  real m = v[0];
  for (int i = 1; i < lanes; ++i) m = v[i] > m ? v[i] : m;
  return m;
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

// The reference; the compiler's own vectors of it are a third as fast as the instruction that is made for it.
[[maybe_unused]] void byte_dots_plain(int64_t n, int64_t blocks, const int16_t* x, const int8_t* columns, int32_t* y) {
  for (int64_t b = 0; b < blocks; ++b, columns += n * byte_lanes, y += byte_lanes)
    for (int64_t i = 0; i < byte_lanes; ++i) {
      int32_t sum = 0;
      for (int64_t j = 0; j < n; ++j) sum += x[j] * columns[(j / 2 * byte_lanes + i) * 2 + j % 2];
      y[i] = sum;
    }
}

#if defined(__AVX512BW__)
void byte_dots(int64_t n, int64_t blocks, const int16_t* x, const int8_t* columns, int32_t* y) {
  for (int64_t b = 0; b < blocks; ++b, columns += n * byte_lanes, y += byte_lanes) {
    __m512i sum = _mm512_setzero_si512();
    for (int64_t j = 0; j < n; j += 2) {
      int32_t pair;
      memcpy(&pair, x + j, sizeof pair);
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(columns + j * byte_lanes));
      sum = _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_cvtepi8_epi16(bytes), _mm512_set1_epi32(pair)));
    }
    _mm512_storeu_si512(y, sum);
  }
}
#elif defined(__AVX2__)
void byte_dots(int64_t n, int64_t blocks, const int16_t* x, const int8_t* columns, int32_t* y) {
  for (int64_t b = 0; b < blocks; ++b, columns += n * byte_lanes, y += byte_lanes) {
    __m256i low = _mm256_setzero_si256(), high = low;
    for (int64_t j = 0; j < n; j += 2) {
      int32_t pair;
      memcpy(&pair, x + j, sizeof pair);
      const __m256i both = _mm256_set1_epi32(pair);
      const __m128i* bytes = reinterpret_cast<const __m128i*>(columns + j * byte_lanes);
      low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm_loadu_si128(bytes)), both));
      high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm_loadu_si128(bytes + 1)), both));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y), low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + 8), high);
  }
}
#else
constexpr auto byte_dots = byte_dots_plain;
#endif

void group_maxima(int64_t n, int64_t rows, const real* scores, real* y) {
  for (int64_t i = 0; i < rows * lanes; ++i) y[i] = scores[i];
  for (int64_t begin = rows * lanes; begin < n; begin += rows * lanes) {
    const int64_t end = n - begin < rows * lanes ? n - begin : rows * lanes;
    for (int64_t i = 0; i < end; ++i) {
      const real v = scores[begin + i];
      y[i] = v > y[i] || y[i] != y[i] ? v : y[i];
    }
  }
}

int64_t not_below(int64_t n, const real* scores, real bound, int32_t* indices) {
  int64_t count = 0, i = 0;
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
  for (; i < n; ++i) {
    indices[count] = static_cast<int32_t>(i);
    count += scores[i] < bound ? 0 : 1;
  }
  return count;
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

[[maybe_unused]] constexpr ScanKernels scan_table(const char* isa) {
  return {isa, dot, sum, axpy, softmax, column_dots, code_sums, byte_dots, group_maxima, not_below};
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
