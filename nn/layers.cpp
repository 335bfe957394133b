#include "nn/layers.h"

#include <cmath>

#include "tensor/kernels.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

Tensor fan_in_uniform(const Shape& shape, int64_t fan_in, Rng rng) {
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  return Tensor::uniform(shape, rng, -bound, bound);
}

}  // namespace

Linear::Linear(int64_t in, int64_t out, Rng rng, bool with_bias)
    : weight(fan_in_uniform({out, in}, in, rng.split("weight"))) {
  if (with_bias) bias.emplace(fan_in_uniform({out}, in, rng.split("bias")));
}

Embedding::Embedding(int64_t count, int64_t width, Rng rng, double std)
    : table(Tensor::normal({count, width}, rng, std), true) {}

Mlp::Mlp(std::initializer_list<int64_t> widths, Rng rng, bool last_bias) {
  const std::vector<int64_t> w(widths);
  for (std::size_t i = 0; i + 1 < w.size(); ++i)
    layers.emplace_back(w[i], w[i + 1], rng.split(i), last_bias || i + 2 < w.size());
}

Var Mlp::operator()(Var x, const Mode& mode) const {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (i > 0) x = dropout(relu(x), mode, "layer" + std::to_string(i));
    x = layers[i](x);
  }
  return x;
}

Var rms_norm(const Var& x, const Var& weight, double eps) {
  check_inputs("rms_norm", {x, weight});
  check(x.rank() >= 1 && weight.shape() == Shape{x.size(-1)}, "rms_norm: input {}, weight {}", x.shape(),
        weight.shape());
  check(x.size(-1) > 0, "rms_norm: of no elements: shape {}", x.shape());
  return x / sqrt(unsqueeze(mean(x * x, -1), -1) + eps) * weight;
}

Var rotary(const Var& x, int64_t first, double base) {
  check_inputs("rotary", {x});
  check(x.rank() >= 2 && x.size(-1) % 2 == 0, "rotary: needs rows of an even width, not shape {}", x.shape());
  check(base > 0, "rotary: the base must be positive: {}", base);
  const int64_t rows = x.size(-2), half = x.size(-1) / 2;
  Tensor cosine = Tensor::empty({rows, half}), sine = Tensor::empty({rows, half});
  real *c = cosine.write(), *s = sine.write();
  for (int64_t t = 0; t < rows; ++t)
    for (int64_t i = 0; i < half; ++i) {
      const double angle =
          static_cast<double>(t + first) * std::pow(base, -static_cast<double>(i) / static_cast<double>(half));
      c[t * half + i] = static_cast<real>(std::cos(angle));
      s[t * half + i] = static_cast<real>(std::sin(angle));
    }
  const Var a = slice(x, -1, 0, half), b = slice(x, -1, half, 2 * half);
  return concat({a * cosine - b * sine, a * sine + b * cosine}, -1);
}

Var masked_mean(const Var& x, const Tensor& mask) {
  check_inputs("masked_mean", {x});
  check(x.rank() == 3 && mask.defined() && mask.shape() == x.shape().leading(), "masked_mean: mask {} for {}",
        mask.shape(), x.shape());
  const int64_t batch = x.size(0), length = x.size(1);
  Tensor weights = Tensor::zeros({batch, 1, length});
  const Tensor keep = mask.contiguous();
  real* w = weights.write();
  for (int64_t b = 0; b < batch; ++b) {
    const real* row = keep.data() + b * length;
    const real total = kernels().sum(length, row);
    for (int64_t l = 0; l < length && total > 0; ++l) w[b * length + l] = row[l] / total;
  }
  return reshape(matmul(weights, x), {batch, x.size(2)});
}

}  // namespace seminar::inline SEMINAR_PRECISION
