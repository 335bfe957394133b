#include "seminar/evaluation/click_metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/error.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr std::size_t calibration_bins = 10;

// The places of the scores from the lowest to the highest; `what` names the metric in messages.
std::vector<std::size_t> ascending(const char* what, std::span<const real> scores, std::span<const uint8_t> labels) {
  check(scores.size() == labels.size(), "{}: {} scores, {} labels", what, scores.size(), labels.size());
  for (std::size_t i = 0; i < scores.size(); ++i) check(!std::isnan(scores[i]), "{}: score {} is NaN", what, i);
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  return order;
}

// Calls f(begin, end, positives) for each run of equal scores in `order`.
template <class F>
void each_group(std::span<const std::size_t> order, std::span<const real> scores, std::span<const uint8_t> labels,
                const F& f) {
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    double positives = 0;
    while (end < order.size() && scores[order[end]] == scores[order[begin]])
      positives += labels[order[end++]] != 0 ? 1 : 0;
    f(begin, end, positives);
    begin = end;
  }
}

double probability(real logit) { return 1 / (1 + std::exp(-static_cast<double>(logit))); }

// -log of the probability that a logit gives to a label, without overflow.
double loss(real logit, bool positive) {
  const double x = positive ? -static_cast<double>(logit) : static_cast<double>(logit);
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

}  // namespace

double auc(std::span<const real> scores, std::span<const uint8_t> labels) {
  const std::vector<std::size_t> order = ascending("auc", scores, labels);
  double positives = 0, rank_sum = 0;
  each_group(order, scores, labels, [&](std::size_t begin, std::size_t end, double in_group) {
    rank_sum += in_group * (static_cast<double>(begin + end + 1) / 2);  // the mean rank, from 1
    positives += in_group;
  });
  const double negatives = static_cast<double>(scores.size()) - positives;
  check(positives > 0 && negatives > 0, "auc: undefined: {} positive and {} negative labels", positives, negatives);
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

Calibration calibration(std::span<const real> logits, std::span<const uint8_t> labels) {
  const std::vector<std::size_t> order = ascending("calibration", logits, labels);
  check(!order.empty(), "calibration: no scores");
  Calibration c;
  std::vector<double> label(order.size());  // in ascending order, equal scores sharing theirs
  each_group(order, logits, labels, [&](std::size_t begin, std::size_t end, double positives) {
    const real logit = logits[order[begin]];
    const double count = static_cast<double>(end - begin);
    std::fill(label.begin() + static_cast<std::ptrdiff_t>(begin), label.begin() + static_cast<std::ptrdiff_t>(end),
              positives / count);
    c.log_loss += positives * loss(logit, true) + (count - positives) * loss(logit, false);
    c.mean_prediction += count * probability(logit);
    c.mean_label += positives;
  });
  for (std::size_t bin = 0; bin < calibration_bins; ++bin) {
    double gap = 0;
    for (std::size_t i = order.size() * bin / calibration_bins; i < order.size() * (bin + 1) / calibration_bins; ++i)
      gap += probability(logits[order[i]]) - label[i];
    c.error += std::abs(gap);
  }
  for (double* value : {&c.log_loss, &c.mean_prediction, &c.mean_label, &c.error})
    *value /= static_cast<double>(order.size());
  return c;
}

ExposureMetrics exposure_metrics(std::span<const real> scores, std::span<const uint8_t> clicked,
                                 std::span<const int32_t> user) {
  ExposureMetrics m;
  m.auc = auc(scores, clicked);
  m.shown = std::ssize(scores);
  double shown = 0, clicks = 0;  // of the users with an AUC
  for (std::size_t begin = 0; begin < user.size();) {
    std::size_t end = begin;
    while (end < user.size() && user[end] == user[begin]) ++end;
    const auto labels = clicked.subspan(begin, end - begin);
    UserAuc u{user[begin], std::ssize(labels),
              std::count_if(labels.begin(), labels.end(), [](uint8_t c) { return c != 0; }), 0};
    m.clicked += u.clicked;
    if (u.clicked > 0 && u.clicked < u.shown) {
      u.auc = auc(scores.subspan(begin, end - begin), labels);
      m.gauc += static_cast<double>(u.shown) * u.auc;
      m.gauc_clicks += static_cast<double>(u.clicked) * u.auc;
      m.gauc_users += u.auc;
      shown += static_cast<double>(u.shown);
      clicks += static_cast<double>(u.clicked);
      m.users.push_back(u);
    } else {
      ++m.dropped_users;
    }
    begin = end;
  }
  if (!m.users.empty()) {
    m.gauc /= shown;
    m.gauc_clicks /= clicks;
    m.gauc_users /= static_cast<double>(m.users.size());
  }
  return m;
}

}  // namespace seminar::inline SEMINAR_PRECISION
