// The row kernels themselves, included once by every kernels_<isa>.cpp; see scan_kernels_impl.h.
#include "tensor/kernels.h"
#include "tensor/scan_kernels_impl.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

SEMINAR_INLINE Vec abs_lanes(const Vec& v) { return v < 0 ? -v : v; }

SEMINAR_INLINE Vec sigmoid_lanes(const Vec& x) {
  const Vec e = exp_lanes(-abs_lanes(x));
  return (x < 0 ? e : Vec{} + 1) / (e + 1);
}

// The normal distribution function Φ(x) = erfc(-x/√2) / 2. In float by a rational Chebyshev fit (relative
// error 1.2e-7).
SEMINAR_INLINE Vec normal_cdf_lanes(const Vec& x) {
#ifdef SEMINAR_DOUBLE
  Vec y;
  for (int i = 0; i < lanes; ++i) y[i] = 0.5 * ::erfc(-x[i] * 0.70710678118654752440);
  return y;
#else
  const Vec z = abs_lanes(x) * 0.70710678f;
  const Vec t = 1.0f / (1.0f + 0.5f * z);
  Vec p = Vec{} + 0.17087277f;
  p = p * t - 0.82215223f;
  p = p * t + 1.48851587f;
  p = p * t - 1.13520398f;
  p = p * t + 0.27886807f;
  p = p * t - 0.18628806f;
  p = p * t + 0.09678418f;
  p = p * t + 0.37409196f;
  p = p * t + 1.00002368f;
  p = p * t - 1.26551223f;
  const Vec half_erfc = 0.5f * t * exp_lanes(p - z * z);
  return x < 0 ? half_erfc : 1.0f - half_erfc;
#endif
}

constexpr real inv_sqrt_2pi = static_cast<real>(0.39894228040143267794);
constexpr real quick = static_cast<real>(1.702);

SEMINAR_INLINE Vec each_lane(Vec x, real (*f)(real)) {
  for (int i = 0; i < lanes; ++i) x[i] = f(x[i]);
  return x;
}

template <Unary op>
SEMINAR_INLINE Vec apply(const Vec& x) {
  if constexpr (op == Unary::exp) return exp_lanes(x);
  if constexpr (op == Unary::log) return each_lane(x, [](real v) { return static_cast<real>(::log(v)); });
  if constexpr (op == Unary::tanh) return each_lane(x, [](real v) { return static_cast<real>(::tanh(v)); });
  if constexpr (op == Unary::sigmoid) return sigmoid_lanes(x);
  if constexpr (op == Unary::relu) return x < 0 ? Vec{} : x;
  if constexpr (op == Unary::gelu) return x * normal_cdf_lanes(x);
  if constexpr (op == Unary::quick_gelu) return x * sigmoid_lanes(quick * x);
  if constexpr (op == Unary::sqrt) return each_lane(x, [](real v) { return static_cast<real>(::sqrt(v)); });
}

template <Unary op>
SEMINAR_INLINE Vec derivative(const Vec& x, const Vec& y) {
  if constexpr (op == Unary::exp) return y;
  if constexpr (op == Unary::log) return 1 / x;
  if constexpr (op == Unary::tanh) return 1 - y * y;
  if constexpr (op == Unary::sigmoid) return y * (1 - y);
  if constexpr (op == Unary::relu) return x > 0 ? Vec{} + 1 : Vec{};
  if constexpr (op == Unary::gelu)
    return normal_cdf_lanes(x) + x * inv_sqrt_2pi * exp_lanes(x * x * static_cast<real>(-0.5));
  if constexpr (op == Unary::quick_gelu) {
    const Vec s = sigmoid_lanes(quick * x);
    return s + quick * x * s * (1 - s);
  }
  if constexpr (op == Unary::sqrt) return static_cast<real>(0.5) / y;
}

template <Unary op>
void unary_row(int64_t n, real* y, const real* x) {
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(y + i, apply<op>(load(x + i)));
  if (i < n) store_part(y + i, apply<op>(load_part(x + i, n - i, 1)), n - i);
}

template <Unary op>
void unary_grad_row(int64_t n, real* dx, const real* g, const real* x, const real* y) {
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    store(dx + i, load(dx + i) + load(g + i) * derivative<op>(load(x + i), load(y + i)));
  if (const int64_t r = n - i; r > 0)
    store_part(dx + i,
               load_part(dx + i, r, 0) +
                   load_part(g + i, r, 0) * derivative<op>(load_part(x + i, r, 1), load_part(y + i, r, 1)),
               r);
}

