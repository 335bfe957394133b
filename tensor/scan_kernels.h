// The kernels that ranking needs, for the engine and, by themselves, for the runtime (seminar/runtime).
#pragma once

#include <cstdint>
#include <string_view>

#include "tensor/real.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Numbers that stand side by side in a column block.
inline constexpr int64_t kernel_lanes = 64 / static_cast<int64_t>(sizeof(real));

/// Vectors in a block of byte_dots.
inline constexpr int64_t byte_lanes = 16;

struct ScanKernels {
  const char* isa;
  /// Σ a b
  real (*dot)(int64_t n, const real* a, const real* b);
  /// Σ x
  real (*sum)(int64_t n, const real* x);
  /// y += s x
  void (*axpy)(int64_t n, real s, const real* x, real* y);
  /// y = exp(x - max) / Σ; where mask (may be null) is 0, y is 0 and x takes no part. All masked: zeros.
  void (*softmax)(int64_t n, real* y, const real* x, const real* mask);
  /// y[t * stride + i] = Σ_j x[t * n + j] k_i[j] for rows x [targets, n] and the vectors k_i of `blocks` column blocks:
  /// block b holds kernel_lanes vectors as columns, [blocks, n, kernel_lanes].
  void (*column_dots)(int64_t n, int64_t blocks, int64_t targets, const real* x, const real* columns, real* y,
                      int64_t stride);
  /// y[l] = Σ_t table[t * size + codes[t * stride + l]] for l < n: look-ups in `tables` tables of `size` numbers.
  void (*code_sums)(int64_t n, int64_t tables, int64_t size, const real* table, const uint16_t* codes, int64_t stride,
                    real* y);
  /// y[16 b + i] = Σ_j x[j] k_i[j] of 8-bit vectors k_i against one of 16 bits, in whole numbers, so the same on every
  /// machine. Block b holds byte_lanes vectors, two numbers of each together: [blocks, n / 2, byte_lanes, 2], n even.
  void (*byte_dots)(int64_t n, int64_t blocks, const int16_t* x, const int8_t* columns, int32_t* y);
  /// y[i] = the largest of the scores i, i + groups, i + 2 groups, ..: groups = rows * kernel_lanes, n ≥ groups. NaN
  /// takes no part where there are numbers.
  void (*group_maxima)(int64_t n, int64_t rows, const real* scores, real* y);
  /// Indices of the scores that are not below the bound, NaN among them, in order; how many there are.
  int64_t (*not_below)(int64_t n, const real* scores, real bound, int32_t* indices);
};

/// Instruction sets that kernels are compiled for.
enum class Isa { base, avx2, avx512 };
/// The widest set up to `wish` (base, avx2 or avx512; empty: any) that this CPU has. `known` tells whether the name is
/// one.
Isa cpu_isa(std::string_view wish, bool& known);

/// The kernels for this CPU.
const ScanKernels& scan_kernels();

}  // namespace seminar::inline SEMINAR_PRECISION
