#include "seminar/baselines/mean_pool.h"

namespace seminar::inline SEMINAR_PRECISION {

Interest MeanPool::operator()(const UnitInput& in, const Mode&) const {
  const Retrieved recent = recent_behaviours(in.batch, in.run.k);
  const Var mean = masked_mean(in.fused.history, recent.keep(in.batch.length()));
  return {repeat_targets(mean, in.batch.candidates()), recent};
}

}  // namespace seminar::inline SEMINAR_PRECISION
