// The last layers (paper §3.3.2): ŷ = MLP[x_lifelong ; x_user ; x_item ; x_u2i ; x_context]. x_user, x_u2i and
// x_context come from side.h; x_u2i holds the product of the item with x_lifelong as well. The mean of the history, and
// its product with the item, are ours, not the paper's: --history-mean off leaves them out.
#pragma once

#include "nn/layers.h"
#include "seminar/settings.h"

namespace seminar::inline SEMINAR_PRECISION {

/// What a head has besides its layers.
struct HeadOptions {
  bool bias = true;  ///< of the output
  int64_t side = 0;  ///< vectors of width d besides the sequence's (side.h)
};

struct Head {
  Mlp mlp;
  std::optional<Param> bias;  ///< [1], of the output: the same for all candidates, and so nothing to l_next
  bool history_mean;          ///< whether the mean of the history is among the inputs
  Head(const ModelSettings& settings, Rng rng, const HeadOptions& options = {});
  /// ŷ = MLP[x_lifelong ; x_item ; x_lifelong ∘ x_item ; side] + bias, logits [B, T], of lifelong [B, T, d], item [B,
  /// T, d] and side [B, T, side · d] (undefined: none); with history_mean the mean x̄ [B, d] of the history and x̄ ∘
  /// x_item too. Without `biased` the bias takes no part and learns nothing.
  Var y_hat(const Var& lifelong, const Var& mean, const Var& item, const Mode& mode, bool biased = true,
            const Var& side = {}) const;
  void visit(auto&& f) const {
    f("mlp", mlp);
    f("bias", bias);
  }
};

/// x [B, d] repeated for T targets: [B, T, d].
Var repeat_targets(const Var& x, int64_t targets);

}  // namespace seminar::inline SEMINAR_PRECISION
