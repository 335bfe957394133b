// Multi-head target attention (paper §2, §3.3): the target asks, the history answers. The key and value projections are
// folded into the target's side, which is the same number at 1/d of the cost (docs/numerics.md):
//   (q W_Q)(k W_K)ᵀ = (q W_Q W_Kᵀ) kᵀ        Σ_l p_l (k_l W_V) = (Σ_l p_l k_l) W_V
// B batch, T targets of one history, L history, H heads, d width.
#pragma once

#include "nn/layers.h"

namespace seminar::inline SEMINAR_PRECISION {

/// α [B, T * H, L] = (q W_h^Q)(k W_h^K)ᵀ / √d for q [B, T, d], keys [B, L, d], wq and wk [H, d, d].
Var target_scores(const Var& q, const Var& keys, const Var& wq, const Var& wk);
/// Concat_h(p_h keys W_h^V) W^O -> [B, T, out] for probabilities p [B, T * H, L], keys [B, L, d], wv [H, d, d],
/// wo [H * d, out].
Var target_values(const Var& p, const Var& keys, const Var& wv, const Var& wo);
/// softmax over the keys that `mask` [B, L] keeps, then target_values: [B, T, out].
Var target_attention(const Var& q, const Var& keys, const Tensor& mask, const Var& wq, const Var& wk, const Var& wv,
                     const Var& wo);

/// The parameters of one target attention. `frozen` projections W^Q, W^K, W^V stay as they were drawn; W^O learns.
struct TargetAttention {
  Param wq, wk, wv, wo;
  bool frozen;
  TargetAttention(int64_t width, int64_t heads, Rng rng, bool frozen = false);
  /// α [B, T * H, L] of q [B, T, d] and keys [B, L, d].
  Var scores(const Var& q, const Var& keys) const { return target_scores(q, keys, projection(wq), projection(wk)); }
  /// [B, T, d] of probabilities p [B, T * H, L] and keys [B, L, d].
  Var values(const Var& p, const Var& keys) const { return target_values(p, keys, projection(wv), wo); }
  /// q [B, T, d], keys [B, L, d], mask [B, L] -> [B, T, d]
  Var operator()(const Var& q, const Var& keys, const Tensor& mask) const {
    return values(softmax(scores(q, keys), mask), keys);
  }
  void visit(auto&& f) const {
    f("wq", wq);
    f("wk", wk);
    f("wv", wv);
    f("wo", wo);
  }

 private:
  Var projection(const Param& w) const { return frozen ? detach(w) : w.var(); }
};

}  // namespace seminar::inline SEMINAR_PRECISION
