// The kernels of scans: 8-bit keys, look-ups by product quantization's codes, and the selection of the best scores. The
// engine and, by itself, the runtime (seminar/runtime) use them. They are compiled once for every instruction set and
// chosen at run time (tensor/isa.h).
#pragma once

#include "tensor/vector_kernels.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Vectors in a block of byte_scores, and the numbers that a vector may have.
inline constexpr int64_t byte_lanes = 16, max_byte_width = 1024;

/// Entries in a table of byte_code_scores, and the tables that a channel may have.
inline constexpr int64_t byte_table = 512, max_byte_tables = 256;

/// Keys that byte_code_scores takes together: the stride of code columns is a multiple of it.
inline constexpr int64_t code_block = 64;

struct ScanKernels {
  const char* isa;
  /// y_l = Σ_t table[t, codes_tl] for l < n, with codes_tl = codes[t * stride + l]: look-ups in `tables` tables of
  /// `size` numbers.
  void (*code_sums)(int64_t n, int64_t tables, int64_t size, const real* table, const uint16_t* codes, int64_t stride,
                    real* y);
  /// Tables [tables, size], tables ≤ max_byte_tables, size ≤ byte_table, in 8 bits: bytes[t * byte_table + i] =
  /// (table_ti - min_j table_tj) / step, rounded. Returns the step, the widest row's range / 255; NaN if a number is
  /// not finite. `least` = Σ_t min_j table_tj, `least_size` = Σ_t |min_j table_tj|.
  real (*byte_tables)(int64_t tables, int64_t size, const real* table, uint8_t* bytes, real* least, real* least_size);
  /// y_l = Σ_c gamma_cl (steps_c Σ_t bytes[t * byte_table + code_tl] + least_c), t the `tables` of channel c,
  /// gamma_cl = gamma[c * stride + l], or 1 where gamma is null. code_tl has its lower bits in low[t * stride + l] and
  /// its ninth as bit l % 8 of high[(t * stride + l) / 8]. The stride is a multiple of code_block, and y has space for
  /// it. Returns false, with y untouched, where this CPU gains nothing by it.
  bool (*byte_code_scores)(int64_t n, int64_t channels, int64_t tables, const uint8_t* bytes, const uint8_t* low,
                           const uint8_t* high, int64_t stride, const real* gamma, const real* steps, const real* least,
                           real* y);
  /// y_l = (Σ_j x_j k_lj) scales_l factor of 8-bit vectors k_l against one of 16 bits. The sum is in whole numbers, so
  /// y is the same on every machine. Block b holds byte_lanes vectors, four numbers of each together: [blocks, n / 4,
  /// byte_lanes, 4]; n is a multiple of 4, at most max_byte_width.
  void (*byte_scores)(int64_t n, int64_t blocks, const int16_t* x, const int8_t* columns, const real* scales,
                      real factor, real* y);
  /// A number that at least k of the n scores reach, and that few more reach. Scores are put in groups, and the number
  /// is about the k-th largest of the groups' maxima. It is found by halving the range of the maxima. -∞ if that would
  /// not pay. NaN takes no part.
  real (*top_bound)(int64_t n, const real* scores, int64_t k);
  /// Indices of the scores that are not below the bound, in order, and how many there are. NaN is among them. `indices`
  /// has space for n + 16.
  int64_t (*select_ge)(int64_t n, const real* scores, real bound, int32_t* indices);
  /// y_i = how many numbers are larger than x_i, or equal and before it: the place to which sorting moves it. No NaN.
  void (*ranks)(int64_t n, const real* x, int32_t* y);
};

/// The kernels for this CPU.
const ScanKernels& scan_kernels();

}  // namespace seminar::inline SEMINAR_PRECISION