#define SEMINAR_UNARY_SWITCH(function, ...)            \
  switch (op) {                                        \
    case Unary::exp:                                   \
      return function<Unary::exp>(__VA_ARGS__);        \
    case Unary::log:                                   \
      return function<Unary::log>(__VA_ARGS__);        \
    case Unary::tanh:                                  \
      return function<Unary::tanh>(__VA_ARGS__);       \
    case Unary::sigmoid:                               \
      return function<Unary::sigmoid>(__VA_ARGS__);    \
    case Unary::relu:                                  \
      return function<Unary::relu>(__VA_ARGS__);       \
    case Unary::gelu:                                  \
      return function<Unary::gelu>(__VA_ARGS__);       \
    case Unary::quick_gelu:                            \
      return function<Unary::quick_gelu>(__VA_ARGS__); \
    case Unary::sqrt:                                  \
      return function<Unary::sqrt>(__VA_ARGS__);       \
  }

void unary(Unary op, int64_t n, real* y, const real* x) { SEMINAR_UNARY_SWITCH(unary_row, n, y, x) }

void unary_grad(Unary op, int64_t n, real* dx, const real* g, const real* x, const real* y) {
  SEMINAR_UNARY_SWITCH(unary_grad_row, n, dx, g, x, y)
}

template <class F>
SEMINAR_INLINE void binary_row(int64_t n, real* y, const real* a, int64_t sa, const real* b, int64_t sb, F f) {
  if (sa == 1 && sb == 1)
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
  else if (sa == 1)
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], *b);
  else if (sb == 1)
    for (int64_t i = 0; i < n; ++i) y[i] = f(*a, b[i]);
  else
    for (int64_t i = 0; i < n; ++i) y[i] = f(*a, *b);
}

void binary(Binary op, int64_t n, real* y, const real* a, int64_t sa, const real* b, int64_t sb) {
  switch (op) {
    case Binary::add:
      return binary_row(n, y, a, sa, b, sb, [](real u, real v) { return u + v; });
    case Binary::sub:
      return binary_row(n, y, a, sa, b, sb, [](real u, real v) { return u - v; });
    case Binary::mul:
      return binary_row(n, y, a, sa, b, sb, [](real u, real v) { return u * v; });
    case Binary::div:
      return binary_row(n, y, a, sa, b, sb, [](real u, real v) { return u / v; });
  }
}

void softmax_grad(int64_t n, real* dx, const real* g, const real* y) {
  const real s = dot(n, g, y);
  for (int64_t i = 0; i < n; ++i) dx[i] += y[i] * (g[i] - s);
}

real log_sum_exp(int64_t n, const real* x) {
  const real m = row_max(n, x);
  if (m == -static_cast<real>(INFINITY)) return m;
  Vec s{};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) s += exp_lanes(load(x + i) - m);
  if (i < n) s += exp_lanes(load_part(x + i, n - i, -static_cast<real>(INFINITY)) - m);
  return m + static_cast<real>(::log(total(s)));
}

// `rows` rows of C and `vectors` vectors of their columns stay in registers; of the last vector only `tail` numbers
// count if it is `cut`.
template <int rows, int vectors, bool cut>
SEMINAR_INLINE void product_tile(int64_t tail, int64_t k, real alpha, const real* a, int64_t a_row, int64_t a_column,
                                 const real* b, int64_t ldb, bool add, real* c, int64_t ldc) {
  Vec sum[rows][vectors] = {};
  for (int64_t p = 0; p < k; ++p) {
    Vec column[vectors];
    for (int v = 0; v < vectors; ++v)
      column[v] = v + 1 < vectors || !cut ? load(b + p * ldb + v * lanes) : load_part(b + p * ldb + v * lanes, tail, 0);
    for (int r = 0; r < rows; ++r)
      for (int v = 0; v < vectors; ++v) sum[r][v] += a[r * a_row + p * a_column] * column[v];
  }
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) {
      real* y = c + r * ldc + v * lanes;
      if (v + 1 < vectors || !cut)
        store(y, (add ? load(y) : Vec{}) + alpha * sum[r][v]);
      else
        store_part(y, (add ? load_part(y, tail, 0) : Vec{}) + alpha * sum[r][v], tail);
    }
}

template <int rows>
SEMINAR_INLINE void product_rows(int64_t n, int64_t k, real alpha, const real* a, int64_t a_row, int64_t a_column,
                                 const real* b, int64_t ldb, bool add, real* c, int64_t ldc) {
  int64_t j = 0;
  for (; j + 2 * lanes <= n; j += 2 * lanes)
    product_tile<rows, 2, false>(0, k, alpha, a, a_row, a_column, b + j, ldb, add, c + j, ldc);
  for (; j + lanes <= n; j += lanes)
    product_tile<rows, 1, false>(0, k, alpha, a, a_row, a_column, b + j, ldb, add, c + j, ldc);
  if (j < n) product_tile<rows, 1, true>(n - j, k, alpha, a, a_row, a_column, b + j, ldb, add, c + j, ldc);
}

