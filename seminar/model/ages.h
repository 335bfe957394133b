// How long ago a behaviour was, counted in behaviours: the models' only position information.
#pragma once

#include <optional>

#include "nn/layers.h"
#include "seminar/data/batch.h"
#include "seminar/settings.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Embeddings of a behaviour's age: how many behaviours ago, by powers of √2. Added to what an attention reads: its
/// keys and its values.
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

}  // namespace seminar::inline SEMINAR_PRECISION
