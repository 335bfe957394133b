// What was planted in generated data must be found, and nothing where it was not: the paper's claims tested where the
// truth is known.
#pragma once

#include "seminar/data/synthetic.h"
#include "seminar/studies/claims.h"

namespace seminar::inline SEMINAR_PRECISION {

/// A generated data set.
struct PlantedSet {
  std::string name;
  SyntheticSettings data;
};

/// An effect, planted or switched off, with the experiments that look for it.
struct PlantedEffect {
  std::string name;  ///< "old-items", "queries", "lambda", "norms"
  bool planted;
  std::vector<PlantedSet> sets;
  std::vector<Experiment> experiments;  ///< run on every set
  Claim claim;                          ///< found if it is reproduced
};

/// Names of the effects.
std::vector<std::string> planted_effects();
/// The effect with and without being planted:
///   old-items  items that occur in old behaviours only, and whose id is all there is to know, are scored better by the
///              GSU after pretraining on all actions, in comparison with the other items. Off: they do not vanish.
///   queries    behaviours' queries tell what was meant, and a model that reads them ranks better in search. Off:
///              queries are about any topic.
///   lambda     with more searches the best λ is larger. Off: as many searches in both sets.
///   norms      one channel of noise with a large norm makes up more than half of the variance of the GSU's scores
///              unless channels are unit vectors. Off: equal norms, no more noise than in the others.
/// Throws Error for an unknown name.
std::vector<PlantedEffect> planted_effect(const std::string& name, bool quick);

}  // namespace seminar::inline SEMINAR_PRECISION
