// Baseline: Self-Attentive Sequential Recommendation (Kang and McAuley, ICDM 2018). A causal Transformer reads the last
// behaviours once, whatever the target; an item's score is its product with the last state. No CTR head.
#pragma once

#include "nn/transformer.h"
#include "seminar/model/ages.h"
#include "seminar/model/model.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Inputs are the fused pairs, as for all models; scored items are items alone, since a query that all candidates share
/// would add the same to all their scores.
class SasRec : public Model {
 public:
  SasRec(const ModelSettings& s, const Vocabulary& v, Rng rng);
  const char* kind() const override { return "sasrec"; }
  Params params() const override { return parameters(*this); }
  void restore(const Psu& psu, bool all) override;
  void freeze_text(const Dataset& data) override { encoders.freeze_text(data); }
  /// Binary cross entropy at every position: the item that came next against run.position_negatives others, drawn from
  /// the negatives of the whole batch (uniform items, encoded already) that this user did not have by then.
  Var loss(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode,
           std::vector<LossPart>* parts) const override;
  Tensor score(const Dataset& data, const Batch& batch, const RunSettings& run) const override;
  void visit(auto&& f) const {
    f("encoders", encoders);
    f("fusion", fusion);
    f("positions", positions);
    f("blocks", blocks);
    f("norm", norm);
  }

  Encoders encoders;
  Fusion fusion;
  Param positions;  ///< [P, d], the latest behaviour's first; older ones than P are not read
  std::vector<TransformerBlock> blocks;
  LayerNorm norm;

 private:
  /// Where the batch has behaviours that are read: [B, L].
  Tensor read(const Batch& batch) const;
  /// States [B, L, d] after each behaviour that is read.
  Var states(const Channels& channels, const Batch& batch, const Tensor& mask, const Mode& mode) const;
};

/// For each behaviour that mask [B, L] keeps, the item that came next and `count` negatives of it, which the user did
/// not have up to and with that next item, as numbers among batch.items: [N, 1 + count].
Ids next_items(const Dataset& data, const Batch& batch, const Tensor& mask, int64_t count, const Rng& rng);

}  // namespace seminar::inline SEMINAR_PRECISION
