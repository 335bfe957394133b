// Leave-one-out evaluation: every user's held-out action among sampled negatives.
#pragma once

#include "seminar/metrics.h"
#include "seminar/model.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Users scored together: enough to share the encoding of distinct items, few enough to stay small in memory.
inline constexpr int64_t users_at_once = 64;
/// The same in full ranking, and items scored together for each.
inline constexpr int64_t full_users = 4, full_items = 512;

struct EvaluationOptions {
  Split split = Split::test;
  bool show_query = false;  ///< all candidates share the target's query (search) instead of none (recommendation)
};

/// Metrics of a model on the held-out targets. Validation and test negatives are drawn apart, both from run.seed; every
/// model sees the same ones. Test negatives that the data set brings itself are taken if they are run.eval_negatives
/// for every user. With run.eval_negatives = 0 the candidates are all items except those the user had before. Throws
/// Error if nobody has a held-out action.
RankingMetrics evaluate(const Model& model, const Dataset& data, const RunSettings& run,
                        const EvaluationOptions& options);

/// The same candidates ranked by how often users had them. Of each user the last `leave_out` actions do not count; by
/// default those from the evaluated one on. 0 counts the very actions to be predicted, as some published figures do.
RankingMetrics evaluate_popularity(const Dataset& data, const RunSettings& run, const EvaluationOptions& options,
                                   std::optional<int64_t> leave_out = std::nullopt);

/// Metrics of a model on what users were shown at or after their test action, each exposure with the history before it.
/// Throws Error if the data set has no exposures.
ExposureMetrics evaluate_exposures(const Model& model, const Dataset& data, const RunSettings& run);

/// The metrics as a JSON object: {"model":…, "users":…, "candidates":…, "metrics":{…}}.
std::string metrics_json(const std::string& model, const RankingMetrics& metrics);

}  // namespace seminar::inline SEMINAR_PRECISION
