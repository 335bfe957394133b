// Where a trained SEMINAR looks: how much of the ESU's attention goes to which channel, to behaviours of which age, to
// searches or to browsing; and how long the channels' vectors are.
#pragma once

#include "seminar/evaluation/evaluate.h"
#include "seminar/model/seminar_model.h"

namespace seminar::inline SEMINAR_PRECISION {

/// A channel of pairs and what the model makes of it.
struct ChannelProfile {
  std::string name;
  double weight = 0;               ///< mean γ of all behaviours
  double attended = 0;             ///< mean γ of behaviours by the attention they get
  double norm = 0, deviation = 0;  ///< mean length of the behaviours' vectors after G, and their standard deviation
};

/// Behaviours of some ages: what share of the histories they are, and what share of attention they get.
struct AgeProfile {
  int64_t youngest = 1, oldest = 1;  ///< behaviours ago, both inclusive
  double share = 0, attended = 0;
};

struct AttentionProfile {
  int64_t users = 0, behaviours = 0;
  std::vector<ChannelProfile> channels;  ///< query first
  std::vector<AgeProfile> ages;          ///< by powers of two
  double search_share = 0, search_attended = 0;
};

/// The profile over the held-out test targets, their queries hidden, and what exact GSU scores keep; mean over heads.
/// Throws Error if no user has one.
AttentionProfile attention_profile(const SeminarModel& model, const Dataset& data, const RunSettings& run);

/// Names of the channels of a model's pairs: query, text, attributes, then the data set's own.
std::vector<std::string> channel_names(const SeminarModel& model);

}  // namespace seminar::inline SEMINAR_PRECISION
