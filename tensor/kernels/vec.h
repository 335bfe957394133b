// Vectors as wide as the machine's registers. A logical vector holds 64 bytes (16 floats, or 8 doubles) on every
// instruction set: it is one register, or two halves that are registers or halves again. So the order of every sum is
// the same on all of them. Products are fused with sums only where mul_add says so. The sets that have the fused
// instruction (AVX2, AVX-512, AArch64) give the same bits.
// Kernel files hold functions of internal linkage only and no std:: templates: the linker could pick a template that
// was instantiated here with wide instructions for all callers.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "tensor/vector_kernels.h"

#define SEMINAR_INLINE [[maybe_unused]] static inline __attribute__((always_inline))

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int lanes = static_cast<int>(kernel_lanes);
constexpr real infinity = static_cast<real>(INFINITY);

#ifdef SEMINAR_DOUBLE
using Bits = int64_t;
#else
using Bits = int32_t;
#endif

#if defined(__AVX512F__)
#define SEMINAR_REGISTER __attribute__((vector_size(64)))
#elif defined(__AVX2__)
#define SEMINAR_REGISTER __attribute__((vector_size(32)))
#else
#define SEMINAR_REGISTER __attribute__((vector_size(16)))
#endif
using Register = real SEMINAR_REGISTER;
using IntRegister = decltype(Register{} < Register{});  // of whole numbers as wide as a real; -1 where true
#undef SEMINAR_REGISTER

template <class Half>
struct Halves {
  Half low, high;
};

#if defined(__AVX512F__)
using Vec = Register;
using IntVec = IntRegister;
#elif defined(__AVX2__)
using Vec = Halves<Register>;
using IntVec = Halves<IntRegister>;
#else
using Vec = Halves<Halves<Register>>;
using IntVec = Halves<Halves<IntRegister>>;
#endif
static_assert(sizeof(Vec) == 64 && sizeof(IntVec) == 64);

// Halves add, compare and so on as registers do, a number standing for a vector of it.
#define SEMINAR_OPERATOR(op)                                                   \
  template <class H>                                                           \
  SEMINAR_INLINE auto operator op(const Halves<H>& a, const Halves<H>& b) {    \
    return Halves<decltype(a.low op b.low)>{a.low op b.low, a.high op b.high}; \
  }
#define SEMINAR_REAL_OPERATOR(op)                                 \
  SEMINAR_OPERATOR(op)                                            \
  template <class H>                                              \
  SEMINAR_INLINE auto operator op(const Halves<H>& a, real b) {   \
    return Halves<decltype(a.low op b)>{a.low op b, a.high op b}; \
  }                                                               \
  template <class H>                                              \
  SEMINAR_INLINE auto operator op(real a, const Halves<H>& b) {   \
    return Halves<decltype(a op b.low)>{a op b.low, a op b.high}; \
  }
SEMINAR_REAL_OPERATOR(+)
SEMINAR_REAL_OPERATOR(-)
SEMINAR_REAL_OPERATOR(*)
SEMINAR_REAL_OPERATOR(/)
SEMINAR_REAL_OPERATOR(<)
SEMINAR_REAL_OPERATOR(>)
SEMINAR_REAL_OPERATOR(>=)
SEMINAR_REAL_OPERATOR(==)
SEMINAR_OPERATOR(&)
SEMINAR_OPERATOR(|)
SEMINAR_OPERATOR(<<)
SEMINAR_OPERATOR(>>)
#undef SEMINAR_REAL_OPERATOR
#undef SEMINAR_OPERATOR

template <class H>
SEMINAR_INLINE Halves<H> operator-(const Halves<H>& a) {
  return {-a.low, -a.high};
}
template <class H, class T>
SEMINAR_INLINE void operator+=(Halves<H>& a, const T& b) {
  a = a + b;
}
template <class H, class T>
SEMINAR_INLINE void operator-=(Halves<H>& a, const T& b) {
  a = a - b;
}

template <class V>
constexpr bool is_halves = requires(V v) {
  v.low;
};

// All lanes x.
SEMINAR_INLINE Vec splat(real x) { return Vec{} + x; }
template <class V = IntVec>
SEMINAR_INLINE V splat_int(Bits x) {
  if constexpr (is_halves<V>)
    return {splat_int<decltype(V::low)>(x), splat_int<decltype(V::low)>(x)};
  else
    return V{} + x;
}

