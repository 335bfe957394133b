// PSU, the pretraining search unit (paper §3.3.1): next pair, alignment and query-item relevance on one sequence.
#pragma once

#include "nn/attention.h"
#include "seminar/model/ages.h"
#include "seminar/model/fused.h"
#include "seminar/model/head.h"
#include "seminar/model/model.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Other forms of two of the PSU's losses, for --align-loss and --relevance-loss "authors": handed in where models are
/// made (training/model_file.cpp).
struct PsuLossForms {
  /// Of unit vectors a, b [B, L, d] where mask [B, L] is not 0.
  Var (*align)(const Var& a, const Var& b, int64_t chunks, const Tensor& mask) = nullptr;
  /// Of queries and items [B, L, d].
  Var (*query_item)(const Var& queries, const Var& items, Rng rng) = nullptr;
};

class Psu : public Model {
 public:
  Psu(const ModelSettings& settings, const Vocabulary& vocabulary, Rng rng, PsuLossForms authors = {});
  const char* kind() const override { return "psu"; }
  bool learns_pairs() const override { return true; }
  Params params() const override { return parameters(*this); }
  void freeze_text(const Dataset& data) override { encoders.freeze_text(data); }
  /// L_PSU = next_weight · L_next + align_weight · L_align + relevance_weight · L_query_item. A part without data (no
  /// pair has both channels, no behaviour has a query) is left out; throws Error if nothing is left.
  Var l_psu(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode,
            std::vector<LossPart>* parts) const;
  Var loss(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode,
           std::vector<LossPart>* parts) const override {
    return l_psu(data, batch, run, mode, parts);
  }
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
  /// L_align = Σ_{i≠j} CLIP(x̂^(i), x̂^(j)) over the item channels, in run.chunks chunks; of the real behaviours of each
  /// history, every item once.
  Var l_align(const Channels& channels, const Batch& batch, const RunSettings& run) const;
  /// L_query_item = BCE of MLP[x_query ; Σ_m γ_m x_item^(m)]: a searched behaviour's own item against another item of
  /// the batch; undefined without queries.
  Var l_query_item(const Channels& channels, const Batch& batch, const RunSettings& run, const Mode& mode) const;
  PsuLossForms authors_;
};

}  // namespace seminar::inline SEMINAR_PRECISION
