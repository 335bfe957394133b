// Sums of products: one row with another, a row added to another, rows with columns that stand side by side.
#pragma once

#include "tensor/kernels/vec.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// Σ_i a_i b_i. Two sums a lane, so that an addition need not wait for the one before it.
real dot(int64_t n, const real* a, const real* b) {
  Vec s0{}, s1{};
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    s0 = mul_add(load(a + i), load(b + i), s0);
    s1 = mul_add(load(a + i + lanes), load(b + i + lanes), s1);
  }
  for (; i + lanes <= n; i += lanes) s0 = mul_add(load(a + i), load(b + i), s0);
  if (i < n) s1 = mul_add(load_part(a + i, n - i, 0), load_part(b + i, n - i, 0), s1);
  return total(s0 + s1);
}

// Σ_i x_i
real sum(int64_t n, const real* x) {
  Vec s{};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) s += load(x + i);
  if (i < n) s += load_part(x + i, n - i, 0);
  return total(s);
}

// y_i += s x_i
void axpy(int64_t n, real s, const real* x, real* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = mul_add(s, x[i], y[i]);
}

// y_ti = Σ_j x_tj k_ij for one block of columns k_i and a few targets t, whose sums stay in registers.
template <int targets>
SEMINAR_INLINE void block_dots(int64_t n, const real* x, const real* block, real* y, int64_t stride) {
  Vec y_t[targets] = {};
  for (int64_t j = 0; j < n; ++j) {
    const Vec k_j = load(block + j * lanes);
    for (int t = 0; t < targets; ++t) y_t[t] = mul_add(x[t * n + j], k_j, y_t[t]);
  }
  for (int t = 0; t < targets; ++t) store(y + t * stride, y_t[t]);
}

void column_dots(int64_t n, int64_t blocks, int64_t targets, const real* x, const real* columns, real* y,
                 int64_t stride) {
  for (int64_t b = 0; b < blocks; ++b, columns += n * lanes, y += lanes) {
    int64_t t = 0;
    for (; t + 4 <= targets; t += 4) block_dots<4>(n, x + t * n, columns, y + t * stride, stride);
    if (targets - t == 3) block_dots<3>(n, x + t * n, columns, y + t * stride, stride);
    if (targets - t == 2) block_dots<2>(n, x + t * n, columns, y + t * stride, stride);
    if (targets - t == 1) block_dots<1>(n, x + t * n, columns, y + t * stride, stride);
  }
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
