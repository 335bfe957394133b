// Metrics of predicted clicks: how well scores order shown items (AUC, GAUC), and how true they are as probabilities
// (log loss, calibration).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tensor/real.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Area under the ROC curve; ties count half. Throws Error for NaN or if all labels are equal.
double auc(std::span<const real> scores, std::span<const uint8_t> labels);

/// How far predicted probabilities are from what happened.
struct Calibration {
  double log_loss = 0;         ///< mean -log of the probability given to what happened, in nats
  double mean_prediction = 0;  ///< in [0, 1]
  double mean_label = 0;       ///< the share that happened
  double error = 0;            ///< expected calibration error: mean |prediction - label| of ten bins of equal count
  /// 1 is right, more promises too much; infinite if nothing happened.
  double ratio() const { return mean_prediction / mean_label; }
};
/// Of logits, which stand for the probabilities 1 / (1 + exp(-logit)). Equal logits share their labels evenly, so the
/// order of the input does not matter. Throws Error for NaN or if there are none.
Calibration calibration(std::span<const real> logits, std::span<const uint8_t> labels);

/// What a user was shown: impressions, clicks, and the AUC of their order.
struct UserAuc {
  int32_t user;
  int64_t shown, clicked;
  double auc;
};

/// Metrics of what was shown and clicked or not.
struct ExposureMetrics {
  double auc = 0;  ///< of all together
  /// Means of the users' AUC, each user weighted by impressions, by clicks, or all alike.
  double gauc = 0, gauc_clicks = 0, gauc_users = 0;
  int64_t shown = 0, clicked = 0;
  int64_t dropped_users = 0;          ///< users who clicked all or nothing: they have no AUC
  std::vector<UserAuc> users;         ///< the others
  std::optional<Calibration> scores;  ///< if the scores are logits
};
/// `user` holds a number per score; equal numbers stand together. Throws Error for NaN or if all labels are equal.
ExposureMetrics exposure_metrics(std::span<const real> scores, std::span<const uint8_t> clicked,
                                 std::span<const int32_t> user);

}  // namespace seminar::inline SEMINAR_PRECISION
