// softmax and log Σ exp of a row.
#pragma once

#include "tensor/kernels/functions.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// max_i x_i, -∞ for n = 0
SEMINAR_INLINE real row_max(int64_t n, const real* x) {
  Vec m = splat(-infinity);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) m = larger(load(x + i), m);
  if (i < n) m = larger(load_part(x + i, n - i, -infinity), m);
  return largest(m);
}

// y_i = exp(x_i - m) / Σ_j exp(x_j - m), m = max_j x_j; what the mask leaves out counts as -∞. The maximum skips NaN,
// the sum doesn't: a NaN that takes part makes the row NaN. So a row is all masked only where no number differs from
// -∞.
void softmax(int64_t n, real* y, const real* x, const real* mask) {
  bool left_out = mask != nullptr;  // all of it
  if (mask) {
    for (int64_t i = 0; i < n; ++i) {
      y[i] = mask[i] != 0 ? x[i] : -infinity;
      left_out = left_out && y[i] == -infinity;
    }
    x = y;
  }
  if (n == 0 || left_out) {
    for (int64_t i = 0; i < n; ++i) y[i] = 0;
    return;
  }
  const real m = row_max(n, x);
  Vec s{};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const Vec e = exp_lanes(load(x + i) - m);
    s += e;
    store(y + i, e);
  }
  if (i < n) {
    const Vec e = exp_lanes(load_part(x + i, n - i, -infinity) - m);
    s += e;
    store_part(y + i, e, n - i);
  }
  const real scale = 1 / total(s);
  for (i = 0; i < n; ++i) y[i] *= scale;
}

// log Σ_i exp(x_i) = m + log Σ_i exp(x_i - m), m = max_i x_i
[[maybe_unused]] real log_sum_exp(int64_t n, const real* x) {
  const real m = row_max(n, x);
  if (m == -infinity) return m;
  Vec s{};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) s += exp_lanes(load(x + i) - m);
  if (i < n) s += exp_lanes(load_part(x + i, n - i, -infinity) - m);
  return m + log_of(total(s));
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
