#include "seminar/baselines/authors_attention.h"

#include <cmath>

namespace seminar::inline SEMINAR_PRECISION {
namespace {

Tensor start_values(const Shape& shape, Rng rng) {
  const double bound = 1 / std::sqrt(static_cast<double>(shape[-1]));
  return Tensor::uniform(shape, rng, -bound, bound);
}

}  // namespace

AuthorsHistory::AuthorsHistory(const Var& history, const Var& pad, const UnitInput& in)
    : rows(history), mask(in.batch.mask) {
  const int64_t batch = history.size(0), missing = in.run.history - history.size(1);
  if (missing <= 0) return;
  rows = concat({history, embedding(pad, Ids({batch, missing}, std::vector<int32_t>(batch * missing, 0)))}, 1);
  mask = concat({mask, Tensor::zeros({batch, missing})}, 1).value();
}

AuthorsHistory::AuthorsHistory(const UnitInput& in)
    : AuthorsHistory(in.fused.history, in.fusion(in.fused.channels, {Ids({0}), Ids({0})}), in) {}

std::vector<int32_t> AuthorsHistory::newest_first(const Batch& batch, int64_t b) const {
  std::vector<int32_t> order;
  const int32_t behaviours = history_length(batch, b);
  for (int32_t l = behaviours - 1; l >= 0; --l) order.push_back(l);
  for (int32_t l = behaviours; l < length(); ++l) order.push_back(l);
  return order;
}

Retrieved AuthorsHistory::marked(Retrieved chosen) const {
  const int64_t per_history = chosen.rows() / mask.size(0) * chosen.k;
  real* y = chosen.mask.write();
  for (int64_t i = 0; i < std::ssize(chosen.positions); ++i)
    if (mask.at({i / per_history, chosen.positions[i]}) == 0) y[i] = 0;
  return chosen;
}

FrozenProjection::FrozenProjection(int64_t heads, int64_t d, const Rng& rng)
    : weight(start_values({heads, d, d}, rng.split("weight"))), bias(start_values({heads, 1, d}, rng.split("bias"))) {}

Var FrozenProjection::operator()(const Var& x) const {
  return matmul(reshape(x, {x.shape().rows(), x.size(-1)}), weight) + bias;
}

FrozenScores::FrozenScores(int64_t heads, int64_t d, const Rng& rng)
    : query(heads, d, rng.split("query")), key(start_values({heads, d, d}, rng.split("key"))) {}

Var FrozenScores::operator()(const Var& q, const Var& keys) const {
  const int64_t batch = q.size(0), targets = q.size(1), heads = key.shape()[0], d = q.size(2);
  const Var asked = swap_axes(matmul_transposed(query(q), key), 0, 1);  // [B * T, H, d]
  return matmul_transposed(reshape(asked, {batch, targets * heads, d}), keys);
}

AuthorsAttention::AuthorsAttention(const ModelSettings& s, const Rng& rng)
    : scores(s.heads, s.dim, rng.split("scores")),
      value(s.heads, s.dim, rng.split("value")),
      output(s.heads * s.dim, s.dim, rng.split("output")) {}

Var AuthorsAttention::operator()(const Var& q, const AuthorsHistory& history, const Retrieved& chosen) const {
  const int64_t batch = q.size(0), targets = q.size(1), d = q.size(2), length = history.length(),
                heads = value.weight.shape()[0];
  const Var keys = history.rows * history.mask.reshape({batch, length, 1});
  const Var logits = scale(scores(q, keys), 1 / std::sqrt(static_cast<real>(d)));
  const Var pooled = matmul(softmax_of_kept(logits, chosen), keys);  // [B, T * H, d]
  const Var by_head = swap_axes(reshape(pooled, {batch * targets, heads, d}), 0, 1);
  const Var values = matmul(by_head, value.weight) + value.bias;  // the softmax sums to 1
  return output(reshape(swap_axes(values, 0, 1), {batch, targets, heads * d}));
}

Var AuthorsHead::y_hat(const Var& lifelong, const Var&, const Var& item, const Mode& mode, bool,
                       const Var& side) const {
  std::vector<Var> inputs{lifelong, item};
  if (side.defined()) inputs.push_back(side);
  return reshape(mlp(concat(inputs, -1), mode), {item.size(0), item.size(1)});
}

}  // namespace seminar::inline SEMINAR_PRECISION
