// The best of many scores without sorting them all: a bound from group maxima, one pass that keeps what reaches it, and
// the order of the few that are left.
#pragma once

#include <cstdint>

#include "tensor/real.h"

namespace seminar::inline SEMINAR_PRECISION {

struct Found {
  real score;
  int32_t position;
};

/// The k ≥ 1 best of n scores (all of them if there are fewer), best first, ties by the lower position. The scores
/// stand in a ring: position 0 at scores[first], position n - 1 before it; a plain array has first = 0. `found` has
/// space for n. Returns how many there are, -1 if a score is NaN.
int64_t select_top(int64_t n, const real* scores, int64_t first, int64_t k, Found* found);

/// The first half of it: every score that reaches `bound`, in order of position. Returns how many, -1 if one is NaN.
int64_t select_reaching(int64_t n, const real* scores, int64_t first, real bound, Found* found);

/// The second half: the best k of `count` in order of position, best first. Returns min(count, k).
int64_t keep_top(int64_t count, int64_t k, Found* found);

}  // namespace seminar::inline SEMINAR_PRECISION
