#include "seminar/evaluation/metrics.h"

#include <algorithm>
#include <cmath>

#include "seminar/settings.h"
#include "tensor/error.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

const std::vector<std::string> tie_names{"expected", "optimistic", "pessimistic"};

// Mean of gain(rank) over the places that the tie leaves open; ranks from 1.
template <class Gain>
double mean_over_ties(const RankCount& r, int64_t k, Gain gain) {
  double total = 0;
  for (int64_t rank = r.above + 1; rank <= std::min(r.above + r.ties + 1, k); ++rank)
    total += gain(static_cast<double>(rank));
  return total / static_cast<double>(r.ties + 1);
}

// Ranks whose 1 / rank is summed one by one; a tie may hold a whole catalogue.
constexpr int64_t summed_ranks = 1000;
// 1 + 1/2 + ... + 1/n without Euler's constant; the error is below 1e-14 from n = summed_ranks on.
double harmonic(double n) { return std::log(n) + 1 / (2 * n) - 1 / (12 * n * n); }

template <int64_t k>
double hit_at(const RankCount& rank) {
  return hit(rank, k);
}
template <int64_t k>
double ndcg_at(const RankCount& rank) {
  return ndcg(rank, k);
}

constexpr Metric all_metrics[] = {
    {"ndcg@1", &RankingMetrics::ndcg1, ndcg_at<1>},    {"ndcg@5", &RankingMetrics::ndcg5, ndcg_at<5>},
    {"ndcg@10", &RankingMetrics::ndcg10, ndcg_at<10>}, {"ndcg@50", &RankingMetrics::ndcg50, ndcg_at<50>},
    {"hr@1", &RankingMetrics::hr1, hit_at<1>},         {"hr@5", &RankingMetrics::hr5, hit_at<5>},
    {"hr@10", &RankingMetrics::hr10, hit_at<10>},      {"hr@50", &RankingMetrics::hr50, hit_at<50>},
    {"mrr", &RankingMetrics::mrr, reciprocal_rank},    {"user_auc", &RankingMetrics::user_auc, user_auc}};

}  // namespace

const char* name_of(Ties ties) { return tie_names[static_cast<std::size_t>(ties)].c_str(); }

Ties ties_named(const std::string& name) {
  check_choice({"ties", "", 0, 0, tie_names}, name);
  return static_cast<Ties>(std::find(tie_names.begin(), tie_names.end(), name) - tie_names.begin());
}

RankCount settle(const RankCount& r, Ties ties) {
  if (ties == Ties::expected) return r;
  return {ties == Ties::pessimistic ? r.above + r.ties : r.above, 0, r.negatives};
}

std::vector<RankCount> rank_counts(std::span<const real> scores, int64_t candidates) {
  check(candidates >= 2 && !scores.empty() && std::ssize(scores) % candidates == 0,
        "metrics: {} scores for {} candidates a user", scores.size(), candidates);
  std::vector<RankCount> ranks(scores.size() / static_cast<std::size_t>(candidates));
  for (std::size_t user = 0; user < ranks.size(); ++user) {
    const real* row = scores.data() + static_cast<int64_t>(user) * candidates;
    ranks[user].negatives = candidates - 1;
    for (int64_t c = 0; c < candidates; ++c) {
      check(!std::isnan(row[c]), "metrics: the score of candidate {} of evaluated user {} is NaN", c, user);
      if (c == 0) continue;
      ranks[user].above += row[c] > row[0];
      ranks[user].ties += row[c] == row[0];
    }
  }
  return ranks;
}

double ndcg(const RankCount& r, int64_t k) {
  return mean_over_ties(r, k, [](double rank) { return 1 / std::log2(rank + 1); });
}

double hit(const RankCount& r, int64_t k) {
  return mean_over_ties(r, k, [](double) { return 1.0; });
}

double reciprocal_rank(const RankCount& r) {
  const double head = mean_over_ties(r, summed_ranks, [](double rank) { return 1 / rank; });
  const int64_t first = std::max(r.above, summed_ranks), last = r.above + r.ties + 1;
  if (last <= first) return head;
  return head +
         (harmonic(static_cast<double>(last)) - harmonic(static_cast<double>(first))) / static_cast<double>(r.ties + 1);
}

