// Functions of one number and of two, number by number.
#pragma once

#include "tensor/kernels.h"
#include "tensor/kernels/functions.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr real inv_sqrt_2pi = static_cast<real>(0.39894228040143267794);
constexpr real quick = static_cast<real>(1.702);

// y = f(x)
template <Unary op>
SEMINAR_INLINE Vec apply(const Vec& x) {
  if constexpr (op == Unary::exp) return exp_lanes(x);
  if constexpr (op == Unary::log) return each_lane(x, [](real v) { return static_cast<real>(::log(v)); });
  if constexpr (op == Unary::tanh) return each_lane(x, [](real v) { return static_cast<real>(::tanh(v)); });
  if constexpr (op == Unary::sigmoid) return sigmoid_lanes(x);
  if constexpr (op == Unary::relu) return select(x < 0, Vec{}, x);
  if constexpr (op == Unary::gelu) return x * normal_cdf_lanes(x);
  if constexpr (op == Unary::quick_gelu) return x * sigmoid_lanes(quick * x);
  if constexpr (op == Unary::sqrt) return each_lane(x, [](real v) { return static_cast<real>(::sqrt(v)); });
}

// f'(x), where y = f(x)
template <Unary op>
SEMINAR_INLINE Vec derivative(const Vec& x, const Vec& y) {
  if constexpr (op == Unary::exp) return y;
  if constexpr (op == Unary::log) return 1 / x;
  if constexpr (op == Unary::tanh) return 1 - y * y;
  if constexpr (op == Unary::sigmoid) return y * (1 - y);
  if constexpr (op == Unary::relu) return select(x > 0, splat(1), Vec{});
  if constexpr (op == Unary::gelu)
    return normal_cdf_lanes(x) + x * inv_sqrt_2pi * exp_lanes(x * x * static_cast<real>(-0.5));
  if constexpr (op == Unary::quick_gelu) {
    const Vec s = sigmoid_lanes(quick * x);
    return s + quick * x * s * (1 - s);
  }
  if constexpr (op == Unary::sqrt) return static_cast<real>(0.5) / y;
}

// y_i = f(x_i)
template <Unary op>
void unary_row(int64_t n, real* y, const real* x) {
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(y + i, apply<op>(load(x + i)));
  if (i < n) store_part(y + i, apply<op>(load_part(x + i, n - i, 1)), n - i);
}

// dx_i += g_i f'(x_i)
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
