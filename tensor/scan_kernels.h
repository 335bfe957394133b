// The kernels that ranking needs, for the engine and, by themselves, for the runtime (seminar/runtime).
#pragma once

#include <cstdint>
#include <string_view>

#include "tensor/real.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Numbers that stand side by side in a column block.
inline constexpr int64_t kernel_lanes = 64 / static_cast<int64_t>(sizeof(real));

/// Vectors in a block of byte_scores, and the numbers that a vector may have.
inline constexpr int64_t byte_lanes = 16, max_byte_width = 1024;

/// Entries in a table of byte_code_scores, and the tables that a channel may have.
inline constexpr int64_t byte_table = 512, max_byte_tables = 256;

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
  /// y[16 b + i] = (Σ_j x[j] k_i[j]) scales[16 b + i] factor of 8-bit vectors k_i against one of 16 bits: the sum in
  /// whole numbers, so y is the same on every machine. Block b holds byte_lanes vectors, four numbers of each together:
  /// [blocks, n / 4, byte_lanes, 4]; n a multiple of 4, at most max_byte_width.
  void (*byte_scores)(int64_t n, int64_t blocks, const int16_t* x, const int8_t* columns, const real* scales,
                      real factor, real* y);
  /// A number that at least k of the n scores reach, and few more do: of groups of scores, the k-th largest maximum, by
  /// halving the range of the maxima. -∞ if that would not pay. NaN takes no part.
  real (*top_bound)(int64_t n, const real* scores, int64_t k);
  /// Indices of the scores that are not below the bound, NaN among them, in order; how many there are. `indices` has
  /// room for n + 16.
  int64_t (*not_below)(int64_t n, const real* scores, real bound, int32_t* indices);
  /// y[i] = how many numbers are larger than x[i], or equal and before it: where sorting puts it. No NaN.
  void (*ranks)(int64_t n, const real* x, int32_t* y);
  /// Tables [tables, size], tables ≤ max_byte_tables, size ≤ byte_table, in 8 bits: bytes[t * byte_table + i] =
  /// (table[t * size + i] - the least of row t) / step, rounded. Returns the step, the widest row's range / 255; NaN if
  /// a number is not finite. `least`: the sum of the rows' least numbers.
  real (*byte_tables)(int64_t tables, int64_t size, const real* table, uint8_t* bytes, real* least);
  /// y[l] = Σ_c gamma[c * stride + l] (steps[c] Σ_t bytes[t * byte_table + code_t(l)] + least[c]), t the `tables`
  /// of channel c, gamma null: 1. code_t(l) has its lower bits in low[t * stride + l], its ninth as bit l % 8 of
  /// high[(t * stride + l) / 8]. The stride is a multiple of 64, and y has room for it. Returns false, with y
  /// untouched, where this CPU gains nothing by it.
  bool (*byte_code_scores)(int64_t n, int64_t channels, int64_t tables, const uint8_t* bytes, const uint8_t* low,
                           const uint8_t* high, int64_t stride, const real* gamma, const real* steps, const real* least,
                           real* y);
};

/// Instruction sets that kernels are compiled for.
enum class Isa { base, avx2, avx512 };
/// The widest set up to `wish` (base, avx2 or avx512; empty: any) that this CPU has. `known` tells whether the name is
/// one.
Isa cpu_isa(std::string_view wish, bool& known);

/// The kernels for this CPU.
const ScanKernels& scan_kernels();

}  // namespace seminar::inline SEMINAR_PRECISION
