// Baseline: the mean of the most recent K behaviours, whatever the target.
#pragma once

#include "seminar/baselines/baseline.h"

namespace seminar::inline SEMINAR_PRECISION {

struct MeanPool {
  static constexpr const char* kind = "mean_pool";
  MeanPool(const ModelSettings&, const Dataset&, const Rng&) {}
  Interest operator()(const UnitInput& in, const Mode& mode) const;
  void visit(auto&&) const {}
};

}  // namespace seminar::inline SEMINAR_PRECISION
