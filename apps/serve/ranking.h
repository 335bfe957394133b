// Answers ranking requests (apps/serve/ranking_request.h):
//
//   {"id": "7", "scores": [1.25, null], "errors": [{"at": "candidates[1]", "error": "no item \"x\" in the model"}],
//    "retrieved": [[{"position": 0, "item": "50", "attention": [.5, .1]}, ..], ..]}
//
// With "top" also "items", the best of the catalogue. "errors" only if there are some: a candidate that is not known
// has the score null, a behaviour that is not known is left out. "position" counts in the request's history. Scores
// order candidates; they are not probabilities.
#pragma once

#include "apps/serve/ranking_request.h"
#include "apps/serve/runtime_scorer.h"
#include "apps/serve/work_pool.h"

namespace seminar {

/// Ranking took longer than its deadline.
struct TooLate : Error {
  using Error::Error;
};

/// Answers requests one after the other, keeping the memory for a user between them. The model may be shared.
class Ranking {
 public:
  /// `history` behaviours are kept of a user (0: as exported).
  Ranking(const seminar_model* model, int64_t history, const RankingLimits& limits, bool skip_unknown = false);
  /// The answer to a request. Throws RequestError for what is none, TooLate.
  std::string answer(std::string_view request, const Deadline& deadline = {});
  /// Candidates of the last request, and seconds of ranking them alone.
  int64_t candidates() const { return std::ssize(pairs_); }
  double seconds() const { return seconds_; }
  /// Ranks the last request again.
  void rank_again();

 private:
  void use_options();
  void find_top();
  void append_history(const Deadline& deadline);
  seminar_pair as_pair(const RankingRequest::Pair& p) const;
  void rank_slices(const Deadline& deadline, bool write);
  std::string item_name(int32_t item) const;
  void write_reasons(const int32_t* retrieved, const float* attention);
  void check_size(std::size_t bytes) const;
  std::string write() const;

  RankingRules rules_;
  RankingRequest request_;
  seminar_user_options options_{};
  std::vector<float> weights_;  // of options_
  UserHandle user_;
  FinderHandle finder_;
  std::vector<seminar_pair> pairs_;  // of the candidates that are known
  std::vector<float> scores_, attention_;
  std::vector<int32_t> retrieved_;
  std::string reasons_;                   // of the candidates that are known, one after the other
  std::vector<std::size_t> reason_ends_;  // in reasons_
  double seconds_ = 0;
};

/// The answer to a request that failed as a whole: {"id": .., "error": ..}.
std::string error_answer(const Error& error);

}  // namespace seminar
