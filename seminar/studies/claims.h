// Claims as contrasts of metrics, and the rule that turns an interval into a verdict.
#pragma once

#include <string>
#include <vector>

#include "seminar/evaluation/bootstrap.h"
#include "seminar/studies/experiment.h"

namespace seminar::inline SEMINAR_PRECISION {

/// The rule: reproduced if the whole 95 % interval of the contrast is above zero, reversed if it is all below,
/// not reproduced if it holds zero; not testable if what the claim needs is not there.
enum class Verdict { reproduced, not_reproduced, reversed, not_testable };
const char* name_of(Verdict verdict);
Verdict verdict(const Interval& contrast);

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

struct Finding {
  Claim claim;
  Interval contrast;  ///< of the sum less the threshold
  Verdict verdict = Verdict::not_testable;
};

/// Values of one group of users: [seed][user].
using SeedValues = std::vector<std::vector<double>>;
/// The sum over groups of their means and its 95 % percentile interval: 1,000 resamples draw seeds, and users within a
/// group, with replacement; users with a NaN in any seed take no part. With one seed only users vary.
Interval seed_bootstrap(const std::vector<SeedValues>& groups, uint64_t seed);

/// One value per evaluated user of an outcome: a metric of user_metrics(), or "measured".
std::vector<double> user_values(const Outcome& outcome, const std::string& metric);

/// The outcomes of jobs, all seeds of one experiment on one set: throws Error if there is none.
SeedValues values_of(std::span<const Job> jobs, std::span<const Outcome> outcomes, const std::string& set,
                     const std::string& experiment, const std::string& metric);

/// Tests a claim; terms on the same set are paired user by user.
Finding test_claim(const Claim& claim, std::span<const Job> jobs, std::span<const Outcome> outcomes, uint64_t seed);

}  // namespace seminar::inline SEMINAR_PRECISION
