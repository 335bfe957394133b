// The unary functions. One entry is all that a function takes: it makes the kernels for every instruction set, the op
// with its gradient, the declaration and the test row.
//   UNARY(name, y as a function of the vector x, dy/dx as a function of x and y, y by libm, range of x in the tests)
// Vectors know + - * / and the functions of tensor/kernels/functions.h and vec.h. Define UNARY before including this
// file.
// clang-format off
UNARY(exp, exp_lanes(x), y, std::exp(x), -80, 80)
UNARY(log, log_lanes(x), 1 / x, std::log(x), 0.05, 80)
UNARY(sqrt, sqrt_lanes(x), static_cast<real>(0.5) / y, std::sqrt(x), 0.05, 80)
UNARY(abs, abs_lanes(x), select(x > 0, splat(1), select(x < 0, splat(-1), Vec{})), std::abs(x), -80, 80)
UNARY(tanh, tanh_lanes(x), 1 - y * y, std::tanh(x), -4, 4)
UNARY(sigmoid, sigmoid_lanes(x), y * (1 - y), 1 / (1 + std::exp(-x)), -80, 80)
UNARY(relu, select(x < 0, Vec{}, x), select(x > 0, splat(1), Vec{}), x > 0 ? x : 0, -80, 80)
// x Φ(x), where Φ is the normal distribution function and φ its density: dy/dx = Φ(x) + x φ(x).
UNARY(gelu, x * normal_cdf_lanes(x),
      normal_cdf_lanes(x) + x * inv_sqrt_2pi * exp_lanes(x * x * static_cast<real>(-0.5)),
      x * std::erfc(-x / std::sqrt(real{2})) / 2, -8, 8)
// x σ(x)
UNARY(silu, x * sigmoid_lanes(x), swish_derivative_lanes(1, x), x / (1 + std::exp(-x)), -20, 20)
// log(1 + eˣ), written so that eˣ never overflows: dy/dx = σ(x).
UNARY(softplus, select(x > 0, x, Vec{}) + log1p_lanes(exp_lanes(-abs_lanes(x))),
      sigmoid_lanes(x), std::log(1 + std::exp(x)), -30, 30)
// x σ(1.702 x), as in CLIP.
UNARY(quick_gelu, x * sigmoid_lanes(static_cast<real>(1.702) * x),
      swish_derivative_lanes(static_cast<real>(1.702), x), x / (1 + std::exp(real{-1.702} * x)), -20, 20)
// clang-format on
#undef UNARY