void small_product(int64_t m, int64_t n, int64_t k, real alpha, const real* a, int64_t a_row, int64_t a_column,
                   const real* b, int64_t ldb, bool add, real* c, int64_t ldc) {
  constexpr int64_t rows = 4;
  int64_t i = 0;
  for (; i + rows <= m; i += rows)
    product_rows<rows>(n, k, alpha, a + i * a_row, a_row, a_column, b, ldb, add, c + i * ldc, ldc);
  for (; i < m; ++i) product_rows<1>(n, k, alpha, a + i * a_row, a_row, a_column, b, ldb, add, c + i * ldc, ldc);
}

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

void weighted_rows(int64_t n, int64_t count, const real* w, const real* const* rows, bool add, real* y) {
  constexpr int at_once = 4;
  int64_t j = 0;
  for (; j + at_once * lanes <= n; j += at_once * lanes) {
    Vec sum[at_once];
    for (int v = 0; v < at_once; ++v) sum[v] = add ? load(y + j + v * lanes) : Vec{};
    for (int64_t i = 0; i < count; ++i)
      for (int v = 0; v < at_once; ++v) sum[v] += w[i] * load(rows[i] + j + v * lanes);
    for (int v = 0; v < at_once; ++v) store(y + j + v * lanes, sum[v]);
  }
  for (; j < n; j += lanes) {
    const int64_t width = n - j < lanes ? n - j : lanes;
    Vec sum = add ? load_part(y + j, width, 0) : Vec{};
    for (int64_t i = 0; i < count; ++i) sum += w[i] * load_part(rows[i] + j, width, 0);
    store_part(y + j, sum, width);
  }
}

// s e, where e = 0 stands for a score of -∞ right of column n.
SEMINAR_INLINE Vec weighted(const Vec& s, const Vec& e) { return e == 0 ? Vec{} : s * e; }

// contrast where no score is so far below the largest that its exponential would vanish: one exponential each.
SEMINAR_INLINE real contrast_near(int64_t n, int64_t ld, real top, real* s, real* work, real* moment) {
  real *columns = work, *rows = work + ld, *moments = work + 2 * ld;
  real loss = 2 * static_cast<real>(n) * top;
  for (int64_t j = 0; j < ld; ++j) columns[j] = moments[j] = 0;
  for (int64_t i = 0; i < n; ++i) {
    Vec sum{}, product{};
    for (int64_t j = 0; j < ld; j += lanes) {
      const Vec v = load(s + i * ld + j), e = exp_lanes(v - top), part = weighted(v, e);
      store(s + i * ld + j, e);
      store(columns + j, load(columns + j) + e);
      store(moments + j, load(moments + j) + part);
      sum += e;
      product += part;
    }
    rows[i] = total(sum);
    *moment += total(product) / rows[i];
  }
  for (int64_t j = 0; j < n; ++j) {
    loss += static_cast<real>(::log(static_cast<double>(columns[j]) * rows[j]));
    columns[j] = 1 / columns[j];
    *moment += moments[j] * columns[j];
  }
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < ld; j += lanes)
      store(s + i * ld + j, load(s + i * ld + j) * (load(columns + j) + 1 / rows[i]));
  return loss;
}

// contrast by the largest of every row and column.
SEMINAR_INLINE real contrast_far(int64_t n, int64_t ld, real* s, real* work, real* moment) {
  constexpr real least = -static_cast<real>(INFINITY);
  real *peak = work, *share = work + ld, *own = work + 2 * ld;  // of the columns, and one row's exponentials
  real loss = 0;
  for (int64_t j = 0; j < ld; j += lanes) {
    Vec m = Vec{} + least, sum{}, product{};
    for (int64_t i = 0; i < n; ++i) {
      const Vec v = load(s + i * ld + j);
      m = v > m ? v : m;
    }
    m = m == least ? Vec{} : m;  // right of column n
    for (int64_t i = 0; i < n; ++i) {
      const Vec v = load(s + i * ld + j), e = exp_lanes(v - m);
      sum += e;
      product += weighted(v, e);
    }
    const Vec inverse = sum == 0 ? Vec{} : 1 / sum;
    *moment += total(product * inverse);
    store(peak + j, m);
    store(share + j, inverse);
  }
  for (int64_t j = 0; j < n; ++j) loss += peak[j] - static_cast<real>(::log(share[j]));
  for (int64_t i = 0; i < n; ++i) {
    real* row = s + i * ld;
    const real top = row_max(ld, row);
    Vec sum{}, product{};
    for (int64_t j = 0; j < ld; j += lanes) {
      const Vec v = load(row + j), e = exp_lanes(v - top);
      store(own + j, e);
      sum += e;
      product += weighted(v, e);
    }
    const real all = total(sum);
    *moment += total(product) / all;
    loss += top + static_cast<real>(::log(all));
    for (int64_t j = 0; j < ld; j += lanes)
      store(row + j, load(own + j) * (1 / all) + exp_lanes(load(row + j) - load(peak + j)) * load(share + j));
  }
  return loss;
}

