// exp, the logistic function and the normal distribution function of a vector.
#pragma once

#include "tensor/kernels/vec.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// exp(x). In float the relative error is below 2e-7: x = n ln 2 + r, exp(x) = 2ⁿ exp(r), and exp(r) is a polynomial of
// degree 6. In double it is libm's.
SEMINAR_INLINE Vec exp_lanes(const Vec& v) {
#ifdef SEMINAR_DOUBLE
  return each_lane(v, [](real x) { return ::exp(x); });
#else
  const Vec low = splat(-103.97f), high = splat(89.0f);
  const Vec x = smaller(high, larger(low, v));  // NaN stays NaN
  const Vec magic = splat(12582912.0f);         // 1.5 · 2²³: adding it rounds to the nearest whole number
  const Vec n = (x * 1.44269504f + magic) - magic;
  const Vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // 2ⁿ in two factors: n reaches -150 and 129.
  const IntVec whole = to_int(select(n == n, n, Vec{})), half = whole >> splat_int(1), bias = splat_int(127),
               mantissa = splat_int(23);
  const Vec a = bits_as<Vec>((half + bias) << mantissa), b = bits_as<Vec>((whole - half + bias) << mantissa);
  return select(v < low, Vec{}, p * a * b);  // what a mask left out (-∞) is exactly 0
#endif
}

SEMINAR_INLINE Vec abs_lanes(const Vec& v) { return select(v < 0, -v, v); }

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
  const Vec t = 1.0f / (1.0f + 0.5f * z);
  Vec p = splat(0.17087277f);
  p = p * t - 0.82215223f;
  p = p * t + 1.48851587f;
  p = p * t - 1.13520398f;
  p = p * t + 0.27886807f;
  p = p * t - 0.18628806f;
  p = p * t + 0.09678418f;
  p = p * t + 0.37409196f;
  p = p * t + 1.00002368f;
  p = p * t - 1.26551223f;
  const Vec half_erfc = 0.5f * t * exp_lanes(p - z * z);
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
