// The small layers: Linear, Embedding, LayerNorm, MLP, dropout by mode.
#pragma once

#include <vector>

#include "autograd/ops.h"
#include "nn/module.h"

namespace seminar::inline SEMINAR_PRECISION {

/// x / √(mean(x²) + eps) · weight: x [..., d], weight [d].
Var rms_norm(const Var& x, const Var& weight, double eps = 1e-6);
/// Rotary positions (Su et al. 2021) for x [..., T, d], d even: the pair (x_i, x_{i + d/2}) of row t is turned by the
/// angle (t + first) base^(-2 i / d).
Var rotary(const Var& x, int64_t first = 0, double base = 10000);

/// y = x Wᵀ + b, W [out, in]; weights and bias from U(±1/√in).
struct Linear {
  Param weight;
  std::optional<Param> bias;
  Linear(int64_t in, int64_t out, Rng rng, bool with_bias = true);
  /// x [..., in] -> [..., out]
  Var operator()(const Var& x) const { return linear(x, weight, bias ? bias->var() : Var()); }
  void visit(auto&& f) const {
    f("weight", weight);
    f("bias", bias);
  }
};

/// A table of vectors with sparse gradients; N(0, std²).
struct Embedding {
  Param table;
  Embedding(int64_t count, int64_t width, Rng rng, double std);
  /// ids [...] -> [..., width]
  Var operator()(const Ids& ids) const { return embedding(table, ids); }
  /// Means of bags, see embedding_bag.
  Var bag(const Ids& ids, const Ids& offsets) const { return embedding_bag(table, ids, offsets); }
  void visit(auto&& f) const { f("table", table); }
};

/// Normalises the last axis to mean 0 and variance 1, then scales and shifts.
struct LayerNorm {
  Param weight, bias;
  explicit LayerNorm(int64_t width) : weight(Tensor::full({width}, 1)), bias(Tensor::zeros({width})) {}
  Var operator()(const Var& x) const { return layer_norm(x, weight, bias); }
  void visit(auto&& f) const {
    f("weight", weight);
    f("bias", bias);
  }
};

/// x / √(mean(x²) + eps) · weight, along the last axis (Zhang and Sennrich 2019).
struct RmsNorm {
  Param weight;
  explicit RmsNorm(int64_t width) : weight(Tensor::full({width}, 1)) {}
  /// x [..., width] -> [..., width]
  Var operator()(const Var& x) const { return rms_norm(x, weight); }
  void visit(auto&& f) const { f("weight", weight); }
};

/// Linear layers with ReLU between them: widths {in, hidden, …, out}; the last may go without a bias.
struct Mlp {
  std::vector<Linear> layers;
  Mlp(std::initializer_list<int64_t> widths, Rng rng, bool last_bias = true);
  Var operator()(Var x, const Mode& mode = Mode()) const;
  void visit(auto&& f) const { f("layers", layers); }
};

/// Mean of the rows of x [B, L, d] that mask [B, L] keeps: [B, d]; zeros where there are none. Throws Error for other
/// shapes.
Var masked_mean(const Var& x, const Tensor& mask);

/// dropout() in training, x itself otherwise. `name` picks the stream.
inline Var dropout(const Var& x, const Mode& mode, std::string_view name) {
  return mode.training && mode.dropout > 0 ? dropout(x, mode.dropout, mode.rng.split(name)) : x;
}

}  // namespace seminar::inline SEMINAR_PRECISION
