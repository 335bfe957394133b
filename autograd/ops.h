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
/// x to the power of p.
Var pow(const Var& x, double p);
/// x with every element dropped with probability p and the rest divided by 1 - p. The same rng stream gives the same
/// mask.
Var dropout(const Var& x, double p, Rng rng);
/// The same numbers, cut off from the graph.
Var detach(const Var& x);
inline Var operator+(const Var& a, const Var& b) { return add(a, b); }
inline Var operator-(const Var& a, const Var& b) { return sub(a, b); }
inline Var operator*(const Var& a, const Var& b) { return mul(a, b); }
inline Var operator/(const Var& a, const Var& b) { return div(a, b); }
inline Var operator-(const Var& a) { return scale(a, -1); }
// With a number on either side: 2 * x + 1.
inline Var constant(double s) { return Tensor::scalar(static_cast<real>(s)); }
inline Var operator+(const Var& a, double s) { return add(a, constant(s)); }
inline Var operator+(double s, const Var& a) { return add(a, constant(s)); }
inline Var operator-(const Var& a, double s) { return sub(a, constant(s)); }
inline Var operator-(double s, const Var& a) { return sub(constant(s), a); }
inline Var operator*(const Var& a, double s) { return scale(a, static_cast<real>(s)); }
inline Var operator*(double s, const Var& a) { return scale(a, static_cast<real>(s)); }
inline Var operator/(const Var& a, double s) { return div(a, constant(s)); }
inline Var operator/(double s, const Var& a) { return div(constant(s), a); }

// Choices and comparisons (ops_select.cpp). A mask holds 1 where the comparison is true, else 0, and has no gradient.
Tensor greater(const Var& a, const Var& b);
Tensor greater_equal(const Var& a, const Var& b);
Tensor equal(const Var& a, const Var& b);
inline Tensor operator>(const Var& a, const Var& b) { return greater(a, b); }
inline Tensor operator>=(const Var& a, const Var& b) { return greater_equal(a, b); }
inline Tensor operator<(const Var& a, const Var& b) { return greater(b, a); }
inline Tensor operator<=(const Var& a, const Var& b) { return greater_equal(b, a); }
inline Tensor operator>(const Var& a, double s) { return greater(a, constant(s)); }
inline Tensor operator>=(const Var& a, double s) { return greater_equal(a, constant(s)); }
inline Tensor operator<(const Var& a, double s) { return greater(constant(s), a); }
inline Tensor operator<=(const Var& a, double s) { return greater_equal(constant(s), a); }
/// a where the mask is not 0, else b; all three are broadcast.
Var where(const Tensor& mask, const Var& a, const Var& b);
/// The larger, or the smaller, of two; NaN wins.
Var maximum(const Var& a, const Var& b);
Var minimum(const Var& a, const Var& b);
/// x, but at least `low` and at most `high`.
Var clamp(const Var& x, double low, double high);
/// The largest, or the least, of all elements or along one axis (which goes). NaN wins; the first among equals gets the
/// gradient.
Var max(const Var& x);
Var max(const Var& x, int axis);
Var min(const Var& x);
Var min(const Var& x, int axis);

// Shapes (ops_shape.cpp)
Var reshape(const Var& x, const Shape& shape);
Var slice(const Var& x, int axis, int64_t begin, int64_t end);
/// The last two axes swapped.
Var transpose(const Var& x);
/// Any two axes swapped; copies.
Var swap_axes(const Var& x, int a, int b);
/// Axis i of the result is axis axes[i] of x; copies.
Var permute(const Var& x, const std::vector<int>& axes);
/// x repeated to `shape` by numpy's broadcasting; copies.
Var expand(const Var& x, const Shape& shape);
/// A new axis of size 1, or an axis of size 1 less.
Var unsqueeze(const Var& x, int axis);
Var squeeze(const Var& x, int axis);
/// Parts of one shape along a new axis.
Var stack(std::span<const Var> parts, int axis);
inline Var stack(std::initializer_list<Var> parts, int axis) {
  return stack(std::span<const Var>(parts.begin(), parts.size()), axis);
}
/// Parts of `size` along an axis; the last may be smaller.
std::vector<Var> split(const Var& x, int64_t size, int axis);
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
