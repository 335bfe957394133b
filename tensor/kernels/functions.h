// exp, log, tanh, the logistic function and the normal distribution function of a vector.
#pragma once

#include "tensor/kernels/vec.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// (…(first x + second) x + …) x + last
template <class... Rest>
SEMINAR_INLINE Vec polynomial(const Vec& x, real first, Rest... rest) {
  Vec p = splat(first);
  ((p = mul_add(p, x, rest)), ...);
  return p;
}

// exp(x). In float the relative error is below 2e-7: x = n ln 2 + r, exp(x) = 2ⁿ exp(r), and exp(r) is a polynomial of
// degree 6. In double it is libm's.
SEMINAR_INLINE Vec exp_lanes(const Vec& v) {
#ifdef SEMINAR_DOUBLE
  return each_lane(v, [](real x) { return ::exp(x); });
#else
  const Vec low = splat(-103.97f), high = splat(89.0f);
  const Vec x = smaller(high, larger(low, v));  // NaN stays NaN
  const Vec magic = splat(12582912.0f);         // 1.5 · 2²³: adding it rounds to the nearest whole number
  const Vec n = mul_add(x, 1.44269504f, magic) - magic;
  const Vec r = mul_add(n, 2.12194440e-4f, mul_add(n, -0.693359375f, x));
  const Vec q = polynomial(r, 1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f,
                           5.0000001201e-1f);
  const Vec p = mul_add(q, r * r, r) + 1.0f;
  // 2ⁿ in two factors: n reaches -150 and 129.
  const IntVec whole = to_int(select(n == n, n, Vec{})), half = whole >> splat_int(1), bias = splat_int(127),
               mantissa = splat_int(23);
  const Vec a = bits_as<Vec>((half + bias) << mantissa), b = bits_as<Vec>((whole - half + bias) << mantissa);
  return select(v < low, Vec{}, p * a * b);  // what a mask left out (-∞) is exactly 0
#endif
}

// log(x). In float the relative error is below 2e-7: x = m 2ⁿ with m from √½ to √2, log(x) = n ln 2 + log(m), and
// log(m) is a polynomial in m - 1. In double it is libm's.
SEMINAR_INLINE Vec log_lanes(const Vec& v) {
#ifdef SEMINAR_DOUBLE
  return each_lane(v, [](real x) { return ::log(x); });
#else
  const auto small = v < 1.17549435e-38f;    // without a leading bit: made larger by 2²³
  const IntVec bits = bits_as<IntVec>(select(small, v * 8388608.0f, v));
  const Vec half = bits_as<Vec>((bits & splat_int(0x7FFFFF)) | splat_int(0x3F000000));  // from ½ to 1
  const auto low = half < 0.707106781f;
  Vec n = to_real((bits >> splat_int(23)) - splat_int(126));
  n = select(small, n - 23.0f, n);
  n = select(low, n - 1.0f, n);
  const Vec x = select(low, half + half, half) - 1.0f, z = x * x;
  const Vec p = polynomial(x, 7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f,
                           1.4249322787e-1f, -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f);
  const Vec y = mul_add(z, -0.5f, mul_add(n, -2.12194440e-4f, x * z * p));
  Vec result = mul_add(n, 0.693359375f, x + y);
  result = select(v == 0, splat(-infinity), result);
  result = select(v == infinity, v, result);
  return select(v >= 0, result, splat(static_cast<real>(NAN)));
#endif
}

// log(1 + x) for x ≥ 0. With u = 1 + x as rounded, log(u) x / (u - 1) makes up for the rounding.
SEMINAR_INLINE Vec log1p_lanes(const Vec& x) {
  const Vec u = 1 + x, d = u - 1;
  return select(d == 0, x, log_lanes(u) * x / d);
}

// log of one number, as the vectors have it.
SEMINAR_INLINE real log_of(real x) {
  real row[lanes];
  store(row, log_lanes(splat(x)));
  return row[0];
}

SEMINAR_INLINE Vec sqrt_lanes(const Vec& v) {
  return each_lane(v, [](real x) { return static_cast<real>(::sqrt(x)); });
}

SEMINAR_INLINE Vec abs_lanes(const Vec& v) { return select(v < 0, -v, v); }

// tanh(x). In float the relative error is below 3e-7: an odd polynomial near 0, else 1 - 2 / (exp(2 |x|) + 1) with the
// sign of x. In double it is libm's.
SEMINAR_INLINE Vec tanh_lanes(const Vec& x) {
#ifdef SEMINAR_DOUBLE
  return each_lane(x, [](real v) { return ::tanh(v); });
#else
  const Vec size = abs_lanes(x), z = x * x;
  const Vec p =
      polynomial(z, -5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f, 1.33314422036e-1f, -3.33332819422e-1f);
  const Vec near = mul_add(p * z, x, x), far = 1.0f - 2.0f / (exp_lanes(size + size) + 1.0f);
  return select(size < 0.625f, near, select(x < 0, -far, far));
#endif
}

// σ(x) = 1 / (1 + exp(-x)), by exp(-|x|) so that nothing overflows.
SEMINAR_INLINE Vec sigmoid_lanes(const Vec& x) {
  const Vec e = exp_lanes(-abs_lanes(x));
  return select(x < 0, e, splat(1)) / (e + 1);
}

// The normal distribution function Φ(x) = erfc(-x/√2) / 2. In float it is a rational Chebyshev fit (relative error
// 1.2e-7).
SEMINAR_INLINE Vec normal_cdf_lanes(const Vec& x) {
#ifdef SEMINAR_DOUBLE
  return each_lane(x, [](real v) { return 0.5 * ::erfc(-v * 0.70710678118654752440); });
#else
  const Vec z = abs_lanes(x) * 0.70710678f;
  const Vec t = 1.0f / mul_add(z, 0.5f, 1.0f);
  const Vec p = polynomial(t, 0.17087277f, -0.82215223f, 1.48851587f, -1.13520398f, 0.27886807f, -0.18628806f,
                           0.09678418f, 0.37409196f, 1.00002368f, -1.26551223f);
  const Vec half_erfc = 0.5f * t * exp_lanes(mul_add(-z, z, p));
  return select(x < 0, half_erfc, 1.0f - half_erfc);
#endif
}

constexpr real inv_sqrt_2pi = static_cast<real>(0.39894228040143267794);

// d/dx x σ(a x)
SEMINAR_INLINE Vec swish_derivative_lanes(real a, const Vec& x) {
  const Vec s = sigmoid_lanes(a * x);
  return s + a * x * s * (1 - s);
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
