// Gradients of softmax and of its logarithm.
#pragma once

#include "tensor/kernels/dot.h"
#include "tensor/kernels/functions.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// dx_i += y_i (g_i - Σ_j g_j y_j)
void softmax_grad(int64_t n, real* dx, const real* g, const real* y) {
  const real s = dot(n, g, y);
  for (int64_t i = 0; i < n; ++i) dx[i] += y[i] * (g[i] - s);
}

// dx_i += g_i - exp(y_i) Σ_j g_j
void log_softmax_grad(int64_t n, real* dx, const real* g, const real* y) {
  const real s = sum(n, g);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(dx + i, load(dx + i) + load(g + i) - s * exp_lanes(load(y + i)));
  if (const int64_t r = n - i; r > 0)
    store_part(dx + i, load_part(dx + i, r, 0) + load_part(g + i, r, 0) - s * exp_lanes(load_part(y + i, r, 0)), r);
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
