// SimHash: the signs of a vector on random planes. Two vectors at angle θ differ in a bit with chance θ / π.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace seminar::inline SEMINAR_PRECISION {

/// The signs of many rows, packed 64 to a word.
struct SignCodes {
  int64_t words = 0;
  std::vector<uint64_t> codes;  ///< [rows * words]
  std::span<const uint64_t> row(int64_t i) const {
    return std::span(codes).subspan(static_cast<std::size_t>(i * words), static_cast<std::size_t>(words));
  }
};

/// Bit b of row i is 1 where rows[i] · planes[b] + bias[b] > 0; rows [n, d], planes [bits, d], bias [bits] or
/// undefined for none.
SignCodes sign_codes(const Tensor& rows, const Tensor& planes, const Tensor& bias = {});
/// In how many bits two codes of equal size differ.
int64_t hamming(std::span<const uint64_t> a, std::span<const uint64_t> b);

}  // namespace seminar::inline SEMINAR_PRECISION
