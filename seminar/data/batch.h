// From a data set to what one step computes on: leave-one-out split, targets, negatives, and batches whose distinct
// items and queries are listed once.
#pragma once

#include <vector>

#include "seminar/data/dataset.h"
#include "seminar/fusion.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Parts of the leave-one-out split: of N actions the last is the test target, the one before the validation target.
enum class Split { train, valid, test };

/// The action `position` of `user` as target; the actions before it are its history.
struct Target {
  int32_t user, position;
};

/// Training targets of one epoch: positions 1 .. N-3 of every user, at most `per_user` (0: all) drawn by `rng`.
std::vector<Target> train_targets(const Dataset& data, int64_t per_user, Rng rng);
/// The validation or test target of every user who has a history before it.
std::vector<Target> held_out_targets(const Dataset& data, Split split);

/// `count` items drawn uniformly among those the user never touched, at any time; throws Error if there are too few.
std::vector<int32_t> draw_negatives(const Dataset& data, int32_t user, int64_t count, Rng& rng);

/// B targets with T = 1 + negatives candidates each (the true one first) and histories of at most L behaviours, oldest
/// first, padded at the end.
struct Batch {
  std::vector<int32_t> items, queries;  ///< distinct ids; entry 0 is the padding item, the empty query
  PairIds history;                      ///< [B, L] into items and queries
  PairIds targets;                      ///< [B, T]
  Tensor mask;                          ///< [B, L]: 1 for a behaviour, 0 for padding
  Tensor first;                         ///< [B, L]: 1 where an item occurs for the first time in its history
  std::vector<Target> rows;             ///< where each row comes from
  std::vector<int32_t> begins;          ///< position of each row's first behaviour in its user's sequence
  int64_t size() const { return mask.size(0); }
  int64_t length() const { return mask.size(1); }
  int64_t candidates() const { return targets.item.shape()[1]; }
};

struct BatchOptions {
  int64_t history = 200;  ///< at most this many behaviours
  int64_t negatives = 4;
  double hide_query = 1;  ///< chance that a target's query is replaced by the empty one; else all candidates share it
};

/// The batch of `targets`; negatives and hidden queries come from rng.split(user).split(position), so they do not
/// depend on what else is in the batch.
Batch make_batch(const Dataset& data, std::span<const Target> targets, const BatchOptions& options, const Rng& rng);

/// The targets in an order for training: shuffled, but neighbours have histories of similar length, so that little is
/// padding. Returns consecutive runs of at most `batch` targets.
std::vector<std::vector<Target>> batches_by_length(std::vector<Target> targets, int64_t batch, int64_t history,
                                                   Rng rng);

}  // namespace seminar::inline SEMINAR_PRECISION
