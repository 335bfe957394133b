#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tensor/tensor.h"

namespace seminar::inline SEMINAR_PRECISION {

/// The largest distance of two numbers at the same place.
inline double worst_difference(const Tensor& got, const Tensor& expected) {
  REQUIRE(got.shape() == expected.shape());
  double worst = 0;
  for (int64_t i = 0; i < got.numel(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(got.data()[i]) - static_cast<double>(expected.data()[i])));
  return worst;
}

}  // namespace seminar::inline SEMINAR_PRECISION
