// Fusion of a pair's channels (paper §3.3.1): x = Σ_m γ_m x^(m), with γ from a fixed λ or from a gate on the pair.
// The model never builds the [N, C, d] tensor: channel vectors stand in tables of distinct queries and items, and
// weighted_gather fuses them by position. The textbook forms stand below as its twins.
#pragma once

#include <vector>

#include "nn/layers.h"
#include "seminar/data/pair_ids.h"
#include "seminar/settings.h"

namespace seminar::inline SEMINAR_PRECISION {

/// The channels of the queries and items of one batch. Channel 0 is the query; the others belong to items.
struct Channels {
  Var query;              ///< [distinct queries, d]
  std::vector<Var> item;  ///< each [distinct items, d]
  Tensor present;         ///< [distinct items, item channels]: 0 where an item lacks the channel
};

/// Channel weights and the fused pair vectors.
struct Fusion {
  double lambda;
  std::optional<Param> item_logits;  ///< [M]: w = softmax over the channels an item has (λ form)
  std::vector<Linear> gate;          ///< per channel d -> C (gate form)
  Fusion(const ModelSettings& settings, int64_t item_channels, Rng rng);

  /// γ [N, C], rows summing to 1; a channel that the item lacks gets 0.
  Var weights(const Channels& channels, const PairIds& pairs) const;
  /// x [N, d] = Σ_m γ_m x^(m).
  Var operator()(const Channels& channels, const PairIds& pairs) const;
  /// The item's part alone, its weights scaled to sum to 1: [N, d]. A gate's logits are then those of the item's
  /// channels, without what the query and the bias add.
  Var items(const Channels& channels, const Ids& item) const;
  /// Its weights [N, M], rows summing to 1.
  Var item_weights(const Channels& channels, const Ids& item) const;
  void visit(auto&& f) const {
    f("item_logits", item_logits);
    f("gate", gate);
  }

 private:
  /// The items' part of the gate's logits, [distinct items, C]: the gate is linear in the concatenated channels, so its
  /// logits add up from one part per distinct query and item.
  Var item_gate(const Channels& channels) const;
};

// The textbook twins: what the model's forms above must agree with. Only tests and the tour run them.

/// Textbook: x [..., C, d], gamma [C] -> Σ_m γ_m x^(m) [..., d].
Var fuse(const Var& x, const Var& gamma);
/// Textbook gate: γ = softmax(W [x^(1); …; x^(C)] + b) per pair, W [C, C * d]; then fuse.
Var gated_fuse(const Var& x, const Var& weight, const Var& bias);
/// The decomposed attention scores of paper §2, second line: norms and unit vectors apart.
/// xt [B, C, d], xl [B, L, C, d], gamma [C], wq and wk [H, d, d] -> Σ_i Σ_j γ_ij (x̂_t^(i) W_h^Q)(x̂_l^(j) W_h^K)ᵀ / √d,
/// [B, H, L]. Equal to target_scores of the fused vectors.
Var decomposed_scores(const Var& xt, const Var& xl, const Var& gamma, const Var& wq, const Var& wk);

}  // namespace seminar::inline SEMINAR_PRECISION
