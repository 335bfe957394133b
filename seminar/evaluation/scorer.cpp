#include "seminar/evaluation/scorer.h"

namespace seminar::inline SEMINAR_PRECISION {

std::vector<real> ModelScorer::score(std::span<const Target> targets, const Candidates& candidates) const {
  return model_.score(data_, make_batch(data_, targets, run_.history, candidates.items, candidates.queries), run_)
      .to_vector();
}

Popularity::Popularity(const Dataset& data, int64_t leave_out) : count_(static_cast<std::size_t>(data.items()) + 1) {
  check(leave_out >= 0, "popularity: actions to leave out: must be 0 or more: {}", leave_out);
  for (int64_t user = 0; user < data.users(); ++user) {
    const auto items = data.user_items(user);
    for (int64_t p = 0; p + leave_out < std::ssize(items); ++p) ++count_[place(items[p])];
  }
}

std::size_t Popularity::place(int32_t item) const {
  check(item >= 0 && item < std::ssize(count_), "data set: damaged: item {} of {}; see 'seminar data info --verify'",
        item, count_.size() - 1);
  return static_cast<std::size_t>(item);
}

std::vector<real> Popularity::score(std::span<const Target>, const Candidates& candidates) const {
  std::vector<real> scores;
  scores.reserve(candidates.items.size());
  for (const int32_t item : candidates.items) scores.push_back(count_[place(item)]);
  return scores;
}

std::vector<real> Chance::score(std::span<const Target> targets, const Candidates& candidates) const {
  const std::size_t each = candidates.items.size() / targets.size();
  std::vector<real> scores;
  scores.reserve(candidates.items.size());
  for (std::size_t t = 0; t < targets.size(); ++t) {
    const Rng stream =
        rng_.split(static_cast<uint64_t>(targets[t].user)).split(static_cast<uint64_t>(targets[t].position));
    for (const int32_t item : std::span(candidates.items).subspan(t * each, each))
      scores.push_back(static_cast<real>(stream.split(static_cast<uint64_t>(item)).uniform()));
  }
  return scores;
}

}  // namespace seminar::inline SEMINAR_PRECISION
