// What the trainer and the evaluation know of a model.
#pragma once

#include <memory>
#include <string>

#include "seminar/data/batch.h"
#include "seminar/model/encoders.h"
#include "seminar/model/retrieved.h"

namespace seminar::inline SEMINAR_PRECISION {

/// A named part of a loss, for the log.
struct LossPart {
  std::string name;
  double value;
};

class Model {
 public:
  virtual ~Model() = default;
  /// The kind stored in model files, one of model_kinds().
  virtual const char* kind() const = 0;
  virtual Params params() const = 0;
  /// Tensors that belong to the model and its file but are not trained.
  virtual Params frozen() const { return {}; }
  /// The training loss of a batch, a scalar; its parts go to `parts` if that is not null.
  virtual Var loss(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode,
                   std::vector<LossPart>* parts) const = 0;
  /// Scores [B, T] of a batch's candidates, higher is better. Records no graph.
  virtual Tensor score(const Dataset& data, const Batch& batch, const RunSettings& run) const = 0;
  /// The behaviours that the model reads for the batch's candidates; nothing if it reads all.
  virtual std::optional<Retrieved> retrieve(const Dataset&, const Batch&, const RunSettings&) const { return {}; }
  /// Encodes all texts once and keeps their encoder as it is (Encoders::freeze_text).
  virtual void freeze_text(const Dataset& data) = 0;
  const ModelSettings& settings() const { return settings_; }
  /// What cuts words into tokens; null if words are tokens.
  const std::shared_ptr<const Tokenizer>& tokenizer() const { return tokenizer_; }

 protected:
  Model(const ModelSettings& settings, const Vocabulary& vocabulary)
      : settings_(settings), tokenizer_(vocabulary.tokenizer) {}
  ModelSettings settings_;

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
};

/// A batch as the models see it: channels of its distinct items and queries, fused targets and histories.
struct FusedBatch {
  Channels channels;
  Var targets;  ///< [B, T, d]
  Var history;  ///< [B, L, d]
};
/// Fuses the batch's pairs from the given channels.
FusedBatch fuse_batch(const Fusion& fusion, Channels channels, const Batch& batch);

/// Embeddings of a behaviour's age: how many behaviours ago, by powers of √2. Added to the keys of an attention.
struct AgeEmbedding {
  std::optional<Param> table;  ///< [ages, d]; absent if the model has no position information
  AgeEmbedding(const ModelSettings& settings);
  /// Adds the vectors of ages (≥ 1) to keys [..., d]; ages in the keys' order.
  Var operator()(const Var& keys, const std::vector<int32_t>& ages) const;
  void visit(auto&& f) const { f("table", table); }
};
/// Which of `count` age embeddings belongs to each age (≥ 1): by powers of √2, the last for all beyond.
Ids age_buckets(const std::vector<int32_t>& ages, const Shape& shape, int64_t count);
/// Ages of the behaviours of a batch [B * L]: 1 for the one just before the target; 1 for padding too.
std::vector<int32_t> behaviour_ages(const Batch& batch);

/// Labels [B, T] of a batch: 1 for the first candidate.
Tensor candidate_labels(const Batch& batch);
/// Cross entropy of the softmax of logits [B, T] against the first candidate; rows whose `weight` [B, T] (undefined:
/// none) is zero take no part.
Var softmax_loss(const Var& logits, const Tensor& weight = {});
/// Cross entropy of logits [B, T] against the first candidate: of each candidate for itself, or of their softmax, as
/// `run` says; over the rows that `weight` [B, T] (undefined: all) does not leave out with zeros.
Var ctr_loss(const Var& logits, const Batch& batch, const RunSettings& run, const Tensor& weight = {});

}  // namespace seminar::inline SEMINAR_PRECISION
