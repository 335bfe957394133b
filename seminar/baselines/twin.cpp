#include "seminar/baselines/twin.h"

#include "seminar/model/ages.h"

namespace seminar::inline SEMINAR_PRECISION {

Twin::Twin(const ModelSettings& s, const Dataset&, const Rng& rng, bool per_head)
    : attention(s.dim, s.heads, rng.split("attention")), searched_bias(Tensor::zeros({1, s.heads})) {
  if (s.ages > 0) age_bias.emplace(Tensor::zeros({s.ages, s.heads}));
  if (!per_head) head_logits.emplace(Tensor::zeros({s.heads}));
}

Var Twin::relevance(const Var& targets, const Var& history, const Batch& batch) const {
  const int64_t rows = batch.size(), length = batch.length(), heads = searched_bias.shape()[1];
  Tensor searched = Tensor::zeros({rows, length, 1});
  real* y = searched.write();
  for (int64_t i = 0; i < rows * length; ++i) y[i] = batch.queries[batch.history.query[i]] != 0 ? 1 : 0;
  Var bias = matmul(searched, searched_bias);  // [B, L, H]
  if (age_bias)
    bias = bias + embedding(*age_bias, age_buckets(behaviour_ages(batch), {rows, length}, age_bias->shape()[0]));
  const Var inherent =
      reshape(target_scores(targets, history, attention.wq, attention.wk), {rows, batch.candidates(), heads, length});
  return reshape(inherent + reshape(swap_axes(bias, 1, 2), {rows, 1, heads, length}),
                 {rows, batch.candidates() * heads, length});
}

Interest Twin::operator()(const UnitInput& in, const Mode&) const {
  const int64_t rows = in.batch.size(), candidates = in.batch.candidates(), length = in.batch.length(),
                heads = searched_bias.shape()[1];
  const auto& [channels, targets, history] = in.fused;
  const Var alpha = relevance(targets, history, in.batch);
  if (!head_logits) {
    const Retrieved own = retrieve_top_k(alpha.value(), in.batch.mask, candidates * heads, in.run.k);
    return {target_values(softmax_of_kept(alpha, own), history, attention.wv, attention.wo), own};
  }
  const Var weights = reshape(scale(softmax(*head_logits), static_cast<real>(heads)), {1, 1, heads, 1});
  const Shape by_head{rows, candidates, heads, length}, together{rows, candidates * heads, length};
  const Tensor weighted = (detach(reshape(alpha, by_head)) * detach(weights)).value().reshape(together);
  const Retrieved best = retrieve_top_k(weighted, in.batch.mask, candidates, in.run.k);
  const Var p = reshape(reshape(softmax_of_kept(alpha, best), by_head) * weights, together);
  return {target_values(p, history, attention.wv, attention.wo), best};
}

}  // namespace seminar::inline SEMINAR_PRECISION
