// The k best of many coded keys by a target's look-up tables (paper §3.3.3). First all keys by tables of 8 bits, whose
// error is bounded; then those that may be among the best, as the tables say. The answer is that of scoring all by the
// tables themselves. Plain memory and no allocation: the engine and the runtime (seminar/runtime) share it.
// C channels, S tables a channel, K centroids.
#pragma once

#include <cstdint>

#include "pq/scan_kernels.h"
#include "pq/select.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Codes of keys by columns: column t of C * S holds a code of every key, `stride` codes long, a multiple of 64.
struct CodeColumns {
  int64_t channels, tables, centroids, stride;
  uint16_t* codes;       ///< [C * S, stride]
  uint8_t *low, *ninth;  ///< the codes' lower 8 bits [C * S, stride], their ninth bits [C * S, stride / 8]
  real* gamma;           ///< [C, stride] weights of the keys' channels; null: 1
  real* max_abs_gamma;   ///< [C] the largest of their absolute values
  /// Sets key l: its codes [C * S] and, unless gamma is null, its weights [C].
  void set(int64_t l, const uint16_t* key, const real* weights) const;
};

/// Score of key l: Σ_c γ_c Σ_s table[c, s, code], table [C, S, K].
real code_score(const CodeColumns& keys, const real* table, int64_t l);

/// The k best of n keys, as select_top gives them for their scores; the keys stand in a ring that begins at `first`.
/// `bytes`: space for C * S * byte_table; `scores`: for stride; `found`: for n. Returns -1 if a score is NaN. Tests
/// hand in `kernels` of their own.
int64_t code_top(const CodeColumns& keys, int64_t n, int64_t first, const real* table, int64_t k, uint8_t* bytes,
                 real* scores, Found* found, const ScanKernels& kernels = scan_kernels());

}  // namespace seminar::inline SEMINAR_PRECISION