double user_auc(const RankCount& r) {
  return 1 - (static_cast<double>(r.above) + static_cast<double>(r.ties) / 2) / static_cast<double>(r.negatives);
}

std::span<const Metric> user_metrics() { return all_metrics; }

const Metric& metric_named(const std::string& name) {
  std::string names;
  for (const Metric& m : all_metrics) {
    if (name == m.name) return m;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", m.name);
  }
  fail("metric: must be one of {}: '{}'", names, name);
}

std::vector<double> gains(const Metric& metric, std::span<const RankCount> ranks, Ties ties) {
  std::vector<double> values;
  for (const RankCount& rank : ranks) values.push_back(metric.gain(settle(rank, ties)));
  return values;
}

RankingMetrics ranking_metrics(std::span<const RankCount> ranks, Ties ties) {
  check(!ranks.empty(), "metrics: no users");
  RankingMetrics m;
  m.users = std::ssize(ranks);
  m.ties = ties;
  for (const RankCount& rank : ranks) {
    m.candidates = std::max(m.candidates, rank.negatives + 1);
    m.tie_rate += rank.ties > 0;
    for (const Metric& metric : all_metrics) m.*metric.mean += metric.gain(settle(rank, ties));
  }
  for (const Metric& metric : all_metrics) m.*metric.mean /= static_cast<double>(m.users);
  m.tie_rate /= static_cast<double>(m.users);
  m.auc = m.user_auc;
  return m;
}

RankingMetrics ranking_metrics(const UserRanks& ranks, Ties ties) {
  RankingMetrics m = ranking_metrics(ranks.ranks, ties);
  m.auc = ranks.auc.value_or(m.user_auc);
  m.calibration = ranks.calibration;
  return m;
}

void check_identities(const RankingMetrics& m, double tolerance) {
  const auto require_at_most = [&](const char* low_name, double low, const char* high_name, double high) {
    if (!(low <= high + tolerance))
      throw Bug(fmt::format("metrics: impossible: {} = {:.6f} exceeds {} = {:.6f}", low_name, low, high_name, high));
  };
  require_at_most("NDCG@1", m.ndcg1, "HR@1", m.hr1);
  require_at_most("HR@1", m.hr1, "NDCG@1", m.ndcg1);
  require_at_most("NDCG@5", m.ndcg5, "HR@5", m.hr5);
  require_at_most("NDCG@10", m.ndcg10, "HR@10", m.hr10);
  require_at_most("NDCG@50", m.ndcg50, "HR@50", m.hr50);
  require_at_most("HR@50", m.hr50, "1", 1);
  // Positives at ranks a+1 .. b.
  const auto check_band = [&](int a, int b, double hits, double gain) {
    const std::string band = fmt::format("NDCG@{} - NDCG@{}", b, a);
    require_at_most(fmt::format("the least for these HR, {:.6f} / log2({})", hits, b + 1).c_str(),
                    hits / std::log2(b + 1), band.c_str(), gain);
    require_at_most(band.c_str(), gain, fmt::format("the most for these HR, {:.6f} / log2({})", hits, a + 2).c_str(),
                    hits / std::log2(a + 2));
  };
  check_band(1, 5, m.hr5 - m.hr1, m.ndcg5 - m.ndcg1);
  check_band(5, 10, m.hr10 - m.hr5, m.ndcg10 - m.ndcg5);
  check_band(10, 50, m.hr50 - m.hr10, m.ndcg50 - m.ndcg10);
  const double in5 = m.hr5 - m.hr1, in10 = m.hr10 - m.hr5, in50 = m.hr50 - m.hr10, beyond = 1 - m.hr50;
  require_at_most("the least MRR for these HR",
                  m.hr1 + in5 / 5 + in10 / 10 + in50 / 50 + beyond / static_cast<double>(m.candidates), "MRR", m.mrr);
  require_at_most("MRR", m.mrr, "the most for these HR", m.hr1 + in5 / 2 + in10 / 6 + in50 / 11 + beyond / 51);
}

}  // namespace seminar::inline SEMINAR_PRECISION
