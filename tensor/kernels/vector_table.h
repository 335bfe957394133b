// The table of the kernels that ranking needs, included by every vectors_<isa>.cpp.
#pragma once

#include "tensor/kernels/dot.h"
#include "tensor/kernels/softmax.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr VectorKernels vector_table(const char* isa) {
  return {.isa = isa, .dot = dot, .sum = sum, .axpy = axpy, .softmax = softmax, .column_dots = column_dots};
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
