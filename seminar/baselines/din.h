// Baseline: Deep Interest Network (Zhou et al., KDD 2018). The most recent K behaviours s_l, each weighted by an
// activation unit a_l = MLP([e_t ; s_l ; e_t - s_l ; e_t ∘ s_l]) with PReLU and no softmax; interest = Σ_l a_l s_l.
#pragma once

#include "seminar/baselines/baseline.h"

namespace seminar::inline SEMINAR_PRECISION {

struct Din {
  static constexpr const char* kind = "din";
  Linear first;  ///< [e_t ; s_l ; e_t - s_l ; e_t ∘ s_l] -> hidden
  Param slope;   ///< [hidden]: of the PReLU below 0
  Linear last;   ///< hidden -> 1
  Din(const ModelSettings& s, const Dataset&, const Rng& rng);
  Interest operator()(const UnitInput& in, const Mode& mode) const;
  /// a [B, T, K] of targets [B, T, d] and behaviours [B, K, d]. The first layer is linear in its four parts, so only
  /// the product needs a tensor [B, T, K, d].
  Var activations(const Var& targets, const Var& behaviours) const;
  void visit(auto&& f) const {
    f("first", first);
    f("slope", slope);
    f("last", last);
  }
};

}  // namespace seminar::inline SEMINAR_PRECISION
