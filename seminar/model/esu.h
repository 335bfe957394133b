// ESU, the exact search unit (paper §3.3.2): multi-head target attention over the K behaviours that the GSU kept.
#pragma once

#include "nn/attention.h"
#include "seminar/model/ages.h"
#include "seminar/model/retrieved.h"

namespace seminar::inline SEMINAR_PRECISION {

struct Esu {
  AgeEmbedding age;
  TargetAttention attention;
  Esu(const ModelSettings& settings, Rng rng)
      : age(settings),
        attention(settings.dim, settings.heads, rng.split("attention"), settings.projections == "frozen") {}
  /// x_lifelong = Concat(head_1 .. head_H) W^ESU [B, T, d] of targets [B, T, d] over the retrieved rows of history
  /// [B, L, d]; ages as in behaviour_ages.
  Var x_lifelong(const Var& targets, const Var& history, const Retrieved& retrieved,
                 const std::vector<int32_t>& ages) const;
  /// What each head attends to: [B * T, H, K], rows summing to 1 over the retrieved behaviours.
  Var weights(const Var& targets, const Var& history, const Retrieved& retrieved,
              const std::vector<int32_t>& ages) const;
  void visit(auto&& f) const {
    f("age", age);
    f("attention", attention);
  }

 private:
  /// The retrieved behaviours with the vectors of their ages, as keys and values [B * T, K, d].
  Var keys(const Var& history, const Retrieved& retrieved, const std::vector<int32_t>& ages) const;
};

}  // namespace seminar::inline SEMINAR_PRECISION