// In every lane: mask ? a : b.
template <class M, class V>
SEMINAR_INLINE V select(const M& mask, const V& a, const V& b) {
  if constexpr (is_halves<V>)
    return {select(mask.low, a.low, b.low), select(mask.high, a.high, b.high)};
  else
    return mask ? a : b;
}
// a b + c, rounded once where the instruction set has it; in two steps on plain x86-64 and in WebAssembly.
#ifdef SEMINAR_DOUBLE
#define SEMINAR_BY_PRECISION(single, twice) twice
#else
#define SEMINAR_BY_PRECISION(single, twice) single
#endif
template <class V>
SEMINAR_INLINE V fused(const V& a, const V& b, const V& c) {
  if constexpr (is_halves<V>)
    return {fused(a.low, b.low, c.low), fused(a.high, b.high, c.high)};
  else
#if defined(__AVX512F__)
    return SEMINAR_BY_PRECISION(_mm512_fmadd_ps, _mm512_fmadd_pd)(a, b, c);
#elif defined(__AVX2__)
    return SEMINAR_BY_PRECISION(_mm256_fmadd_ps, _mm256_fmadd_pd)(a, b, c);
#elif defined(__aarch64__)
    return (V)SEMINAR_BY_PRECISION(vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b),
                                   vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b));
#else
    return a * b + c;
#endif
}
SEMINAR_INLINE Vec mul_add(const Vec& a, const Vec& b, const Vec& c) { return fused(a, b, c); }
SEMINAR_INLINE Vec mul_add(real a, const Vec& b, const Vec& c) { return fused(splat(a), b, c); }
SEMINAR_INLINE Vec mul_add(const Vec& a, real b, const Vec& c) { return fused(a, splat(b), c); }
SEMINAR_INLINE Vec mul_add(const Vec& a, const Vec& b, real c) { return fused(a, b, splat(c)); }
SEMINAR_INLINE Vec mul_add(const Vec& a, real b, real c) { return fused(a, splat(b), splat(c)); }
SEMINAR_INLINE real mul_add(real a, real b, real c) {
#if defined(__FMA__) || defined(__aarch64__)
  return SEMINAR_BY_PRECISION(__builtin_fmaf, __builtin_fma)(a, b, c);
#else
  return a * b + c;
#endif
}
#undef SEMINAR_BY_PRECISION

// b where one of the two is NaN.
template <class V>
SEMINAR_INLINE V larger(const V& a, const V& b) {
  return select(a > b, a, b);
}
template <class V>
SEMINAR_INLINE V smaller(const V& a, const V& b) {
  return select(a < b, a, b);
}

template <class V = Vec, class T>
SEMINAR_INLINE V load_as(const T* x) {
  V v;
  if constexpr (is_halves<V>) {
    v.low = load_as<decltype(v.low)>(x);
    v.high = load_as<decltype(v.high)>(x + sizeof v.low / sizeof *x);
  } else {
    memcpy(&v, x, sizeof v);
  }
  return v;
}
SEMINAR_INLINE Vec load(const real* x) { return load_as<Vec>(x); }
template <class T, class V>
SEMINAR_INLINE void store(T* y, const V& v) {
  if constexpr (is_halves<V>) {
    store(y, v.low);
    store(y + sizeof v.low / sizeof *y, v.high);
  } else {
    memcpy(y, &v, sizeof v);
  }
}

