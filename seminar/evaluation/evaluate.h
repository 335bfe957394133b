// Leave-one-out evaluation: where every user's held-out action stands among sampled negatives or all items.
#pragma once

#include "seminar/distributed/communicator.h"
#include "seminar/evaluation/bootstrap.h"
#include "seminar/evaluation/metrics.h"
#include "seminar/evaluation/scorer.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Users scored together: enough to share the encoding of distinct items, few enough to stay small in memory.
inline constexpr int64_t users_at_once = 64;
/// The same in full ranking, and items scored together for each.
inline constexpr int64_t full_users = 4, full_items = 512;

struct EvaluationOptions {
  Split split = Split::test;
  bool show_query = false;  ///< all candidates share the target's query (search) instead of none (recommendation)
  int64_t users = 0;        ///< rank at most this many users, drawn from run.eval_seed (0: all)
  std::function<void(int64_t done, int64_t total)> progress = nullptr;  ///< told after every few users
  Communicator* world = &alone();  ///< ranks that share the users; all get the result, which is that of one
};

/// The held-out targets and 1 + run.eval_negatives candidates of each, row by row, the true one first. Validation and
/// test negatives are drawn apart, both from run.eval_seed; every model sees the same ones. Test negatives that the
/// data set brings itself are taken if they are run.eval_negatives for every user.
Candidates sampled_candidates(const Dataset& data, const RunSettings& run, const EvaluationOptions& options,
                              std::span<const Target> targets);

/// Ranks the held-out action of each user among sampled_candidates(), or with run.eval_negatives = 0 among all items
/// except those the user had before it. A user who had all others is left out. Throws Error if nobody has a held-out
/// action with a history before it, and for a NaN score.
UserRanks rank_users(const Scorer& scorer, const Dataset& data, const RunSettings& run,
                     const EvaluationOptions& options);
UserRanks rank_users(const Model& model, const Dataset& data, const RunSettings& run, const EvaluationOptions& options);

/// Metrics of rank_users, ties by expectation.
RankingMetrics evaluate(const Model& model, const Dataset& data, const RunSettings& run,
                        const EvaluationOptions& options);

/// Metrics on what users were shown at or after their test action. One cut-off for all exposures of a user: each is
/// scored with the history before the test action, so that neither its label nor its time tells what is in the history.
/// Throws Error if the data set has no exposures, or all were clicked or none.
ExposureMetrics evaluate_exposures(const Scorer& scorer, const Dataset& data, Communicator& world = alone());

/// 95 % intervals over users of user_metrics(), in their order.
std::vector<Interval> metric_intervals(std::span<const RankCount> ranks, Ties ties, uint64_t seed);

/// A result as a JSON object: model, protocol, users, candidates, ties, metrics, intervals, calibration. Throws Bug if
/// the metrics contradict each other (check_identities).
std::string metrics_json(const std::string& model, const std::map<std::string, std::string>& protocol,
                         const RankingMetrics& metrics, std::span<const Interval> intervals);
std::string metrics_json(const std::string& model, const ExposureMetrics& metrics, const Interval& gauc_users);

}  // namespace seminar::inline SEMINAR_PRECISION
