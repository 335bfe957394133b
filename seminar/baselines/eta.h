// Baseline: End-to-end Target Attention (Chen et al., 2021 and 2022). SimHash of the current embeddings (signs of a
// fixed Gaussian projection, no bias), the K behaviours of smallest Hamming distance, multi-head target attention over
// them. The hash moves with the embeddings and passes no gradient.
#pragma once

#include "pq/simhash.h"
#include "seminar/baselines/baseline.h"
#include "seminar/model/esu.h"

namespace seminar::inline SEMINAR_PRECISION {

struct Eta {
  static constexpr const char* kind = "eta";
  Buffer planes;  ///< [bits, d]
  Esu esu;
  Eta(const ModelSettings& s, const Dataset&, const Rng& rng);
  Interest operator()(const UnitInput& in, const Mode& mode) const;
  void visit(auto&& f) const {
    f("planes", planes);
    f("esu", esu);
  }
};

}  // namespace seminar::inline SEMINAR_PRECISION
