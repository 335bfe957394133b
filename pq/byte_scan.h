// Keys in 8 bits a number with one scale a key, scored in whole numbers: the same top K on every machine. The best of
// them are to be scored again with the keys themselves.
#pragma once

#include <span>
#include <vector>

#include "pq/select.h"
#include "tensor/tensor.h"

namespace seminar::inline SEMINAR_PRECISION {

class ByteKeys {
 public:
  /// Codes keys [L, d], 1 ≤ d ≤ 1024, with whole numbers up to 2^(bits - 1) - 1, 2 ≤ bits ≤ 8: 16 keys a block, four
  /// numbers of each together (pq/scan_kernels.h, byte_scores). Throws Error for other sizes and for numbers that are
  /// not finite.
  explicit ByteKeys(const Tensor& keys, int bits = 8);
  int64_t length() const { return length_; }
  /// target·key of every key, approximately; `scores` has space for scores_size() numbers, of which length() count.
  /// Throws Error for a target of another width or with numbers that are not finite.
  void scores(std::span<const real> target, real* scores) const;
  int64_t scores_size() const { return std::ssize(scales_); }
  /// The k best by target·key with the keys [L, d] themselves, of a few more than `candidates` best by scores(): what
  /// reaches the same bound is not told apart. Best first in `found`, which has space for length(). Returns how many.
  /// Throws Error for keys of another shape or keys that are a view, and for k < 1.
  int64_t top(std::span<const real> target, const Tensor& keys, int64_t k, int64_t candidates, real* scores,
              Found* found) const;

 private:
  int64_t length_ = 0, dim_ = 0, width_ = 0;  // the width is a multiple of 4
  std::vector<int8_t> codes_;                 // [blocks, width / 4, 16, 4]
  std::vector<real> scales_;                  // [blocks * 16]
};

}  // namespace seminar::inline SEMINAR_PRECISION