// The first n ≤ lanes numbers; the other lanes of load_part are `fill`.
#if defined(__AVX512F__) && !defined(SEMINAR_DOUBLE)
SEMINAR_INLINE Vec load_part(const real* x, int64_t n, real fill) {
  return _mm512_mask_loadu_ps(_mm512_set1_ps(fill), static_cast<__mmask16>((1U << n) - 1), x);
}
SEMINAR_INLINE void store_part(real* y, const Vec& v, int64_t n) {
  _mm512_mask_storeu_ps(y, static_cast<__mmask16>((1U << n) - 1), v);
}
#elif defined(__AVX2__) && !defined(SEMINAR_DOUBLE)
SEMINAR_INLINE __m256i first_lanes(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
SEMINAR_INLINE Vec load_part(const real* x, int64_t n, real fill) {
  const auto part = [&](const real* from, __m256i mask) {
    return _mm256_blendv_ps(_mm256_set1_ps(fill), _mm256_maskload_ps(from, mask), _mm256_castsi256_ps(mask));
  };
  return {part(x, first_lanes(n)), part(x + 8, first_lanes(n - 8))};
}
SEMINAR_INLINE void store_part(real* y, const Vec& v, int64_t n) {
  _mm256_maskstore_ps(y, first_lanes(n), v.low);
  _mm256_maskstore_ps(y + 8, first_lanes(n - 8), v.high);
}
#else
SEMINAR_INLINE Vec load_part(const real* x, int64_t n, real fill) {
  real row[lanes];
  for (int64_t i = 0; i < lanes; ++i) row[i] = i < n ? x[i] : fill;
  return load(row);
}
SEMINAR_INLINE void store_part(real* y, const Vec& v, int64_t n) {
  real row[lanes];
  store(row, v);
  for (int64_t i = 0; i < n; ++i) y[i] = row[i];
}
#endif

// The lower or upper half of 8 or 16 lanes.
template <bool upper, class V>
SEMINAR_INLINE auto half_of(const V& v) {
#if __has_builtin(__builtin_shufflevector)
  constexpr int i = upper ? sizeof(V) / sizeof(real) / 2 : 0;
  if constexpr (sizeof(V) / sizeof(real) == 16)
    return __builtin_shufflevector(v, v, i, i + 1, i + 2, i + 3, i + 4, i + 5, i + 6, i + 7);
  else
    return __builtin_shufflevector(v, v, i, i + 1, i + 2, i + 3);
#else  // g++ 11
  typedef real Half __attribute__((vector_size(sizeof(V) / 2)));
  Half half;
  __builtin_memcpy(&half, reinterpret_cast<const char*>(&v) + (upper ? sizeof half : 0), sizeof half);
  return half;
#endif
}

// f of lane i and lane i + half, then again with half as many lanes.
template <class V, class F>
SEMINAR_INLINE real fold(const V& v, const F& f) {
  constexpr int count = sizeof(V) / sizeof(real);
  if constexpr (is_halves<V>)
    return fold(f(v.low, v.high), f);
  else if constexpr (count == 8 || count == 16)
    return fold(f(half_of<false>(v), half_of<true>(v)), f);
  else if constexpr (count == 4)
    return f(f(v[0], v[2]), f(v[1], v[3]));
  else
    return f(v[0], v[1]);
}
SEMINAR_INLINE real total(const Vec& v) {
  return fold(v, [](const auto& a, const auto& b) { return a + b; });
}
SEMINAR_INLINE real largest(const Vec& v) {
  return fold(v, [](const auto& a, const auto& b) { return larger(a, b); });
}
SEMINAR_INLINE real least(const Vec& v) {
  return fold(v, [](const auto& a, const auto& b) { return smaller(a, b); });
}

// The number before the point, as a whole number.
template <class V>
SEMINAR_INLINE auto to_int(const V& v) {
  if constexpr (is_halves<V>)
    return Halves<decltype(to_int(v.low))>{to_int(v.low), to_int(v.high)};
  else
    return __builtin_convertvector(v, IntRegister);
}
template <class V>
SEMINAR_INLINE auto to_real(const V& v) {
  if constexpr (is_halves<V>)
    return Halves<decltype(to_real(v.low))>{to_real(v.low), to_real(v.high)};
  else
    return __builtin_convertvector(v, Register);
}
// The same bits, read as another kind of number.
template <class To, class From>
SEMINAR_INLINE To bits_as(const From& v) {
  To out;
  if constexpr (is_halves<To>) {
    out.low = bits_as<decltype(out.low)>(v.low);
    out.high = bits_as<decltype(out.high)>(v.high);
  } else {
    memcpy(&out, &v, sizeof out);
  }
  return out;
}

// f(x) lane by lane, for functions that have no vector form.
SEMINAR_INLINE Vec each_lane(const Vec& x, real (*f)(real)) {
  real row[lanes];
  store(row, x);
  for (int i = 0; i < lanes; ++i) row[i] = f(row[i]);
  return load(row);
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
