// A batch as the models see it: its distinct items and queries encoded, its pairs fused.
#pragma once

#include "seminar/data/batch.h"
#include "seminar/model/encoders.h"

namespace seminar::inline SEMINAR_PRECISION {

struct FusedBatch {
  Channels channels;  ///< of the batch's distinct items and queries
  Var targets;        ///< [B, T, d]
  Var history;        ///< [B, L, d]
};

/// Fuses the pairs of a batch from the channels given, x = Σ_m γ_m x^(m).
FusedBatch fuse_batch(const Fusion& fusion, Channels channels, const Batch& batch);
/// Encodes the distinct items and queries of a batch, and fuses its pairs.
FusedBatch fused(const Encoders& encoders, const Fusion& fusion, const Dataset& data, const Batch& batch,
                 const Mode& mode);

}  // namespace seminar::inline SEMINAR_PRECISION
