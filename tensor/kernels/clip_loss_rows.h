// The CLIP loss of n pairs and its gradient, from one matrix of scores s [n, ld]:
//   loss = Σ_i (log Σ_j exp(s_ij) + log Σ_j exp(s_ji) - 2 s_ii)
//   ds_ij = exp(s_ij) / Σ_l exp(s_il) + exp(s_ij) / Σ_l exp(s_lj) - 2 [i = j]
//   moment = Σ_ij s_ij ds_ij
// Scores right of column n are set to -∞, so that their exponentials are 0.
#pragma once

#include "tensor/kernels/dot.h"
#include "tensor/kernels/softmax.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// s e, where e = 0 stands for a score of -∞ right of column n.
SEMINAR_INLINE Vec weighted(const Vec& s, const Vec& e) { return select(e == 0, Vec{}, s * e); }

// Σ_i log x_i
SEMINAR_INLINE real log_sum(int64_t n, const real* x) {
  Vec s{};
  for (int64_t i = 0; i < n; i += lanes) s += log_lanes(load_part(x + i, n - i < lanes ? n - i : lanes, 1));
  return total(s);
}

// Where no score is so far below the largest that its exponential would vanish: one exponential a score,
// e_ij = exp(s_ij - top). `work`: Σ_i e_ij, Σ_j e_ij and Σ_i s_ij e_ij.
SEMINAR_INLINE real clip_loss_near(int64_t n, int64_t ld, real top, real* s, real* work, real* moment) {
  real *columns = work, *rows = work + ld, *moments = work + 2 * ld;
  real loss = 2 * static_cast<real>(n) * top;
  for (int64_t j = 0; j < ld; ++j) columns[j] = moments[j] = 0;
  for (int64_t i = 0; i < n; ++i) {
    Vec e_i{}, se_i{};  // Σ_j e_ij, Σ_j s_ij e_ij
    for (int64_t j = 0; j < ld; j += lanes) {
      const Vec v = load(s + i * ld + j), e = exp_lanes(v - top), se = weighted(v, e);
      store(s + i * ld + j, e);
      store(columns + j, load(columns + j) + e);
      store(moments + j, load(moments + j) + se);
      e_i += e;
      se_i += se;
    }
    rows[i] = total(e_i);
    *moment += total(se_i) / rows[i];
  }
  loss += log_sum(n, columns) + log_sum(n, rows);
  for (int64_t j = 0; j < n; ++j) {
    columns[j] = 1 / columns[j];
    *moment += moments[j] * columns[j];
  }
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < ld; j += lanes)
      store(s + i * ld + j, load(s + i * ld + j) * (load(columns + j) + 1 / rows[i]));
  return loss;
}

// For any scores: exponentials are taken below the largest score of every column, m_j, and of every row.
SEMINAR_INLINE real clip_loss_far(int64_t n, int64_t ld, real* s, real* work, real* moment) {
  real *column_max = work, *inverse_sum = work + ld, *e_row = work + 2 * ld;
  real loss = 0;
  for (int64_t j = 0; j < ld; j += lanes) {
    Vec m = splat(-infinity), e_j{}, se_j{};
    for (int64_t i = 0; i < n; ++i) m = larger(load(s + i * ld + j), m);
    m = select(m == -infinity, Vec{}, m);  // right of column n
    for (int64_t i = 0; i < n; ++i) {
      const Vec v = load(s + i * ld + j), e = exp_lanes(v - m);
      e_j += e;
      se_j += weighted(v, e);
    }
    const Vec inverse = select(e_j == 0, Vec{}, 1 / e_j);
    *moment += total(se_j * inverse);
    store(column_max + j, m);
    store(inverse_sum + j, inverse);
  }
  loss += sum(n, column_max) - log_sum(n, inverse_sum);
  for (int64_t i = 0; i < n; ++i) {
    real* row = s + i * ld;
    const real m = row_max(ld, row);
    Vec e_i{}, se_i{};
    for (int64_t j = 0; j < ld; j += lanes) {
      const Vec v = load(row + j), e = exp_lanes(v - m);
      store(e_row + j, e);
      e_i += e;
      se_i += weighted(v, e);
    }
    const real row_sum = total(e_i);
    *moment += total(se_i) / row_sum;
    loss += m + log_of(row_sum);
    for (int64_t j = 0; j < ld; j += lanes)
      store(row + j, mul_add(load(e_row + j), 1 / row_sum,
                             exp_lanes(load(row + j) - load(column_max + j)) * load(inverse_sum + j)));
  }
  return loss;
}

real clip_loss_rows(int64_t n, int64_t ld, real* s, real* work, real* moment) {
  constexpr real range = 60;  // exp(-60) is a number like any other
  real diagonal = 0;
  Vec highest = splat(-infinity), lowest = splat(infinity);
  for (int64_t i = 0; i < n; ++i) {
    real* row = s + i * ld;
    diagonal += row[i];
    for (int64_t j = n; j < ld; ++j) row[j] = -infinity;
    for (int64_t j = 0; j < ld; j += lanes) {
      const Vec v = load(row + j);
      highest = larger(v, highest);
      lowest = select((v < lowest) & (v > -infinity), v, lowest);
    }
  }
  const real top = largest(highest), bottom = least(lowest);
  *moment = -2 * diagonal;
  const real loss =
      top - bottom < range ? clip_loss_near(n, ld, top, s, work, moment) : clip_loss_far(n, ld, s, work, moment);
  for (int64_t i = 0; i < n; ++i) s[i * ld + i] -= 2;
  return loss - 2 * diagonal;
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
