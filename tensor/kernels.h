// Kernels on contiguous rows, compiled once for every instruction set and chosen at run time by what the CPU has.
// Serial: the caller spreads rows over threads with parallel_for. `SEMINAR_ISA=base|avx2|avx512` forces one. The loops
// stand in tensor/kernels/, one file a topic.
#pragma once

#include "tensor/vector_kernels.h"

namespace seminar::inline SEMINAR_PRECISION {

enum class Binary { add, sub, mul, div };
/// The functions of unary_functions.h.
enum class Unary {
#define UNARY(name, ...) name,
#include "tensor/unary_functions.h"
};

/// Numbers of one Adam step; `step_size` and `denominator_scale` hold the bias corrections.
struct AdamStep {
  real beta1, beta2, eps, step_size, denominator_scale, decay;
};

struct Kernels : VectorKernels {
  /// y[i] = a[i * sa] op b[i * sb]; sa and sb are 0 or 1.
  void (*binary)(Binary op, int64_t n, real* y, const real* a, int64_t sa, const real* b, int64_t sb);
  /// y_i = f(x_i)
  void (*unary)(Unary op, int64_t n, real* y, const real* x);
  /// dx_i += g_i f'(x_i), where y = f(x)
  void (*unary_grad)(Unary op, int64_t n, real* dx, const real* g, const real* x, const real* y);
  /// c_ij = alpha Σ_p a_ip b_pj, or added to c_ij, for i < m, j < n, p < k: for products so small that packing would
  /// take longer than they do. a_ip = a[i * a_row + p * a_column]; rows of B and C are ldb and ldc apart.
  void (*small_gemm)(int64_t m, int64_t n, int64_t k, real alpha, const real* a, int64_t a_row, int64_t a_column,
                     const real* b, int64_t ldb, bool add, real* c, int64_t ldc);
  /// y_ji = x_ij: x [m, n] with rows ldx apart, y [n, m] with rows ldy apart.
  void (*transpose)(int64_t m, int64_t n, const real* x, int64_t ldx, real* y, int64_t ldy);
  /// y_j = Σ_i w_i rows[i]_j, or added to y_j: `count` rows of n numbers.
  void (*weighted_sum)(int64_t n, int64_t count, const real* w, const real* const* rows, bool add, real* y);
  /// dx_i += y_i (g_i - Σ_j g_j y_j), where y = softmax(x)
  void (*softmax_grad)(int64_t n, real* dx, const real* g, const real* y);
  /// log Σ_i exp(x_i), never overflowing; -∞ for n = 0.
  real (*log_sum_exp)(int64_t n, const real* x);
  /// Scores s [n, ld] of n pairs with each other, ld a multiple of kernel_lanes ≥ n: s becomes its own gradient,
  /// softmax over rows + softmax over columns - 2 I, and 0 right of column n. `work` has space for 3 ld numbers.
  /// Returns Σ_i (log_sum_exp of row i + of column i - 2 s_ii); `moment`: Σ_ij s_ij times its gradient.
  real (*clip_loss_rows)(int64_t n, int64_t ld, real* s, real* work, real* moment);
  /// dx_i += g_i - exp(y_i) Σ_j g_j, where y = log softmax(x)
  void (*log_softmax_grad)(int64_t n, real* dx, const real* g, const real* y);
  /// y_i = (x_i - mean) rstd w_i + b_i; stores mean and rstd = 1 / √(var + eps).
  void (*layer_norm)(int64_t n, real* y, const real* x, const real* w, const real* b, real eps, real* mean, real* rstd);
  /// dx (may be null) and dw, db (may be null) of layer_norm, all added to.
  void (*layer_norm_grad)(int64_t n, real* dx, real* dw, real* db, const real* g, const real* x, const real* w,
                          real mean, real rstd);
  /// Nearest of k centroids to point x [n], given as columns [n, k]; the lower number among equals. `distances` [k]
  /// gets all squared distances.
  int32_t (*nearest)(int64_t n, int64_t k, const real* x, const real* columns, real* distances);
  /// One Adam (decay = 0) or AdamW step on n parameters.
  void (*adam)(int64_t n, real* p, real* m, real* v, const real* g, const AdamStep& step);
};

/// The kernels for this CPU. Throws Error if SEMINAR_ISA names no instruction set.
const Kernels& kernels();

}  // namespace seminar::inline SEMINAR_PRECISION
