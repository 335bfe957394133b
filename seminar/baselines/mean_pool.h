// Baseline: the mean of the most recent K behaviours instead of any attention. Same encoders, fusion, head and loss.
#pragma once

#include "seminar/head.h"
#include "seminar/model.h"

namespace seminar::inline SEMINAR_PRECISION {

class MeanPool : public Model {
 public:
  MeanPool(const ModelSettings& settings, const Vocabulary& vocabulary, Rng rng);
  const char* kind() const override { return "mean_pool"; }
  Params params() const override { return parameters(*this); }
  void freeze_text(const Dataset& data) override { encoders.freeze_text(data); }
  Var loss(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode,
           std::vector<LossPart>* parts) const override;
  Tensor score(const Dataset& data, const Batch& batch, const RunSettings& run) const override;
  void visit(auto&& f) const {
    f("encoders", encoders);
    f("fusion", fusion);
    f("head", head);
  }

  Encoders encoders;
  Fusion fusion;
  Head head;

 private:
  Var logits(const Dataset& data, const Batch& batch, int64_t k, const Mode& mode) const;
};

}  // namespace seminar::inline SEMINAR_PRECISION
