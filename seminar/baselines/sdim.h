// Baseline: Sampling-based Deep Interest Modeling (Cao et al., CIKM 2022). m hashes in G = m / τ groups; behaviours
// that agree with the target in all τ bits of a group are summed, the sum brought to length 1, and the groups averaged.
// In expectation a behaviour at angle θ to the target weighs (1 - θ / π)^τ. No top K and no second stage.
#pragma once

#include "seminar/baselines/baseline.h"

namespace seminar::inline SEMINAR_PRECISION {

struct Sdim {
  static constexpr const char* kind = "sdim";
  int64_t width;  ///< τ
  Buffer planes;  ///< [m, d]
  Sdim(const ModelSettings& s, const Dataset&, const Rng& rng);
  Interest operator()(const UnitInput& in, const Mode& mode) const;
  int64_t groups() const { return planes.shape()[0] / width; }
  /// The bucket of each row of x [n, d] in each group, among all groups' buckets: group · 2^τ + its τ bits. [n * G]
  std::vector<int32_t> buckets(const Tensor& x) const;
  void visit(auto&& f) const { f("planes", planes); }
};

}  // namespace seminar::inline SEMINAR_PRECISION
