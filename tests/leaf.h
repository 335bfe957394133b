#pragma once

#include "autograd/var.h"

namespace seminar::inline SEMINAR_PRECISION {

/// A leaf with these numbers.
inline Var leaf(std::initializer_list<real> values) {
  return Var::leaf(Tensor::from({static_cast<int64_t>(values.size())}, values));
}

}  // namespace seminar::inline SEMINAR_PRECISION
