// The baselines behind one interface: the same encoders, fusion, CTR head and loss as SEMINAR on the same batches. Only
// the interest unit, which reads the history for a target, is each model's own.
// B batch, T targets of one history, L history, K behaviours kept, H heads, d width.
#pragma once

#include "seminar/model/fused.h"
#include "seminar/model/head.h"
#include "seminar/model/losses.h"
#include "seminar/model/model.h"
#include "seminar/model/side.h"

namespace seminar::inline SEMINAR_PRECISION {

/// What an interest unit reads.
struct UnitInput {
  const Dataset& data;
  const Batch& batch;
  const Encoders& encoders;
  const Fusion& fusion;
  const FusedBatch& fused;
  const RunSettings& run;
  bool training_loss;  ///< whether Interest::own_loss is asked for
};

/// What it hands on.
struct Interest {
  Var lifelong;                                       ///< [B, T, d], for the head
  std::optional<Retrieved> retrieved = std::nullopt;  ///< the behaviours it read; nothing if all
  Var own_loss = {};                                  ///< scalar: teaches the selection; undefined where nothing does
  Var item = {};  ///< [B, T, d]: what the head takes for the target; undefined: the fused target
};

/// Everything but the interest unit and the head.
class BaselineModel : public Model {
 public:
  void freeze_text(const Dataset& data) override { encoders.freeze_text(data); }
  /// Cross entropy of the prediction, and search_weight times the unit's own loss.
  Var loss(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode,
           std::vector<LossPart>* parts) const override;
  Tensor score(const Dataset& data, const Batch& batch, const RunSettings& run) const override;
  std::optional<Retrieved> retrieve(const Dataset& data, const Batch& batch, const RunSettings& run) const override;

  void restore(const Psu& psu, bool all) override;

  Encoders encoders;
  Fusion fusion;
  std::optional<Side> side;

 protected:
  BaselineModel(const ModelSettings& s, const Vocabulary& v, Rng rng)
      : Model(s, v),
        encoders(s, v, rng.split("encoders")),
        fusion(s, encoders.item_channels(), rng.split("fusion")),
        side(make_side(s, v, rng.split("side"))) {}

 private:
  virtual Interest interest(const UnitInput& in, const Mode& mode) const = 0;
  /// lifelong [B, T, d], user [B, d], item [B, T, d] -> [B, T]
  virtual Var y_hat(const Var& lifelong, const Var& user, const Var& item, const Mode& mode, bool biased,
                    const Var& side) const = 0;
  Var logits(const Interest& found, const UnitInput& in, const Mode& mode) const;
};

/// The model of one interest unit: a struct with `kind`, a constructor from (settings, data, rng), visit() and
/// Interest operator()(const UnitInput&, const Mode&) const.
template <class Unit, class CtrHead = Head>
class Baseline : public BaselineModel {
 public:
  Baseline(const ModelSettings& s, const Vocabulary& v, const Dataset& data, Rng rng)
      : BaselineModel(s, v, rng),
        unit(s, data, rng.split("unit")),
        head(s, rng.split("head"), {.side = side ? side->vectors() : 0}) {}
  const char* kind() const override { return Unit::kind; }
  Params params() const override { return parameters(*this); }
  Params frozen() const override { return buffers(*this); }
  void visit(auto&& f) const {
    f("encoders", encoders);
    f("fusion", fusion);
    f("unit", unit);
    f("side", side);
    f("head", head);
  }

  Unit unit;
  CtrHead head;

 private:
  Interest interest(const UnitInput& in, const Mode& mode) const override { return unit(in, mode.split("unit")); }
  Var y_hat(const Var& lifelong, const Var& user, const Var& item, const Mode& mode, bool biased,
            const Var& side_vectors) const override {
    return head.y_hat(lifelong, user, item, mode, biased, side_vectors);
  }
};

/// The real behaviours of row b of a batch stand in the first places of its history: how many they are.
int32_t history_length(const Batch& batch, int64_t b);
/// The most recent k behaviours of each history, the last first: rows [B].
Retrieved recent_behaviours(const Batch& batch, int64_t k);
/// The kept rows of history [B, L, d]: [rows, K, d].
Var kept_behaviours(const Var& history, const Retrieved& retrieved);

}  // namespace seminar::inline SEMINAR_PRECISION
