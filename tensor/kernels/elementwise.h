// Functions of one number and of two, number by number.
#pragma once

#include "tensor/kernels.h"
#include "tensor/kernels/functions.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// f(x), and f'(x) where y = f(x), of every function in the list.
template <Unary>
struct Function;
#define UNARY(name, f_of_x, slope, ...)                                                                           \
  template <>                                                                                                     \
  struct Function<Unary::name> {                                                                                  \
    SEMINAR_INLINE Vec value(const Vec& x) { return f_of_x; }                                                     \
    SEMINAR_INLINE Vec derivative([[maybe_unused]] const Vec& x, [[maybe_unused]] const Vec& y) { return slope; } \
  };
#include "tensor/unary_functions.h"

// y_i = f(x_i)
template <Unary op>
void unary_row(int64_t n, real* y, const real* x) {
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(y + i, Function<op>::value(load(x + i)));
  if (i < n) store_part(y + i, Function<op>::value(load_part(x + i, n - i, 1)), n - i);
}

// dx_i += g_i f'(x_i)
template <Unary op>
void unary_grad_row(int64_t n, real* dx, const real* g, const real* x, const real* y) {
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    store(dx + i, load(dx + i) + load(g + i) * Function<op>::derivative(load(x + i), load(y + i)));
  if (const int64_t r = n - i; r > 0)
    store_part(dx + i,
               load_part(dx + i, r, 0) +
                   load_part(g + i, r, 0) * Function<op>::derivative(load_part(x + i, r, 1), load_part(y + i, r, 1)),
               r);
}

void unary(Unary op, int64_t n, real* y, const real* x) {
  switch (op) {
#define UNARY(name, ...) \
  case Unary::name:      \
    return unary_row<Unary::name>(n, y, x);
#include "tensor/unary_functions.h"
  }
}

void unary_grad(Unary op, int64_t n, real* dx, const real* g, const real* x, const real* y) {
  switch (op) {
#define UNARY(name, ...) \
  case Unary::name:      \
    return unary_grad_row<Unary::name>(n, dx, g, x, y);
#include "tensor/unary_functions.h"
  }
}

// y_i = f(a_i, b_i), where a or b may be one number.
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

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
