// The table of all row kernels, included by every <isa>.cpp.
#pragma once

#include "tensor/kernels/adam.h"
#include "tensor/kernels/clip_loss_rows.h"
#include "tensor/kernels/elementwise.h"
#include "tensor/kernels/layer_norm.h"
#include "tensor/kernels/nearest.h"
#include "tensor/kernels/small_gemm.h"
#include "tensor/kernels/softmax_grad.h"
#include "tensor/kernels/vector_table.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr Kernels kernel_table(const char* isa) {
  Kernels k{};
  static_cast<VectorKernels&>(k) = vector_table(isa);
  k.binary = binary;
  k.unary = unary;
  k.unary_grad = unary_grad;
  k.small_gemm = small_gemm;
  k.transpose = transpose;
  k.weighted_sum = weighted_sum;
  k.softmax_grad = softmax_grad;
  k.log_sum_exp = log_sum_exp;
  k.clip_loss_rows = clip_loss_rows;
  k.log_softmax_grad = log_softmax_grad;
  k.layer_norm = layer_norm;
  k.layer_norm_grad = layer_norm_grad;
  k.nearest = nearest;
  k.adam = adam;
  return k;
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
