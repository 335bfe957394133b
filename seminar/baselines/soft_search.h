// Soft search with scores that learn (SIM, QIN): a hard selection passes no gradient to what selects, so the scores
// make a prediction of their own.
#pragma once

#include "nn/attention.h"
#include "seminar/baselines/baseline.h"

namespace seminar::inline SEMINAR_PRECISION {

/// r_l = (W_a trigger) · (W_b s_l) / √d, trained through the prediction from Σ_l r_l s_l over the n real behaviours,
/// divided by n: without √d and n the sum grows with d and L and outweighs the rest of the head's input.
struct SoftSearch {
  Param wa, wb;  ///< [1, d, d]
  Head head;
  SoftSearch(const ModelSettings& settings, const Rng& rng);
  /// r [B, T, L] of triggers [B, T, d] and history [B, L, d].
  Var scores(const Var& triggers, const Var& history) const { return target_scores(triggers, history, wa, wb); }
  /// ctr_loss of the search's own prediction.
  Var loss(const Var& scores, const UnitInput& in, const Mode& mode, const Tensor& weight = {}) const;
  void visit(auto&& f) const {
    f("wa", wa);
    f("wb", wb);
    f("head", head);
  }
};

}  // namespace seminar::inline SEMINAR_PRECISION
