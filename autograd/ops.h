// Every differentiable op. Broadcasting follows numpy; "rows" are along the last axis. Each throws Error for shapes
// that do not fit, as `op: what is wrong: the values`.
#pragma once

#include "autograd/var.h"

namespace seminar::inline SEMINAR_PRECISION {

// Element by element (ops_elementwise.cpp)
Var add(const Var& a, const Var& b);
Var sub(const Var& a, const Var& b);
Var mul(const Var& a, const Var& b);
Var div(const Var& a, const Var& b);
/// exp, log, tanh, relu, gelu and the others of the list: Var exp(const Var& x), and so on.
#define UNARY(name, ...) Var name(const Var& x);
#include "tensor/unary_functions.h"
/// s · x
Var scale(const Var& x, real s);
/// x with every element dropped with probability p and the rest divided by 1 - p. The same rng stream gives the same
/// mask.
Var dropout(const Var& x, double p, Rng rng);
/// The same numbers, cut off from the graph.
Var detach(const Var& x);
inline Var operator+(const Var& a, const Var& b) { return add(a, b); }
inline Var operator-(const Var& a, const Var& b) { return sub(a, b); }
inline Var operator*(const Var& a, const Var& b) { return mul(a, b); }
inline Var operator/(const Var& a, const Var& b) { return div(a, b); }

// Shapes (ops_shape.cpp)
Var reshape(const Var& x, const Shape& shape);
Var slice(const Var& x, int axis, int64_t begin, int64_t end);
/// The last two axes swapped.
Var transpose(const Var& x);
/// Any two axes swapped; copies.
Var swap_axes(const Var& x, int a, int b);
Var concat(std::span<const Var> parts, int axis);
inline Var concat(std::initializer_list<Var> parts, int axis) {
  return concat(std::span<const Var>(parts.begin(), parts.size()), axis);
}
/// Sum of all elements, or over one axis (which goes).
Var sum(const Var& x);
Var sum(const Var& x, int axis);
Var mean(const Var& x);
Var mean(const Var& x, int axis);

// Products (ops_matmul.cpp)
/// [..., m, k] x [..., k, n] -> [..., m, n]; an operand without batch axes serves every batch entry.
Var matmul(const Var& a, const Var& b);
/// a bᵀ over the last two axes: [..., m, k] x [..., n, k] -> [..., m, n]
Var matmul_transposed(const Var& a, const Var& b);
/// x [..., in], weight [out, in], bias [out] or undefined -> [..., out]
Var linear(const Var& x, const Var& weight, const Var& bias = {});

// Rows (ops_rows.cpp)
/// Softmax along the last axis. `mask` says with 0 what takes no part; a row with nothing left becomes zeros. Its shape
/// is [n] or the first axes of x and n, like [B, n] for x [B, ..., n]; undefined: all take part.
Var softmax(const Var& x, const Tensor& mask = {});
Var log_softmax(const Var& x);
/// (x - mean) / √(var + eps) · weight + bias, along the last axis.
Var layer_norm(const Var& x, const Var& weight, const Var& bias, real eps = static_cast<real>(1e-5));
/// x / max(|x|, eps) along the last axis.
Var normalize(const Var& x, real eps = static_cast<real>(1e-12));

// Tables (ops_embedding.cpp)
/// table [N, d], ids [...] -> [..., d]
Var embedding(const Var& table, const Ids& ids);
/// Mean of the rows ids[offsets[i] .. offsets[i+1]) of table [N, d] -> [n, d]; an empty bag gives zeros. offsets has
/// n + 1 entries.
Var embedding_bag(const Var& table, const Ids& ids, const Ids& offsets);

// Attention (ops_attention.cpp)
/// Multi-head self-attention inside sequences that stand packed one after the other, without padding: rows
/// offsets[i] .. offsets[i+1] of qkv [N, 3 d] = [Q | K | V] are sequence i; heads of width d / heads -> [N, d]. With
/// `causal` a row sees itself and the rows before it.
Var self_attention(const Var& qkv, const Ids& offsets, int64_t heads, bool causal = false);

// Losses (ops_loss.cpp)
/// Mean of -log softmax(logits)[target] over rows; logits [N, C]. Rows with target -1 take no part.
Var cross_entropy(const Var& logits, const Ids& target);
/// Mean binary cross entropy of σ(logits) and target in [0, 1]; `weight` (undefined: all 1) leaves elements out with 0.
Var bce_with_logits(const Var& logits, const Tensor& target, const Tensor& weight = {});

}  // namespace seminar::inline SEMINAR_PRECISION
