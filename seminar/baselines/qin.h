// Baseline: Query-dominant user Interest Network (Guo et al., CIKM 2023). The target query keeps K1 behaviours, the
// target item K of those; attention asks what is left with the item and with the query, and a linear map fuses the two.
// Without a target query the first stage asks with the item, and the query's attention hands on zeros.
#pragma once

#include "seminar/baselines/soft_search.h"
#include "seminar/model/esu.h"

namespace seminar::inline SEMINAR_PRECISION {

struct Qin {
  static constexpr const char* kind = "qin";
  SoftSearch by_query, by_item;  ///< the relevance units of the two stages
  Esu query_attention, item_attention;
  Linear fuse;  ///< 2 d -> d
  Qin(const ModelSettings& s, const Dataset&, const Rng& rng);
  Interest operator()(const UnitInput& in, const Mode& mode) const;
  void visit(auto&& f) const {
    f("by_query", by_query);
    f("by_item", by_item);
    f("query_attention", query_attention);
    f("item_attention", item_attention);
    f("fuse", fuse);
  }
};

/// K of the K1 best by `first` [B, T, L], chosen by `second` [B, T, L]; only where mask [B, L] (or [B, T, L]) is not 0.
Retrieved two_stages(const Tensor& first, const Tensor& second, const Tensor& mask, int64_t k1, int64_t k);

}  // namespace seminar::inline SEMINAR_PRECISION