real contrast(int64_t n, int64_t ld, real* s, real* work, real* moment) {
  constexpr real range = 60;  // exp(-60) is a number like any other
  constexpr real infinite = static_cast<real>(INFINITY);
  real diagonal = 0;
  Vec most = Vec{} - infinite, least = Vec{} + infinite;
  for (int64_t i = 0; i < n; ++i) {
    real* row = s + i * ld;
    diagonal += row[i];
    for (int64_t j = n; j < ld; ++j) row[j] = -infinite;
    for (int64_t j = 0; j < ld; j += lanes) {
      const Vec v = load(row + j);
      most = v > most ? v : most;
      least = v < least && v > -infinite ? v : least;
    }
  }
  const real top = largest(most), bottom = -largest(-least);
  *moment = -2 * diagonal;
  const real loss =
      top - bottom < range ? contrast_near(n, ld, top, s, work, moment) : contrast_far(n, ld, s, work, moment);
  for (int64_t i = 0; i < n; ++i) s[i * ld + i] -= 2;
  return loss - 2 * diagonal;
}

void log_softmax_grad(int64_t n, real* dx, const real* g, const real* y) {
  const real s = sum(n, g);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(dx + i, load(dx + i) + load(g + i) - s * exp_lanes(load(y + i)));
  if (const int64_t r = n - i; r > 0)
    store_part(dx + i, load_part(dx + i, r, 0) + load_part(g + i, r, 0) - s * exp_lanes(load_part(y + i, r, 0)), r);
}

void layer_norm(int64_t n, real* y, const real* x, const real* w, const real* b, real eps, real* mean, real* rstd) {
  const real m = sum(n, x) / static_cast<real>(n);
  Vec s{};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const Vec c = load(x + i) - m;
    s += c * c;
  }
  if (i < n) {
    const Vec c = load_part(x + i, n - i, m) - m;
    s += c * c;
  }
  const real r = 1 / static_cast<real>(::sqrt(total(s) / static_cast<real>(n) + eps));
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
  // With x̂ = (x - mean) rstd and h = g w:  dx = rstd (h - mean(h) - x̂ mean(h x̂))
  Vec sum_h{}, sum_hx{};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const Vec h = load(g + i) * load(w + i);
    sum_h += h;
    sum_hx += h * (load(x + i) - mean);
  }
  if (const int64_t r = n - i; r > 0) {
    const Vec h = load_part(g + i, r, 0) * load_part(w + i, r, 0);
    sum_h += h;
    sum_hx += h * (load_part(x + i, r, 0) - mean);
  }
  const real mean_h = total(sum_h) / static_cast<real>(n), mean_hx = total(sum_hx) * rstd / static_cast<real>(n);
  for (i = 0; i < n; ++i) dx[i] += rstd * (g[i] * w[i] - mean_h - (x[i] - mean) * rstd * mean_hx);
}

int32_t nearest(int64_t n, int64_t k, const real* x, const real* columns, real* distances) {
  for (int64_t j = 0; j < k; ++j) distances[j] = 0;
  for (int64_t i = 0; i < n; ++i) {
    const real* column = columns + i * k;
    for (int64_t j = 0; j < k; ++j) distances[j] += (x[i] - column[j]) * (x[i] - column[j]);
  }
  Vec least = Vec{} + static_cast<real>(INFINITY);
  int64_t j = 0;
  for (; j + lanes <= k; j += lanes) {
    const Vec v = load(distances + j);
    least = v < least ? v : least;
  }
  real best = -largest(-least);
  for (; j < k; ++j) best = distances[j] < best ? distances[j] : best;
  for (j = 0; j < k; ++j)
    if (distances[j] == best) return static_cast<int32_t>(j);
  return 0;
}

void adam(int64_t n, real* p, real* m, real* v, const real* g, const AdamStep& step) {
  const AdamStep s = step;
  for (int64_t i = 0; i < n; ++i) {
    p[i] -= s.decay * p[i];
    m[i] = s.beta1 * m[i] + (1 - s.beta1) * g[i];
    v[i] = s.beta2 * v[i] + (1 - s.beta2) * g[i] * g[i];
    p[i] -= s.step_size * m[i] / (static_cast<real>(::sqrt(v[i])) * s.denominator_scale + s.eps);
  }
}

constexpr Kernels table(const char* isa) {
  return {scan_table(isa),  binary,        unary,           unary_grad,  small_product,
          transpose,        weighted_rows, softmax_grad,    log_sum_exp, contrast,
          log_softmax_grad, layer_norm,    layer_norm_grad, nearest,     adam};
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
