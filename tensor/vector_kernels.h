// The kernels that ranking needs, for the engine and, by themselves, for the runtime (seminar/runtime). They are
// compiled once for every instruction set and chosen at run time (isa.h).
#pragma once

#include <cstdint>

#include "tensor/isa.h"
#include "tensor/real.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Numbers that stand side by side in a column block: one logical vector.
inline constexpr int64_t kernel_lanes = 64 / static_cast<int64_t>(sizeof(real));

/// The least multiple of `step` that is not below n.
constexpr int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

struct VectorKernels {
  const char* isa;
  /// Σ_i a_i b_i
  real (*dot)(int64_t n, const real* a, const real* b);
  /// Σ_i x_i
  real (*sum)(int64_t n, const real* x);
  /// y_i += s x_i
  void (*axpy)(int64_t n, real s, const real* x, real* y);
  /// y_i = exp(x_i - max x) / Σ_j exp(x_j - max x). Where mask (may be null) is 0, x takes no part and y is 0. If all
  /// is masked, y is 0. A NaN that takes part makes the row NaN.
  void (*softmax)(int64_t n, real* y, const real* x, const real* mask);
  /// y[t * stride + i] = Σ_j x_tj k_ij for rows x [targets, n] and the vectors k_i of `blocks` column blocks: block b
  /// holds kernel_lanes vectors as columns, [blocks, n, kernel_lanes].
  void (*column_dots)(int64_t n, int64_t blocks, int64_t targets, const real* x, const real* columns, real* y,
                      int64_t stride);
};

/// The kernels for this CPU.
const VectorKernels& vector_kernels();

}  // namespace seminar::inline SEMINAR_PRECISION
