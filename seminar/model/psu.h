// PSU, the pretraining search unit (paper §3.3.1): next pair, alignment and query-item relevance on one sequence.
#pragma once

#include "nn/attention.h"
#include "seminar/model/head.h"
#include "seminar/model/model.h"

namespace seminar::inline SEMINAR_PRECISION {

class Psu : public Model {
 public:
  Psu(const ModelSettings& settings, const Vocabulary& vocabulary, Rng rng);
  const char* kind() const override { return "psu"; }
  Params params() const override { return parameters(*this); }
  void freeze_text(const Dataset& data) override { encoders.freeze_text(data); }
  /// next_weight · L_next_pair + align_weight · L_align + relevance_weight · L_query_item. A part without data (no pair
  /// has both channels, no behaviour has a query) is left out; throws Error if nothing is left.
  Var loss(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode,
           std::vector<LossPart>* parts) const override;
  Tensor score(const Dataset& data, const Batch& batch, const RunSettings& run) const override;

  void visit(auto&& f) const {
    f("encoders", encoders);
    f("fusion", fusion);
    f("age", age);
    f("attention", attention);
    f("eos", eos);
    f("head", head);
    f("relevance", relevance);
    f("logit_scale", logit_scale);
  }

  Encoders encoders;
  Fusion fusion;
  AgeEmbedding age;
  TargetAttention attention;
  Param eos;  ///< [1, d]: the <EOS> token that closes the keys
  Head head;
  Mlp relevance;      ///< [x_query ; Σ γ_m x_item^(m)] -> logit
  Param logit_scale;  ///< scalar, log of the CLIP loss's 1 / temperature; at most 100 is used, as in CLIP

 private:
  /// Next-pair logits [B, T].
  Var logits(const FusedBatch& fused, const Batch& batch, const Mode& mode) const;
  /// CLIP loss of every pair of item channels over the real, first occurrences of each history.
  Var alignment(const Channels& channels, const Batch& batch, const RunSettings& run) const;
  /// Binary cross entropy of (query, its item) against (query, another item of the batch); undefined without queries.
  Var query_item(const Channels& channels, const Batch& batch, const RunSettings& run, const Mode& mode) const;
};

}  // namespace seminar::inline SEMINAR_PRECISION
