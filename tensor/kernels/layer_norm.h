// Layer norm of a row and its gradients. With x̂_i = (x_i - mean) rstd, rstd = 1 / √(var + eps):
//   y_i = x̂_i w_i + b_i
//   dw_i += g_i x̂_i,  db_i += g_i
//   dx_i += rstd (h_i - mean_j h_j - x̂_i mean_j (h_j x̂_j)), h_i = g_i w_i
#pragma once

#include "tensor/kernels/dot.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

void layer_norm(int64_t n, real* y, const real* x, const real* w, const real* b, real eps, real* mean, real* rstd) {
  const real m = sum(n, x) / static_cast<real>(n);
  Vec squares{};  // Σ_i (x_i - m)²
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const Vec c = load(x + i) - m;
    squares = mul_add(c, c, squares);
  }
  if (i < n) {
    const Vec c = load_part(x + i, n - i, m) - m;
    squares = mul_add(c, c, squares);
  }
  const real r = 1 / static_cast<real>(::sqrt(total(squares) / static_cast<real>(n) + eps));
  for (i = 0; i < n; ++i) y[i] = (x[i] - m) * r * w[i] + b[i];
  *mean = m;
  *rstd = r;
}

void layer_norm_grad(int64_t n, real* dx, real* dw, real* db, const real* g, const real* x, const real* w, real mean,
                     real rstd) {
  if (dw)
    for (int64_t i = 0; i < n; ++i) dw[i] += g[i] * (x[i] - mean) * rstd;
  if (db)
    for (int64_t i = 0; i < n; ++i) db[i] += g[i];
  if (!dx) return;
  Vec sum_h{}, sum_hx{};  // Σ_i h_i, Σ_i h_i (x_i - mean)
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const Vec h = load(g + i) * load(w + i);
    sum_h += h;
    sum_hx = mul_add(h, load(x + i) - mean, sum_hx);
  }
  if (const int64_t r = n - i; r > 0) {
    const Vec h = load_part(g + i, r, 0) * load_part(w + i, r, 0);
    sum_h += h;
    sum_hx = mul_add(h, load_part(x + i, r, 0) - mean, sum_hx);
  }
  const real mean_h = total(sum_h) / static_cast<real>(n), mean_hx = total(sum_hx) * rstd / static_cast<real>(n);
  for (i = 0; i < n; ++i) dx[i] += rstd * (g[i] * w[i] - mean_h - (x[i] - mean) * rstd * mean_hx);
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
