// What the trainer and the evaluation know of a model.
#pragma once

#include <memory>
#include <string>

#include "seminar/data/batch.h"
#include "seminar/model/encoders.h"
#include "seminar/model/retrieved.h"

namespace seminar::inline SEMINAR_PRECISION {

class Psu;

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
  /// Whether negatives are pairs with queries of their own by default, as the next pair's are.
  virtual bool learns_pairs() const { return false; }
  /// Takes over what pretraining learned: the encoders of queries and items (§3.3.2: "embeddings restored"), or with
  /// `all` every module that both have. Throws Error if their shapes differ or this model has nothing to take over.
  virtual void restore(const Psu& psu, bool all);
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

}  // namespace seminar::inline SEMINAR_PRECISION
