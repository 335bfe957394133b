#include "pq/byte_scan.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "pq/scan_kernels.h"
#include "tensor/finite.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// The largest number that targets are coded with, so that no sum can overflow.
real target_max(int64_t width) { return static_cast<real>(std::min<int64_t>(32767, INT32_MAX / (127 * width))); }

real max_abs(int64_t n, const real* x) {
  real result = 0;
  for (int64_t i = 0; i < n; ++i) result = std::max(result, std::abs(x[i]));
  return result;
}

}  // namespace

ByteKeys::ByteKeys(const Tensor& keys, int bits) {
  check(keys.defined() && keys.rank() == 2, "8-bit keys: needs keys [L, d]");
  length_ = keys.size(0);
  dim_ = keys.size(1);
  width_ = round_up(dim_, 4);
  const int64_t d = dim_, blocks = (length_ + byte_lanes - 1) / byte_lanes;
  check(d >= 1 && d <= max_byte_width, "8-bit keys: needs 1 to {} numbers a key, not {}", max_byte_width, d);
  check(bits >= 2 && bits <= 8, "8-bit keys: needs 2 to 8 bits, not {}", bits);
  const real byte_max = static_cast<real>((1 << (bits - 1)) - 1);
  const Tensor source = keys.contiguous();
  const int64_t bad = first_not_finite(source);
  check(bad < 0, "8-bit keys: key {} is not finite", bad / d);
  codes_.resize(static_cast<std::size_t>(blocks * width_ * byte_lanes));
  scales_.resize(static_cast<std::size_t>(blocks * byte_lanes));
  for (int64_t l = 0; l < length_; ++l) {
    const real* x = source.data() + l * d;
    const real size = max_abs(d, x);
    scales_[l] = size / byte_max;
    int8_t* block = codes_.data() + l / byte_lanes * width_ * byte_lanes + l % byte_lanes * 4;
    for (int64_t j = 0; j < d && size > 0; ++j)
      block[j / 4 * byte_lanes * 4 + j % 4] = static_cast<int8_t>(std::lround(x[j] / size * byte_max));
  }
}

void ByteKeys::scores(std::span<const real> target, real* scores) const {
  check(std::ssize(target) == dim_, "8-bit keys: a target of {} numbers for keys of {}", target.size(), dim_);
  const int64_t bad = first_not_finite(target);
  check(bad < 0, "8-bit keys: number {} of the target is not finite", bad);
  int16_t x[max_byte_width] = {};
  const real size = max_abs(dim_, target.data()), whole = target_max(width_);
  for (int64_t j = 0; j < dim_ && size > 0; ++j) {
    const real exact = target[static_cast<std::size_t>(j)] / size * whole;
    x[j] = static_cast<int16_t>(exact < 0 ? exact - real{0.5} : exact + real{0.5});
  }
  scan_kernels().byte_scores(width_, std::ssize(scales_) / byte_lanes, x, codes_.data(), scales_.data(), size / whole,
                             scores);
}

int64_t ByteKeys::top(std::span<const real> target, const Tensor& keys, int64_t k, int64_t candidates, real* scores,
                      Found* found) const {
  check(keys.defined() && keys.shape() == Shape({length_, dim_}) && keys.is_contiguous(),
        "8-bit keys: top needs the keys [{}, {}] that were coded, and not as a view", length_, dim_);
  check(k >= 1, "8-bit keys: k must be at least 1: {}", k);
  this->scores(target, scores);
  const real bound = candidates < length_ ? scan_kernels().top_bound(length_, scores, candidates) : 0;
  int64_t count = length_;
  if (candidates < length_ && std::isfinite(bound))
    count = select_reaching(length_, scores, 0, bound, found);
  else
    for (int64_t l = 0; l < length_; ++l) found[l].position = static_cast<int32_t>(l);
  for (int64_t i = 0; i < count; ++i)
    found[i].score = vector_kernels().dot(dim_, keys.data() + found[i].position * dim_, target.data());
  return keep_top(count, k, found);
}

}  // namespace seminar::inline SEMINAR_PRECISION
