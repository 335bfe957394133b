// The last layers (paper §3.3.2): MLP over [x_lifelong ; x_user ; x_item ; x_u2i]. x_user is the mean of the history,
// x_u2i the products of the item with both. Data sets without user or context features leave those out. The output has
// no bias: it would be the same for all candidates, and so nothing to a ranking loss.
#pragma once

#include "nn/layers.h"

namespace seminar::inline SEMINAR_PRECISION {

struct Head {
  Mlp mlp;
  Head(int64_t dim, int64_t hidden, Rng rng) : mlp({5 * dim, hidden, 1}, rng, false) {}
  /// lifelong [B, T, d], user [B, d], item [B, T, d] -> logits [B, T]
  Var operator()(const Var& lifelong, const Var& user, const Var& item, const Mode& mode) const;
  void visit(auto&& f) const { f("mlp", mlp); }
};

/// x [B, d] repeated for T targets: [B, T, d].
Var repeat_targets(const Var& x, int64_t targets);

}  // namespace seminar::inline SEMINAR_PRECISION
