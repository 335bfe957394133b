// Claims as contrasts of metrics, and the rule that turns an interval into a verdict.
#pragma once

#include <string>
#include <vector>

#include "seminar/evaluation/bootstrap.h"
#include "seminar/studies/experiment.h"

namespace seminar::inline SEMINAR_PRECISION {

/// The rule: reproduced if the contrast is above zero and its p, corrected by Holm for the number of claims that are
/// tested together, is at most 0.05; reversed if it is below zero at the same p; not reproduced otherwise; not testable
/// if what the claim needs is not there.
enum class Verdict { reproduced, not_reproduced, reversed, not_testable };
const char* name_of(Verdict verdict);
Verdict verdict(double contrast, double p_holm);

/// The metric of an experiment on a data set, times a weight.
struct Term {
  std::string set, experiment;
  double weight;
};

/// A claim: the sum of its terms is above `threshold`. Without terms it cannot be tested, and `text` says why.
struct Claim {
  std::string text;
  std::vector<Term> terms = {};
  std::string metric = "ndcg@10";  ///< of user_metrics(), or "measured"
  double threshold = 0;
};

/// A contrast with its 95 % interval and the two-sided p of "it is zero", both by the bootstrap.
struct Contrast : Interval {
  double p = 1;
};

struct Finding {
  Claim claim;
  Contrast contrast;  ///< of the sum less the threshold
  double p_holm = 1;  ///< corrected for the claims that are tested together
  int64_t seeds = 0;  ///< with one seed the interval is of other users, not of other trainings
  Verdict verdict = Verdict::not_testable;
};

/// One value for each user that a seed's run evaluated; NaN for a user without a value.
struct UserValues {
  std::vector<int32_t> users;  ///< ascending
  std::vector<double> values;
};
/// Values of one group of users by seed. Seeds may have evaluated other users.
using SeedValues = std::vector<UserValues>;

inline constexpr int64_t claim_resamples = 10000;  ///< so many that Holm's correction of some dozens of p leaves room
/// The sum over groups of the means of their values, less `threshold`. Every one of `count` resamples draws seeds, and
/// users of a group, both with replacement: a user that is drawn brings its values of all seeds that are drawn. With
/// one seed only users vary. Throws Error if a group has no value.
Contrast seed_bootstrap(const std::vector<SeedValues>& groups, uint64_t seed, double threshold = 0,
                        int64_t count = resamples);

/// A value per evaluated user of an outcome: a metric of user_metrics(), or "measured".
UserValues user_values(const Outcome& outcome, const std::string& metric);

/// The outcomes of jobs, all seeds of one experiment on one set: throws Error if there is none.
SeedValues values_of(std::span<const Job> jobs, std::span<const Outcome> outcomes, const std::string& set,
                     const std::string& experiment, const std::string& metric);

/// Tests the claims of a study together; terms on the same set are paired user by user, seed by seed. Throws Error if
/// two terms on one set were evaluated for other seeds or users.
std::vector<Finding> test_claims(std::span<const Claim> claims, std::span<const Job> jobs,
                                 std::span<const Outcome> outcomes, uint64_t seed);

}  // namespace seminar::inline SEMINAR_PRECISION
