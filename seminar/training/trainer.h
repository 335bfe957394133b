// The training loop: epochs over drawn targets, Adam, gradient clipping, a cosine schedule, the best epoch kept,
// checkpoints to go on from.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "seminar/evaluation/evaluate.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Where a rank's time went and what it sent, summed over the steps since training began or went on.
struct StepTotals {
  int64_t steps = 0, dense_numbers = 0, rows = 0;           ///< dense_numbers: of one step; rows: distinct, of tables
  double compute = 0, exchange = 0, update = 0;             ///< s; exchange: what backward did not hide
  int64_t dense_bytes = 0, row_bytes = 0, other_bytes = 0;  ///< other: losses and whether to go on
};

/// What the loop tells after each step and, with `valid`, after each epoch.
struct TrainProgress {
  int64_t epoch = 0, epochs = 0, step = 0, steps = 0;  ///< from 1; steps of all epochs
  int64_t targets = 0;                                 ///< trained on so far
  std::vector<LossPart> loss;                          ///< of this step, total first
  /// Mean over the epoch's targets so far, or since training went on in it.
  std::vector<LossPart> epoch_loss;
  std::optional<RankingMetrics> valid;
  StepTotals totals;
};

struct TrainOptions {
  /// Called after every step; returns false to stop, on any rank.
  std::function<bool(const TrainProgress&)> progress{};
  /// Called before every epoch and every validation: for what is derived from the parameters, such as codes.
  std::function<void()> refresh{};
  /// File for checkpoints (training_state.h), written after every epoch and on a stop; empty: none.
  std::string checkpoint{};
  /// And between steps when the last one is this old, in s (0: after every step).
  double checkpoint_every = 300;
  /// Goes on from `checkpoint`, bit for bit as if the run had not stopped; the model must be made as it was then.
  bool resume = false;
  /// The ranks that train together: each computes its part of the run.shards shards of every batch and has the same
  /// parameters after it. Rank 0 writes checkpoints, all read them.
  Communicator* world = &alone();
};

struct TrainReport {
  int64_t steps = 0, targets = 0, best_epoch = 0;  ///< since the run's beginning
  double best_ndcg10 = 0;
  bool stopped = false;  ///< the caller asked to stop
};

/// Trains `model` in place for run.epochs, or until run.patience epochs brought nothing better, and leaves it with the
/// parameters of the epoch of the best validation NDCG@10, or of the last with run.keep "last". A checkpoint stays
/// behind: it is the caller's to remove once the model is saved. Throws Error if a loss or a gradient is not finite,
/// naming epoch, step and the first bad tensor; the last checkpoint is from before that. How many ranks there are
/// changes no bit of the result.
TrainReport train(Model& model, const Dataset& data, const RunSettings& run, const TrainOptions& options = {});

}  // namespace seminar::inline SEMINAR_PRECISION
