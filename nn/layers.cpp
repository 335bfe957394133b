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
