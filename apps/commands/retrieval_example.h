// One user of a data set, for people to look at: what the GSU keeps of the history for the true next item.
#pragma once

#include "seminar/model/seminar_model.h"

namespace seminar {

/// A behaviour that was retrieved.
struct RetrievedBehaviour {
  std::string title, query;  ///< the query is empty where the item was browsed
  int64_t ago = 0;           ///< behaviours ago, from 1
};

struct RetrievalExample {
  std::string user, target;
  int64_t behaviours = 0;                     ///< in all
  std::vector<RetrievedBehaviour> retrieved;  ///< best first
};

/// The user whose history is longer than three quarters of all.
int64_t example_user(const Dataset& data);
/// What the model keeps for the last action of `user`, at most `k` behaviours.
RetrievalExample retrieval_example(const SeminarModel& model, const Dataset& data, RunSettings run, int64_t user,
                                   int64_t k);

}  // namespace seminar
