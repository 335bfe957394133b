// Numbers of 16 bits in files.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace seminar {

/// The upper half of a float.
struct Bf16 {
  uint16_t bits;
};
/// The nearest one, ties to even.
inline Bf16 bf16_of(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if (std::isnan(x)) return {static_cast<uint16_t>(bits >> 16 | 1)};
  return {static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

/// The number that the bits of IEEE 754 binary16 stand for.
inline float half_to_float(uint16_t half) {
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  const float magnitude = exponent == 31  ? (fraction != 0 ? NAN : INFINITY)
                          : exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                          : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

}  // namespace seminar
