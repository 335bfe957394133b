// Baseline: Search-based Interest Model (Pi et al., CIKM 2020). A first stage searches K behaviours of the whole
// history, by learned relevance (soft) or by the target's category (hard); multi-head target attention with time
// embeddings reads them.
#pragma once

#include "seminar/baselines/soft_search.h"
#include "seminar/data/categories.h"
#include "seminar/model/esu.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Soft search: the K behaviours of highest r_l.
struct Sim {
  static constexpr const char* kind = "sim";
  SoftSearch search;
  Esu esu;
  Sim(const ModelSettings& s, const Dataset&, const Rng& rng)
      : search(s, rng.split("search")), esu(s, rng.split("esu")) {}
  Interest operator()(const UnitInput& in, const Mode& mode) const;
  void visit(auto&& f) const {
    f("search", search);
    f("esu", esu);
  }
};

/// Hard search: the most recent K behaviours of the target's category; none for a target without category, whose
/// interest is then zeros.
struct SimHard {
  static constexpr const char* kind = "sim_hard";
  std::vector<int32_t> categories;  ///< of every item
  Esu esu;
  SimHard(const ModelSettings& s, const Dataset& data, const Rng& rng);
  Interest operator()(const UnitInput& in, const Mode& mode) const;
  void visit(auto&& f) const { f("esu", esu); }
};

}  // namespace seminar::inline SEMINAR_PRECISION
