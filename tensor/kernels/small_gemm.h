// Products of small matrices, transposed copies, and sums of weighted rows.
#pragma once

#include "tensor/kernels/vec.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// c_rj = alpha Σ_p a_rp b_pj for `rows` rows of C and `vectors` vectors of their columns, whose sums stay in registers.
// Of the last vector only `tail` numbers count if it is `cut`.
template <int rows, int vectors, bool cut>
SEMINAR_INLINE void gemm_tile(int64_t tail, int64_t k, real alpha, const real* a, int64_t a_row, int64_t a_column,
                              const real* b, int64_t ldb, bool add, real* c, int64_t ldc) {
  Vec c_rv[rows][vectors] = {};
  for (int64_t p = 0; p < k; ++p) {
    Vec b_pv[vectors];
    for (int v = 0; v < vectors; ++v)
      b_pv[v] = v + 1 < vectors || !cut ? load(b + p * ldb + v * lanes) : load_part(b + p * ldb + v * lanes, tail, 0);
    for (int r = 0; r < rows; ++r)
      for (int v = 0; v < vectors; ++v) c_rv[r][v] = mul_add(a[r * a_row + p * a_column], b_pv[v], c_rv[r][v]);
  }
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) {
      real* y = c + r * ldc + v * lanes;
      if (v + 1 < vectors || !cut)
        store(y, mul_add(alpha, c_rv[r][v], add ? load(y) : Vec{}));
      else
        store_part(y, mul_add(alpha, c_rv[r][v], add ? load_part(y, tail, 0) : Vec{}), tail);
    }
}

template <int rows>
SEMINAR_INLINE void gemm_rows(int64_t n, int64_t k, real alpha, const real* a, int64_t a_row, int64_t a_column,
                              const real* b, int64_t ldb, bool add, real* c, int64_t ldc) {
  // 4 rows of 2 vectors take 8 of AVX-512's 32 registers, and all 16 of AVX2's: there one vector at a time is faster.
  constexpr int vectors = is_halves<Vec> ? 1 : 2;
  int64_t j = 0;
  for (; j + vectors * lanes <= n; j += vectors * lanes)
    gemm_tile<rows, vectors, false>(0, k, alpha, a, a_row, a_column, b + j, ldb, add, c + j, ldc);
  for (; j + lanes <= n; j += lanes)
    gemm_tile<rows, 1, false>(0, k, alpha, a, a_row, a_column, b + j, ldb, add, c + j, ldc);
  if (j < n) gemm_tile<rows, 1, true>(n - j, k, alpha, a, a_row, a_column, b + j, ldb, add, c + j, ldc);
}

// c_ij = alpha Σ_p a_ip b_pj, or added to c_ij
void small_gemm(int64_t m, int64_t n, int64_t k, real alpha, const real* a, int64_t a_row, int64_t a_column,
                const real* b, int64_t ldb, bool add, real* c, int64_t ldc) {
  constexpr int64_t rows = 4;
  int64_t i = 0;
  for (; i + rows <= m; i += rows)
    gemm_rows<rows>(n, k, alpha, a + i * a_row, a_row, a_column, b, ldb, add, c + i * ldc, ldc);
  for (; i < m; ++i) gemm_rows<1>(n, k, alpha, a + i * a_row, a_row, a_column, b, ldb, add, c + i * ldc, ldc);
}

// y_ji = x_ij, four rows and four columns at a time.
void transpose(int64_t m, int64_t n, const real* x, int64_t ldx, real* y, int64_t ldy) {
  using Four = real __attribute__((vector_size(4 * sizeof(real))));
  int64_t i = 0;
  for (; i + 4 <= m; i += 4) {
    int64_t j = 0;
    for (; j + 4 <= n; j += 4) {
      Four r[4], t[4];
      for (int k = 0; k < 4; ++k) memcpy(&r[k], x + (i + k) * ldx + j, sizeof r[k]);
      t[0] = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5);
      t[1] = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
      t[2] = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
      t[3] = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
      r[0] = __builtin_shufflevector(t[0], t[2], 0, 1, 4, 5);
      r[1] = __builtin_shufflevector(t[0], t[2], 2, 3, 6, 7);
      r[2] = __builtin_shufflevector(t[1], t[3], 0, 1, 4, 5);
      r[3] = __builtin_shufflevector(t[1], t[3], 2, 3, 6, 7);
      for (int k = 0; k < 4; ++k) memcpy(y + (j + k) * ldy + i, &r[k], sizeof r[k]);
    }
    for (; j < n; ++j)
      for (int k = 0; k < 4; ++k) y[j * ldy + i + k] = x[(i + k) * ldx + j];
  }
  for (; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) y[j * ldy + i] = x[i * ldx + j];
}

// y_j = Σ_i w_i rows[i]_j, or added to y_j. Four vectors of y stay in registers.
void weighted_sum(int64_t n, int64_t count, const real* w, const real* const* rows, bool add, real* y) {
  constexpr int vectors = 4;
  int64_t j = 0;
  for (; j + vectors * lanes <= n; j += vectors * lanes) {
    Vec y_v[vectors];
    for (int v = 0; v < vectors; ++v) y_v[v] = add ? load(y + j + v * lanes) : Vec{};
    for (int64_t i = 0; i < count; ++i)
      for (int v = 0; v < vectors; ++v) y_v[v] = mul_add(w[i], load(rows[i] + j + v * lanes), y_v[v]);
    for (int v = 0; v < vectors; ++v) store(y + j + v * lanes, y_v[v]);
  }
  for (; j < n; j += lanes) {
    const int64_t width = n - j < lanes ? n - j : lanes;
    Vec y_j = add ? load_part(y + j, width, 0) : Vec{};
    for (int64_t i = 0; i < count; ++i) y_j = mul_add(w[i], load_part(rows[i] + j, width, 0), y_j);
    store_part(y + j, y_j, width);
  }
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
