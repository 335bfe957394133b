// Baseline: TWo-stage Interest Network (Chang et al., KDD 2023). Both stages use one and the same relevance
//   α_h,l = (K_l W_h^K)(e_t W_h^Q)ᵀ / √d + β_h(age of l) + β_h(whether l was searched),
// the cross features of user and item reduced to a bias a head. The first stage keeps K behaviours, the second is
// softmax(α_h) over them and the values.
#pragma once

#include "nn/attention.h"
#include "seminar/baselines/baseline.h"

namespace seminar::inline SEMINAR_PRECISION {

/// One set of K behaviours for all heads, by Σ_h w_h α_h with learned w. A hard selection passes no gradient, so w also
/// scales what the heads hand on.
struct Twin {
  static constexpr const char* kind = "twin";
  TargetAttention attention;
  std::optional<Param> age_bias;     ///< [ages, H]; absent without position information
  Param searched_bias;               ///< [1, H]
  std::optional<Param> head_logits;  ///< [H]: w = H softmax(head_logits); absent where every head keeps its own K
  Twin(const ModelSettings& s, const Dataset&, const Rng& rng, bool per_head = false);
  Interest operator()(const UnitInput& in, const Mode& mode) const;
  /// α [B, T * H, L]
  Var relevance(const Var& targets, const Var& history, const Batch& batch) const;
  void visit(auto&& f) const {
    f("attention", attention);
    f("age_bias", age_bias);
    f("searched_bias", searched_bias);
    f("head_logits", head_logits);
  }
};

/// Every head keeps its own K behaviours, by its own α.
struct TwinHeads : Twin {
  static constexpr const char* kind = "twin_heads";
  TwinHeads(const ModelSettings& s, const Dataset& data, const Rng& rng) : Twin(s, data, rng, true) {}
};

}  // namespace seminar::inline SEMINAR_PRECISION
