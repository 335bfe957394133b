// One answer to "is every number a number?".
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "tensor/tensor.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Index of the first number that is NaN or infinite; -1 if all are finite.
inline int64_t first_not_finite(std::span<const real> x) {
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!std::isfinite(x[i])) return static_cast<int64_t>(i);
  return -1;
}
/// The same of a tensor's numbers, counted row by row.
inline int64_t first_not_finite(const Tensor& x) {
  const Tensor source = x.contiguous();
  return first_not_finite({source.data(), static_cast<std::size_t>(source.numel())});
}

}  // namespace seminar::inline SEMINAR_PRECISION
