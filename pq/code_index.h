// Coded keys laid out for scans (code_scan.h).
#pragma once

#include <span>
#include <vector>

#include "pq/code_scan.h"
#include "tensor/tensor.h"

namespace seminar::inline SEMINAR_PRECISION {

class CodeIndex {
 public:
  /// Codes [L, C, S] below `centroids`; gamma [L, C] weighs the channels of every key, undefined: the tables hold the
  /// weights. Throws Error for codes or weights that do not fit, and for weights that are not finite.
  CodeIndex(std::span<const uint16_t> codes, int64_t channels, int64_t tables, int64_t centroids, const Tensor& gamma);
  CodeIndex(const CodeIndex&) = delete;
  CodeIndex& operator=(const CodeIndex&) = delete;
  int64_t length() const { return length_; }
  /// The k best by table [C, S, K], best first, ties by the lower position. Throws Error if a score is NaN.
  std::vector<Found> top(const Tensor& table, int64_t k, const ScanKernels& kernels = scan_kernels()) const;

 private:
  int64_t length_;
  std::vector<uint16_t> codes_;
  std::vector<uint8_t> low_, ninth_;
  std::vector<real> gamma_, max_abs_gamma_;
  CodeColumns columns_;
};

}  // namespace seminar::inline SEMINAR_PRECISION
