// From a data set to what one step computes on: leave-one-out split, targets, negatives, and batches whose distinct
// items and queries are listed once.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "seminar/data/dataset.h"
#include "seminar/data/pair_ids.h"
#include "seminar/settings.h"

namespace seminar::inline SEMINAR_PRECISION {

/// What the targets are (paper §3.1): every action, or the searches alone, which are ranked under their query
/// (personalised search ranking).
enum class Task { ctr, psr };
Task task_of(const RunSettings& run);

/// Parts of the leave-one-out split: of a user's targets, those with a history, the last is the test target, the one
/// before the validation target, the earlier ones train.
enum class Split { train, valid, test };

/// The action `position` of `user` as target; the actions before it are its history.
struct Target {
  int32_t user, position;
  std::optional<int64_t> time = std::nullopt;  ///< when it is asked for; nothing: at the action's own time
};

/// The training targets of one epoch, computed as they are needed: of every user's targets all but the last two
/// (of N actions those at positions 1 .. N-3), or the last `window` of those (0: all), at most `per_user` of them (0:
/// all), in a random order that keeps histories of similar length together, so that little is padding. The same (data,
/// rng) gives the same batches.
class EpochTargets {
 public:
  /// `batch` targets a batch; histories are looked at up to length `history`.
  EpochTargets(const Dataset& data, int64_t per_user, int64_t batch, int64_t history, const Rng& rng,
               int64_t window = 0, Task task = Task::ctr);
  /// Targets and batches of the epoch.
  int64_t size() const { return start_.back(); }
  int64_t batches() const { return (size() + batch_ - 1) / batch_; }
  /// Targets of the i-th batch; 0 beyond the last.
  int64_t rows(int64_t i) const;
  /// The i-th batch.
  std::vector<Target> operator()(int64_t i) const;
  /// The i-th of `shards` epochs that have this one's users between them, neighbours together and about as many targets
  /// in each, and batches of batch / shards targets.
  EpochTargets shard(int64_t i, int64_t shards) const;

 private:
  // The run of batches that a batch is cut from, in order of the draw, and its place in it, in order of length.
  struct Place {
    int64_t first, count, begin, end;
  };
  Place place(int64_t i) const;
  Target target(int64_t number) const;
  int64_t positions(int64_t user) const;  // how many may be targets
  // The positions of the searches that train, by user; null where every action may be a target.
  std::shared_ptr<const std::vector<std::vector<int32_t>>> searches_;
  const Dataset& data_;
  int64_t per_user_, batch_, history_, window_;
  Rng rng_;
  int64_t first_user_ = 0;
  std::vector<int64_t> start_;  // how many targets the users before have, from first_user_ on
};

/// An epoch whose batches are made of one part from each of `shards` EpochTargets::shard()s.
class EpochShards {
 public:
  EpochShards(const EpochTargets& epoch, int64_t shards);
  /// Batches of the epoch: those of the shard that has most.
  int64_t batches() const;
  /// Targets of the i-th batch in all shards.
  int64_t rows(int64_t i) const;
  /// A shard's part of the i-th batch; may be empty at the epoch's end.
  std::vector<Target> operator()(int64_t i, int64_t shard) const;

 private:
  std::vector<EpochTargets> parts_;
};

/// The validation or test target of every user who has one.
std::vector<Target> held_out_targets(const Dataset& data, Split split, Task task = Task::ctr);

/// `count` items drawn uniformly among those that the target's user did not have up to and with the target; what comes
/// later is not known yet, and may be drawn. None of `besides` either. Throws Error if there are too few.
std::vector<int32_t> draw_negatives(const Dataset& data, const Target& target, int64_t count, Rng& rng,
                                    std::span<const int32_t> besides = {});

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

/// The query of a negative: the target's; that of a random earlier search of the user; or that of any other search
/// among the training actions, so that negatives are pairs of their own (paper §3.3.1). Where the target has no query,
/// and where no such search is found, it is the target's.
enum class NegativeQueries { shared, own, any };

struct BatchOptions {
  int64_t history = 200;  ///< at most this many behaviours
  int64_t negatives = 4;
  double hide_query = 1;  ///< chance that a target's query is replaced by the empty one
  NegativeQueries queries = NegativeQueries::shared;
  bool own_negatives = false;  ///< the data set's own negatives instead of drawn ones
  bool impressions = false;    ///< first what the user was shown under the target's query and did not click, if known
};

/// Items and queries that compete for targets, row by row: the same number for each target.
struct Candidates {
  std::vector<int32_t> items, queries;
};
/// 1 + negatives candidates a target, the true one first; negatives and hidden queries come from
/// rng.split(user).split(position), so they do not depend on what other targets there are.
Candidates draw_candidates(const Dataset& data, std::span<const Target> targets, const BatchOptions& options,
                           const Rng& rng);

/// The batch of `targets` with drawn candidates.
Batch make_batch(const Dataset& data, std::span<const Target> targets, const BatchOptions& options, const Rng& rng);

/// The same with the candidates given: items and queries [B * T], row by row. A target's position may be the length of
/// its user's sequence: the next action, whatever it will be.
Batch make_batch(const Dataset& data, std::span<const Target> targets, int64_t history, std::span<const int32_t> items,
                 std::span<const int32_t> queries);

/// Makes batches ahead of their use, in a thread of its own.
class BatchLoader {
 public:
  /// `make(i)` for i = 0 .. count-1 runs in the loader's thread, at most two batches ahead.
  BatchLoader(int64_t count, std::function<Batch(int64_t)> make);
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;
  /// The next batch; nothing after the last. Throws what make() threw.
  std::optional<Batch> next();

 private:
  void run(int64_t count, const std::function<Batch(int64_t)>& make);
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> ready_;
  std::exception_ptr error_;
  bool done_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace seminar::inline SEMINAR_PRECISION
