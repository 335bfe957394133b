// Ranking requests and answers in JSON, as 'seminar rank' reads them from lines and 'seminar serve' from requests.
//
//   {"history": ["50", {"item": "318", "query": "prison"}],    oldest first; items by their ids in the data set
//    "candidates": ["1", {"item": "2", "query": "lion"}],
//    "query": "war",           of candidates without one (default: none)
//    "k": 50,                  behaviours that are retrieved (default: as exported)
//    "codes": true,            retrieve by product-quantization codes (default: exact)
//    "weights": [.5, .3, .2],  channel weights in place of the model's, query first
//    "explain": true,          answer also what was retrieved and what attention gave it
//    "id": "7"}                given back
//
//   {"id": "7", "scores": [1.25, -0.5], "retrieved": [[{"position": 0, "item": "50", "attention": [.5, .1]}, ..], ..]}
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "apps/serve/runtime_scorer.h"

namespace seminar {

struct RankingLimits {
  int64_t candidates = 100000;
  int64_t history = 1000000;  ///< behaviours in a request; the newest are used
};

/// Answers requests one after the other, keeping the memory for a user between them. The model may be shared.
class Ranking {
 public:
  /// `history` behaviours are kept of a user (0: as exported).
  Ranking(const seminar_model* model, int64_t history, const RankingLimits& limits);
  /// The answer to a request. Throws Error `what: wrong: value` for anything that is not one.
  std::string answer(std::string_view request);
  /// Candidates of the last request, and seconds of the last seminar_rank call.
  int64_t candidates() const { return std::ssize(pairs_); }
  double seconds() const { return seconds_; }
  /// Ranks the last request again.
  void rank_again();

 private:
  struct Request;
  Request read(std::string_view text) const;
  void use_options(const Request& request);
  std::string write(const Request& request) const;
  const seminar_model* model_;
  RankingLimits limits_;
  seminar_model_info info_;
  seminar_user_options defaults_, options_;
  std::vector<float> weights_;  // of options_
  UserHandle user_;
  std::vector<std::vector<float>> vectors_;  // of queries that were never asked before
  std::vector<seminar_pair> pairs_;
  std::vector<float> scores_, attention_;
  std::vector<int32_t> retrieved_;
  bool explain_ = false;
  double seconds_ = 0;
};

}  // namespace seminar
