// GSU, the general search unit (paper §3.3.2): exact scores of all L behaviours, of which retrieve_top_k keeps K.
#pragma once

#include "nn/attention.h"
#include "seminar/model/fused.h"
#include "seminar/model/head.h"
#include "seminar/model/retrieved.h"

namespace seminar::inline SEMINAR_PRECISION {

/// x^GSU(j) = x^PSU(j) G^(j), scores α_h^GSU with its own W^Q and W^K; the K best by their sum over heads are kept. A
/// hard selection gives no gradient, so G, W^Q and W^K learn from a CTR loss of the unit's own, as in SIM.
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
  /// The unit's own ŷ [B, T], read from all L behaviours.
  Var logits(const Var& scores, const FusedBatch& fused, const Tensor& mask, const Mode& mode,
             bool biased = true) const;
  void visit(auto&& f) const {
    f("g", g);
    f("attention", attention);
    f("head", head);
  }
};

}  // namespace seminar::inline SEMINAR_PRECISION
