// SimHash: the signs of a vector on random planes. Two vectors at angle θ differ in a bit with chance θ / π.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace seminar::inline SEMINAR_PRECISION {

/// The normals of random planes: [bits, d].
Tensor hash_planes(int64_t bits, int64_t d, Rng rng);

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
/// Those of `order` whose codes, from row `first` on, are nearest to `own`, nearest first; of equals the one that
/// stands first in `order`. Sorted by counting: distances are small whole numbers.
std::vector<int32_t> nearest_codes(std::span<const uint64_t> own, const SignCodes& codes, int64_t first,
                                   std::span<const int32_t> order);

}  // namespace seminar::inline SEMINAR_PRECISION
