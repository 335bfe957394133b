#include "pq/byte_scan.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "tensor/kernels.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t max_width = 1024, blocks_at_a_time = 64;

// The largest number that targets are coded with, so that no sum can overflow.
real target_most(int64_t width) { return static_cast<real>(std::min<int64_t>(32767, INT32_MAX / (127 * width))); }

real largest(int64_t n, const real* x) {
  real most = 0;
  for (int64_t i = 0; i < n; ++i) most = std::max(most, std::abs(x[i]));
  return most;
}

}  // namespace

ByteKeys::ByteKeys(const Tensor& keys, int bits)
    : length_(keys.size(0)), dim_(keys.size(1)), width_((keys.size(1) + 1) / 2 * 2) {
  const real byte_most = static_cast<real>((1 << (bits - 1)) - 1);
  const int64_t d = dim_, blocks = (length_ + byte_lanes - 1) / byte_lanes;
  check(d <= max_width, "8-bit keys: at most {} numbers: {}", max_width, d);
  const Tensor source = keys.contiguous();
  codes_.resize(static_cast<std::size_t>(blocks * width_ * byte_lanes));
  scales_.resize(static_cast<std::size_t>(blocks * byte_lanes));
  for (int64_t l = 0; l < length_; ++l) {
    const real* x = source.data() + l * d;
    const real most = largest(d, x);
    check(std::isfinite(most), "8-bit keys: key {} is not finite", l);
    scales_[l] = most / byte_most;
    int8_t* block = codes_.data() + l / byte_lanes * width_ * byte_lanes + l % byte_lanes * 2;
    for (int64_t j = 0; j < d && most > 0; ++j)
      block[j / 2 * byte_lanes * 2 + j % 2] = static_cast<int8_t>(std::lround(x[j] / most * byte_most));
  }
}

void ByteKeys::scores(const real* target, real* scores) const {
  const int64_t blocks = std::ssize(scales_) / byte_lanes;
  int16_t x[max_width] = {};
  const real most = largest(dim_, target), whole = target_most(width_);
  for (int64_t j = 0; j < dim_ && most > 0; ++j) x[j] = static_cast<int16_t>(std::lround(target[j] / most * whole));
  int32_t sums[blocks_at_a_time * byte_lanes];
  for (int64_t begin = 0; begin < blocks; begin += blocks_at_a_time) {
    const int64_t count = std::min(blocks_at_a_time, blocks - begin), at = begin * byte_lanes;
    kernels().byte_dots(width_, count, x, codes_.data() + at * width_, sums);
    for (int64_t i = 0; i < count * byte_lanes; ++i)
      scores[at + i] = static_cast<real>(sums[i]) * scales_[at + i] * (most / whole);
  }
}

}  // namespace seminar::inline SEMINAR_PRECISION
