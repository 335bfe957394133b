#include "seminar/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/error.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// Mean of gain(rank) over the places that the tie leaves open; ranks from 1.
template <class Gain>
double mean_over_ties(int64_t above, int64_t ties, int64_t k, Gain gain) {
  double total = 0;
  for (int64_t rank = above + 1; rank <= std::min(above + ties + 1, k); ++rank)
    total += gain(static_cast<double>(rank));
  return total / static_cast<double>(ties + 1);
}

}  // namespace

double expected_ndcg(int64_t above, int64_t ties, int64_t k) {
  return mean_over_ties(above, ties, k, [](double rank) { return 1 / std::log2(rank + 1); });
}

double expected_hit(int64_t above, int64_t ties, int64_t k) {
  return mean_over_ties(above, ties, k, [](double) { return 1.0; });
}

double expected_reciprocal_rank(int64_t above, int64_t ties) {
  return mean_over_ties(above, ties, above + ties + 1, [](double rank) { return 1 / rank; });
}

double auc(std::span<const real> scores, std::span<const uint8_t> labels) {
  check(scores.size() == labels.size(), "auc: {} scores, {} labels", scores.size(), labels.size());
  for (std::size_t i = 0; i < scores.size(); ++i) check(!std::isnan(scores[i]), "auc: score {} is NaN", i);
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  double positives = 0, rank_sum = 0;
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    double in_group = 0;
    while (end < order.size() && scores[order[end]] == scores[order[i]]) in_group += labels[order[end++]] != 0 ? 1 : 0;
    rank_sum += in_group * (static_cast<double>(i + end + 1) / 2);  // the mean rank, from 1
    positives += in_group;
    i = end;
  }
  const double negatives = static_cast<double>(scores.size()) - positives;
  check(positives > 0 && negatives > 0, "auc: undefined: {} positive and {} negative labels", positives, negatives);
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

RankingMetrics ranking_metrics(std::span<const RankCount> users) {
  check(!users.empty(), "metrics: no users");
  RankingMetrics m;
  m.users = std::ssize(users);
  for (const auto& [above, ties, negatives] : users) {
    m.candidates = std::max(m.candidates, negatives + 1);
    m.hr1 += expected_hit(above, ties, 1);
    m.hr5 += expected_hit(above, ties, 5);
    m.hr10 += expected_hit(above, ties, 10);
    m.hr50 += expected_hit(above, ties, 50);
    m.ndcg1 += expected_ndcg(above, ties, 1);
    m.ndcg5 += expected_ndcg(above, ties, 5);
    m.ndcg10 += expected_ndcg(above, ties, 10);
    m.ndcg50 += expected_ndcg(above, ties, 50);
    m.mrr += expected_reciprocal_rank(above, ties);
    m.tie_rate += ties > 0;
    m.auc += 1 - (static_cast<double>(above) + static_cast<double>(ties) / 2) / static_cast<double>(negatives);
  }
  for (double* value :
       {&m.hr1, &m.hr5, &m.hr10, &m.hr50, &m.ndcg1, &m.ndcg5, &m.ndcg10, &m.ndcg50, &m.mrr, &m.tie_rate, &m.auc})
    *value /= static_cast<double>(m.users);
  return m;
}

RankingMetrics ranking_metrics(std::span<const real> scores, int64_t candidates) {
  check(candidates >= 2 && !scores.empty() && std::ssize(scores) % candidates == 0,
        "metrics: {} scores for {} candidates a user", scores.size(), candidates);
  std::vector<RankCount> users(scores.size() / static_cast<std::size_t>(candidates));
  std::vector<uint8_t> labels(scores.size(), 0);
  for (std::size_t user = 0; user < users.size(); ++user) {
    const real* row = scores.data() + static_cast<int64_t>(user) * candidates;
    labels[user * static_cast<std::size_t>(candidates)] = 1;
    users[user].negatives = candidates - 1;
    for (int64_t c = 0; c < candidates; ++c) {
      check(!std::isnan(row[c]), "metrics: the score of candidate {} of evaluated user {} is NaN", c, user);
      if (c == 0) continue;
      users[user].above += row[c] > row[0];
      users[user].ties += row[c] == row[0];
    }
  }
  RankingMetrics m = ranking_metrics(users);
  m.auc = auc(scores, labels);
  return m;
}

ExposureMetrics exposure_metrics(std::span<const real> scores, std::span<const uint8_t> clicked,
                                 std::span<const int32_t> user) {
  ExposureMetrics m;
  m.auc = auc(scores, clicked);
  m.shown = std::ssize(scores);
  double weight = 0;
  for (std::size_t begin = 0; begin < user.size();) {
    std::size_t end = begin;
    while (end < user.size() && user[end] == user[begin]) ++end;
    const auto labels = clicked.subspan(begin, end - begin);
    const int64_t clicks = std::count_if(labels.begin(), labels.end(), [](uint8_t c) { return c != 0; });
    m.clicked += clicks;
    if (clicks > 0 && clicks < std::ssize(labels)) {
      ++m.users;
      weight += static_cast<double>(labels.size());
      m.gauc += static_cast<double>(labels.size()) * auc(scores.subspan(begin, end - begin), labels);
    }
    begin = end;
  }
  if (weight > 0) m.gauc /= weight;
  return m;
}

}  // namespace seminar::inline SEMINAR_PRECISION
