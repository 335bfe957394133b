// SEMINAR as fine-tuned (paper §3.3.2): encoders and fusion restored from the PSU, GSU, ESU and the CTR head.
#pragma once

#include "seminar/model/esu.h"
#include "seminar/model/psu.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Finds behaviours in place of the GSU's exact scores (seminar/retrieval/quantized_model.h).
class GsuRetriever {
 public:
  virtual ~GsuRetriever() = default;
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
  /// Cross entropy of ŷ and of the GSU's own prediction (weight gsu_weight).
  Var loss(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode,
           std::vector<LossPart>* parts) const override;
  Tensor score(const Dataset& data, const Batch& batch, const RunSettings& run) const override;
  /// The behaviours that the GSU keeps for the batch's candidates.
  std::optional<Retrieved> retrieve(const Dataset& data, const Batch& batch, const RunSettings& run) const override;
  /// Takes over what pretraining learned: encoders, fusion, ages, head, and the attention for both units.
  void restore(const Psu& psu);
  /// From now on behaviours are retrieved by `retriever`; by exact scores if it is null.
  void set_retriever(std::shared_ptr<const GsuRetriever> retriever) { retriever_ = std::move(retriever); }

  void visit(auto&& f) const {
    f("encoders", encoders);
    f("fusion", fusion);
    f("gsu", gsu);
    f("esu", esu);
    f("head", head);
  }

  Encoders encoders;
  Fusion fusion;
  Gsu gsu;
  Esu esu;
  Head head;

 private:
  struct Forward {
    FusedBatch fused;
    Var gsu_scores, logits;
    Retrieved retrieved;
  };
  Forward forward(const Dataset& data, const Batch& batch, int64_t k, const Mode& mode) const;
  std::shared_ptr<const GsuRetriever> retriever_;
};

}  // namespace seminar::inline SEMINAR_PRECISION
