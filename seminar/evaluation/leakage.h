// What an evaluation on a data set gives away: held-out targets that need no forecast, and protocols that look ahead.
#pragma once

#include "seminar/evaluation/evaluate.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Counts of the held-out targets of a split. The training part is every user's actions without the last two.
struct SplitLeakage {
  int64_t targets = 0;
  int64_t repeated = 0;           ///< the user had the item before
  int64_t cold = 0;               ///< the item is nowhere in the training part
  int64_t queried = 0;            ///< the target has a query, and of these:
  int64_t query_of_one_item = 0;  ///< it stands at no other item in all the data
  int64_t query_known = 0;        ///< ... and stands at this item in the training part already
  int64_t query_in_title = 0;     ///< all its words are in the item's title
  int64_t same_time = 0;          ///< same time as the user's action before: one session
  int64_t before_training = 0;    ///< earlier than some training action of anyone
  double later_training = 0;      ///< share of the training actions that are later than the target, mean over targets
};

struct Leakage {
  SplitLeakage valid, test;
  bool has_times = false;      ///< false: times are places in the history; same_time and what is behind it stay 0
  int64_t negatives = 0;       ///< drawn a target; 0: all items compete, and the rest is 0
  int64_t users = 0;           ///< with a validation and a test target
  double shared = 0;           ///< share of the test negatives that are validation negatives too, mean over users
  double shared_chance = 0;    ///< the same expected of independent draws
  int64_t same_negatives = 0;  ///< users whose two sets are equal
  /// Training negatives leave out what the user had up to the target, and nothing that comes later: the share of the
  /// items they are drawn from that the user has later, mean over the training targets.
  double later_items = 0;
};

/// Reports on the split of `data` and the negatives that run.eval_seed and run.eval_negatives draw.
Leakage find_leakage(const Dataset& data, const RunSettings& run);

}  // namespace seminar::inline SEMINAR_PRECISION
