// The K largest of each row, with stable ties: the lower index wins. NaN is an error.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Indices of the (at most k) largest scores where mask (may be empty) is not 0, best first. Fewer than k if fewer are
/// left. Throws Error for NaN among them or for k < 1.
std::vector<int32_t> top_k(std::span<const real> scores, std::span<const real> mask, int64_t k);

}  // namespace seminar::inline SEMINAR_PRECISION
