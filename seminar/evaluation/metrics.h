// Ranking metrics of one positive among negatives, from where each user's positive stands. Ties are neither luck nor
// loss unless asked for: a positive that ties with e negatives takes each of the e + 1 places with equal chance, and
// the metrics are expectations over that.
#pragma once

#include <map>
#include <string>

#include "seminar/evaluation/click_metrics.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Where a positive that ties stands: on average over all orders of its equals, before them, or after them.
enum class Ties { expected, optimistic, pessimistic };
const char* name_of(Ties ties);
/// Throws Error for another name.
Ties ties_named(const std::string& name);

/// Where a user's positive stands among its negatives: how many are better, how many equal, how many there are.
struct RankCount {
  int64_t above = 0, ties = 0, negatives = 0;
  bool operator==(const RankCount&) const = default;
};
/// The count without ties if they are decided by rule; the same if they are not.
RankCount settle(const RankCount& rank, Ties ties);
/// Of scores [users, candidates] with the positive in column 0; throws Error for NaN.
std::vector<RankCount> rank_counts(std::span<const real> scores, int64_t candidates);

/// NDCG@k of one user: 1 / log2(rank + 1), ranks from 1, 0 beyond k.
double ndcg(const RankCount& rank, int64_t k);
/// HR@k: 1 up to rank k, 0 beyond.
double hit(const RankCount& rank, int64_t k);
/// 1 / rank, not cut.
double reciprocal_rank(const RankCount& rank);
/// Share of the negatives below the positive; ties count half. Needs a negative.
double user_auc(const RankCount& rank);

/// Where the positive of each evaluated user stands, and how it was found out: what models are compared by.
struct UserRanks {
  std::map<std::string, std::string> protocol;  ///< what must be equal for two rankings to be comparable
  std::vector<int32_t> users;                   ///< ascending
  std::vector<RankCount> ranks;                 ///< of these users; each has a negative
  std::optional<double> auc;                    ///< of all candidates of all users together, if they were sampled
  std::optional<Calibration> calibration;       ///< of all candidates, if they were sampled and scores are logits
};

struct RankingMetrics {
  double hr1 = 0, hr5 = 0, hr10 = 0, hr50 = 0;
  double ndcg1 = 0, ndcg5 = 0, ndcg10 = 0, ndcg50 = 0;
  double mrr = 0;
  double user_auc = 0;  ///< mean of the users' AUC
  double auc = 0;       ///< of all candidates of all users together, ties half; user_auc if those are not known
  double tie_rate = 0;  ///< share of users whose positive ties with a negative
  int64_t users = 0, candidates = 0;
  Ties ties = Ties::expected;
  std::optional<Calibration> calibration;
};
/// Means over the users; throws Error if there are none.
RankingMetrics ranking_metrics(std::span<const RankCount> ranks, Ties ties = Ties::expected);
/// The same with what is known of all candidates together.
RankingMetrics ranking_metrics(const UserRanks& ranks, Ties ties = Ties::expected);

/// A metric that is a mean over users.
struct Metric {
  const char* name;                  ///< "ndcg@10"
  double RankingMetrics::*mean;      ///< over all users
  double (*gain)(const RankCount&);  ///< of one user
};
/// ndcg@ and hr@ 1, 5, 10, 50, mrr, user_auc.
std::span<const Metric> user_metrics();
/// Throws Error for a name that is none of theirs.
const Metric& metric_named(const std::string& name);
/// A metric's value for each user, in order.
std::vector<double> gains(const Metric& metric, std::span<const RankCount> ranks, Ties ties = Ties::expected);

/// With one positive a list, metrics bind each other: NDCG@1 = HR@1, NDCG@k <= HR@k, and the positives between two
/// ranks bound what NDCG and MRR gain there. Throws Bug with the two numbers for a result that nobody can have
/// measured. `tolerance` is that of rounding: 2e-4 for four printed digits.
void check_identities(const RankingMetrics& metrics, double tolerance = 1e-9);

}  // namespace seminar::inline SEMINAR_PRECISION
