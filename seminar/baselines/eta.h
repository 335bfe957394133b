// Baseline: Efficient Target Attention (Chen et al., 2021 and 2022). SimHash of the current embeddings (signs of a
// fixed Gaussian projection, no bias), the K behaviours of smallest Hamming distance, multi-head target attention over
// them. The hash moves with the embeddings and passes no gradient.
#pragma once

#include "seminar/baselines/baseline.h"
#include "seminar/esu.h"
#include "seminar/retrieval/simhash.h"

namespace seminar::inline SEMINAR_PRECISION {

struct Eta {
  static constexpr const char* kind = "eta";
  Frozen planes;  ///< [bits, d]
  Esu esu;
  Eta(const ModelSettings& s, const Dataset&, const Rng& rng);
  Interest operator()(const UnitInput& in, const Mode& mode) const;
  void visit(auto&& f) const {
    f("planes", planes);
    f("esu", esu);
  }
};

/// Normal numbers for the planes of a hash: [bits, d].
Tensor hash_planes(int64_t bits, int64_t d, Rng rng);
/// Of the behaviours `order` of the history whose codes begin at row `first`, those nearest to `own`, nearest first;
/// among equals the one that stands first in `order`. A sort by counting: distances are small whole numbers.
std::vector<int32_t> nearest_codes(std::span<const uint64_t> own, const SignCodes& codes, int64_t first,
                                   const std::vector<int32_t>& order);

}  // namespace seminar::inline SEMINAR_PRECISION
