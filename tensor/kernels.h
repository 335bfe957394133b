// Kernels on contiguous rows, compiled once per instruction set and chosen at run time by what the CPU has.
// Serial: the caller spreads rows over threads with parallel_for. `SEMINAR_ISA=base|avx2|avx512` forces one.
#pragma once

#include "tensor/scan_kernels.h"

namespace seminar::inline SEMINAR_PRECISION {

enum class Binary { add, sub, mul, div };
enum class Unary { exp, log, tanh, sigmoid, relu, gelu, quick_gelu, sqrt };

/// Numbers of one Adam step; `step_size` and `denominator_scale` hold the bias corrections.
struct AdamStep {
  real beta1, beta2, eps, step_size, denominator_scale, decay;
};

struct Kernels : ScanKernels {
  /// y[i] = a[i * sa] op b[i * sb]; sa and sb are 0 or 1.
  void (*binary)(Binary op, int64_t n, real* y, const real* a, int64_t sa, const real* b, int64_t sb);
  /// y = f(x)
  void (*unary)(Unary op, int64_t n, real* y, const real* x);
  /// dx += g f'(x), where y = f(x)
  void (*unary_grad)(Unary op, int64_t n, real* dx, const real* g, const real* x, const real* y);
  /// C [m, n] = alpha A B, or added to C; for products so small that packing would take longer than they do.
  /// a_ij = a[i * a_row + j * a_column]; B [k, n] and C have rows ldb and ldc apart.
  void (*small_product)(int64_t m, int64_t n, int64_t k, real alpha, const real* a, int64_t a_row, int64_t a_column,
                        const real* b, int64_t ldb, bool add, real* c, int64_t ldc);
  /// y_ji = x_ij: x [m, n] with rows ldx apart, y [n, m] with rows ldy apart.
  void (*transpose)(int64_t m, int64_t n, const real* x, int64_t ldx, real* y, int64_t ldy);
  /// y = Σ_i w[i] rows[i], or added to y: `count` rows of n numbers.
  void (*weighted_rows)(int64_t n, int64_t count, const real* w, const real* const* rows, bool add, real* y);
  /// dx += y (g - Σ g y)
  void (*softmax_grad)(int64_t n, real* dx, const real* g, const real* y);
  /// log Σ exp(x), never overflowing; -inf for n = 0.
  real (*log_sum_exp)(int64_t n, const real* x);
  /// Scores s [n, ld] of n pairs with each other, ld a multiple of kernel_lanes ≥ n: s becomes its own gradient,
  /// softmax over rows + softmax over columns - 2 I, and 0 right of column n. `work` has room for 3 ld. Returns
  /// Σ_i (log_sum_exp of row i + of column i - 2 s_ii); `moment`: Σ s times its gradient.
  real (*contrast)(int64_t n, int64_t ld, real* s, real* work, real* moment);
  /// dx += g - softmax · Σ g, where y = log softmax
  void (*log_softmax_grad)(int64_t n, real* dx, const real* g, const real* y);
  /// y = (x - mean) rstd w + b; stores mean and rstd = 1 / √(var + eps).
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

/// The kernels for this CPU.
const Kernels& kernels();

}  // namespace seminar::inline SEMINAR_PRECISION
