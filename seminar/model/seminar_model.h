// SEMINAR as fine-tuned (paper §3.3.2): encoders and fusion restored from the PSU, GSU, ESU and the CTR head.
#pragma once

#include "seminar/model/esu.h"
#include "seminar/model/gsu.h"
#include "seminar/model/psu.h"
#include "seminar/model/side.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Finds the behaviours of a whole batch in place of the GSU's exact scores (seminar/retrieval/batch_retriever.h).
class BatchRetriever {
 public:
  virtual ~BatchRetriever() = default;
  /// The k behaviours of each target of the batch. `folded` [d, d] = Σ_h W_h^Q W_h^Kᵀ; `channels` are those after G;
  /// `target_weights` [B * T, C] and `history_weights` [B * L, C] are the pairs' γ.
  virtual Retrieved retrieve(const Batch& batch, const Channels& channels, const Tensor& target_weights,
                             const Tensor& history_weights, const Tensor& folded, int64_t k) const = 0;
};

class SeminarModel : public Model {
 public:
  SeminarModel(const ModelSettings& settings, const Vocabulary& vocabulary, Rng rng);
  const char* kind() const override { return "seminar"; }
  Params params() const override { return parameters(*this); }
  void freeze_text(const Dataset& data) override { encoders.freeze_text(data); }
  /// Cross entropy of ŷ, and search_weight times that of the GSU's own prediction.
  Var loss(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode,
           std::vector<LossPart>* parts) const override;
  Tensor score(const Dataset& data, const Batch& batch, const RunSettings& run) const override;
  /// The behaviours that the GSU keeps for the batch's candidates.
  std::optional<Retrieved> retrieve(const Dataset& data, const Batch& batch, const RunSettings& run) const override;
  /// The batch encoded, projected by G and fused.
  FusedBatch fused(const Dataset& data, const Batch& batch, const Mode& mode) const;
  /// With `all`: fusion, ages, the head's layers, and the attention for both units as well.
  void restore(const Psu& psu, bool all) override;
  /// From now on behaviours are retrieved by `retriever`; by exact scores if it is null.
  void set_retriever(std::shared_ptr<const BatchRetriever> retriever) { retriever_ = std::move(retriever); }

  void visit(auto&& f) const {
    f("encoders", encoders);
    f("fusion", fusion);
    f("gsu", gsu);
    f("esu", esu);
    f("side", side);
    f("head", head);
  }

  Encoders encoders;
  Fusion fusion;
  Gsu gsu;
  Esu esu;
  std::optional<Side> side;
  Head head;

 private:
  struct Forward {
    FusedBatch fused;
    Var gsu_scores, logits;
    Retrieved retrieved;
  };
  /// What the history is searched for, [B, T, d]: the target's pair, its item or its query, as settings.search_by says.
  Var searched_for(const FusedBatch& pairs, const Batch& batch) const;
  /// The same as channel weights γ [B * T, C].
  Tensor target_weights(const FusedBatch& pairs, const Batch& batch) const;
  Forward forward(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode) const;
  std::shared_ptr<const BatchRetriever> retriever_;
};

}  // namespace seminar::inline SEMINAR_PRECISION
