// GSU, the general search unit (paper §3.3.2): exact scores of all L behaviours, of which the K best are kept.
#pragma once

#include "nn/attention.h"
#include "seminar/model/head.h"
#include "seminar/model/model.h"

namespace seminar::inline SEMINAR_PRECISION {

/// x^GSU(j) = x^PSU(j) G^(j), scores α_h^GSU with its own W^Q and W^K, top K by their sum over heads. A hard selection
/// gives no gradient, so G, W^Q and W^K learn from a CTR loss of the unit's own, as in SIM.
struct Gsu {
  std::vector<Param> g;  ///< per channel [d, d], the identity at first
  TargetAttention attention;
  Head head;
  Gsu(const ModelSettings& settings, int64_t channels, Rng rng);

  /// The channels times G.
  Channels project(const Channels& channels) const;
  /// α [B, T * H, L] of targets [B, T, d] and history [B, L, d].
  Var scores(const Var& targets, const Var& history) const { return attention.scores(targets, history); }
  /// Σ_h W_h^Q W_h^Kᵀ [d, d]: the heads' summed scores of q are those of q times it, but for 1 / √d.
  Tensor folded() const;
  /// Top K by the heads' summed scores where mask [B, L] keeps; fewer where fewer are real.
  static Retrieved retrieve(const Tensor& scores, const Tensor& mask, int64_t targets, int64_t k);
  /// The unit's own logits [B, T].
  Var logits(const Var& scores, const FusedBatch& fused, const Tensor& mask, const Mode& mode) const;
  void visit(auto&& f) const {
    f("g", g);
    f("attention", attention);
    f("head", head);
  }
};

}  // namespace seminar::inline SEMINAR_PRECISION
