// Matrix products through OpenBLAS. Work is cut into fixed blocks, each one a single-threaded BLAS call, so the result
// is the same bits for any number of threads.
#pragma once

#include <cstdint>
#include <string>

#include "tensor/tensor.h"

namespace seminar::inline SEMINAR_PRECISION {

/// C[m,n] = alpha · op(A)[m,k] op(B)[k,n] + beta · C; row-major with leading dimensions; `ta`, `tb` say what is
/// transposed.
void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, real alpha, const real* a, int64_t lda, const real* b,
          int64_t ldb, real beta, real* c, int64_t ldc);

/// c += a b (accumulate) or c = a b, over the last two axes; leading axes equal, or absent in `a` or `b` (then it
/// serves every batch entry). A transposed view costs nothing. `c` is contiguous and has the shape of matmul_shape.
/// Where c has no batch axes but a and b have, the products are summed over the batch.
void matmul_into(Tensor& c, const Tensor& a, const Tensor& b, bool accumulate);
/// The product's shape: [..., m, n]. Throws Error if the inner sizes or the batch axes differ.
Shape matmul_shape(const Shape& a, const Shape& b);
Tensor matmul(const Tensor& a, const Tensor& b);

/// What the BLAS calls itself, e.g. "OpenBLAS 0.3.21 … (OpenMP)".
std::string blas_description();

}  // namespace seminar::inline SEMINAR_PRECISION
