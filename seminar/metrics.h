// Ranking metrics of one positive among sampled negatives. Ties are neither luck nor loss: a positive that ties with e
// negatives takes each of the e + 1 places with equal chance, and the metrics are expectations over that.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/real.h"

namespace seminar::inline SEMINAR_PRECISION {

struct RankingMetrics {
  double hr1 = 0, hr5 = 0, hr10 = 0, hr50 = 0;
  double ndcg1 = 0, ndcg5 = 0, ndcg10 = 0, ndcg50 = 0;
  double mrr = 0;
  double auc = 0;       ///< of all candidates of all users together; in full ranking the mean over users
  double tie_rate = 0;  ///< share of users whose positive ties with a negative
  int64_t users = 0, candidates = 0;
};

/// Expected NDCG@k of a positive with `above` better and `ties` equal negatives: gain 1 / log2(rank + 1).
double expected_ndcg(int64_t above, int64_t ties, int64_t k);
/// Expected HR@k, as above.
double expected_hit(int64_t above, int64_t ties, int64_t k);
/// Expected 1 / rank.
double expected_reciprocal_rank(int64_t above, int64_t ties);
/// Metrics of what was shown and clicked or not.
struct ExposureMetrics {
  double auc = 0, gauc = 0;  ///< of all together; mean over users with both labels, weighted by what they were shown
  int64_t shown = 0, clicked = 0, users = 0;  ///< users that count for gauc
};
/// Throws Error for NaN or if all labels are equal. `user` holds a number per score; equal numbers stand together.
ExposureMetrics exposure_metrics(std::span<const real> scores, std::span<const uint8_t> clicked,
                                 std::span<const int32_t> user);

/// Area under the ROC curve; ties count half. Throws Error for NaN or if all labels are equal.
double auc(std::span<const real> scores, std::span<const uint8_t> labels);
/// Where a user's positive stands among its negatives.
struct RankCount {
  int64_t above = 0, ties = 0, negatives = 0;
};
/// Metrics of the users' places; auc is the mean over users. Throws Error if there are none.
RankingMetrics ranking_metrics(std::span<const RankCount> users);
/// Metrics of scores [users, candidates] with the positive in column 0; throws Error for NaN.
RankingMetrics ranking_metrics(std::span<const real> scores, int64_t candidates);

}  // namespace seminar::inline SEMINAR_PRECISION
