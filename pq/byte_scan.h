// Keys in 8 bits a number with one scale a key, scored in whole numbers: the same top K on every machine. The best of
// them are to be scored again with the keys themselves.
#pragma once

#include <vector>

#include "pq/select.h"
#include "tensor/tensor.h"

namespace seminar::inline SEMINAR_PRECISION {

class ByteKeys {
 public:
  /// Codes keys [L, d], d ≤ 1024, with whole numbers up to 2^(bits - 1) - 1, bits ≤ 8: 16 keys a block, four numbers of
  /// each together (pq/scan_kernels.h, byte_scores). Throws Error for numbers that are not finite.
  explicit ByteKeys(const Tensor& keys, int bits = 8);
  int64_t length() const { return length_; }
  /// target·key of every key, approximately; `scores` has space for scores_size() numbers, of which length() count.
  void scores(const real* target, real* scores) const;
  int64_t scores_size() const { return std::ssize(scales_); }
  /// The k best by target·key with the keys [L, d] themselves, of a few more than `candidates` best by scores(): what
  /// reaches the same bound is not told apart. Best first in `found`, which has space for length(). Returns how many.
  int64_t top(const real* target, const Tensor& keys, int64_t k, int64_t candidates, real* scores, Found* found) const;

 private:
  int64_t length_, dim_, width_;  // the width is a multiple of 4
  std::vector<int8_t> codes_;     // [blocks, width / 4, 16, 4]
  std::vector<real> scales_;      // [blocks * 16]
};

}  // namespace seminar::inline SEMINAR_PRECISION
