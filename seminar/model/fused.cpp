#include "seminar/model/fused.h"

namespace seminar::inline SEMINAR_PRECISION {

FusedBatch fuse_batch(const Fusion& fusion, Channels channels, const Batch& batch) {
  FusedBatch fused;
  const int64_t d = channels.query.size(1);
  fused.targets = reshape(fusion(channels, batch.targets), {batch.size(), batch.candidates(), d});
  fused.history = reshape(fusion(channels, batch.history), {batch.size(), batch.length(), d});
  fused.channels = std::move(channels);
  return fused;
}

FusedBatch fused(const Encoders& encoders, const Fusion& fusion, const Dataset& data, const Batch& batch,
                 const Mode& mode) {
  return fuse_batch(fusion, encoders(data, batch.items, batch.queries, mode), batch);
}

}  // namespace seminar::inline SEMINAR_PRECISION
