// The paper's tables and figures, and two questions of our own, as lists of experiments and claims.
#pragma once

#include "seminar/studies/claims.h"

namespace seminar::inline SEMINAR_PRECISION {

/// A data set and the settings that all models share on it. run.epochs counts all passes, pretraining included.
struct StudySet {
  std::string name;
  ModelSettings model{};
  RunSettings run{};
  int64_t pretrain_epochs = 0;
  int64_t users = 0;        ///< evaluated users (0: all)
  bool has_queries = true;  ///< some behaviours are searches
};

struct StudyPlan {
  std::string title, x_label;  ///< a table has no x
  std::vector<Experiment> experiments;
  std::vector<Claim> claims;
};

/// Names: table2, table3, figure3, figure4, corrections, lengths.
std::vector<std::string> paper_studies();
/// The plan of a study on one set. `compute_matched`: SEMINAR's pretraining passes are taken from its fine-tuning, so
/// that all models make run.epochs passes; otherwise they come on top, as in the authors' code. Throws Error for an
/// unknown name.
StudyPlan plan_study(const std::string& study, const StudySet& set, bool compute_matched);
/// What the study claims on data that nobody here has.
std::vector<Claim> untestable_claims(const std::string& study);

/// Settings for the sets by name ("movielens", "lastfm", "beauty", "generated"; those of presets();
/// others get movielens'), full or quick.
StudySet study_set(const std::string& name, bool quick);

}  // namespace seminar::inline SEMINAR_PRECISION
