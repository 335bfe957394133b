// The training loop: epochs over drawn targets, Adam, gradient clipping, a cosine schedule, the best epoch kept.
#pragma once

#include <functional>
#include <optional>

#include "seminar/evaluate.h"

namespace seminar::inline SEMINAR_PRECISION {

/// What the loop tells after each step and, with `valid`, after each epoch.
struct TrainProgress {
  int64_t epoch = 0, epochs = 0, step = 0, steps = 0;  ///< from 1; steps of all epochs, estimated from the first
  int64_t targets = 0;                                 ///< trained on so far
  std::vector<LossPart> loss;                          ///< of this step, total first
  std::optional<RankingMetrics> valid;
};

struct TrainReport {
  int64_t steps = 0, targets = 0, best_epoch = 0;
  double best_ndcg10 = 0;
  bool stopped = false;  ///< the caller asked to stop
};

/// Trains `model` in place for run.epochs and leaves it with the parameters of the epoch of the best validation
/// NDCG@10, or of the last with run.keep "last". `progress` is called after every step; it returns false to stop. Throws Error if the loss is not finite,
/// naming epoch and step. `refresh` (may be null) is called before every epoch and every validation: for what is
/// derived from the parameters, such as codes.
TrainReport train(Model& model, const Dataset& data, const RunSettings& run,
                  const std::function<bool(const TrainProgress&)>& progress,
                  const std::function<void()>& refresh = nullptr);

}  // namespace seminar::inline SEMINAR_PRECISION
