// Ranking requests in JSON, as 'seminar rank' reads them from lines and 'seminar serve' from HTTP.
//
//   {"history": ["50", {"item": "318", "query": "prison"}],    oldest first; items by their ids in the data set
//    "candidates": ["1", {"item": "2", "query": "lion"}],
//    "top": 10,                in place of candidates: the best of the whole catalogue, without the history's items
//    "allow": ["1", ..], "deny": ["2", ..], "seen": true,      which of them: only these, not these, the history's too
//    "query": "war",           of candidates without one (default: none)
//    "k": 50,                  behaviours that are retrieved (default: as exported)
//    "codes": true,            retrieve by product-quantization codes (default: exact)
//    "weights": [.5, .3, .2],  channel weights in place of the model's, query first
//    "explain": true,          answer also what was retrieved and what attention gave it
//    "id": "7"}                given back
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "seminar/runtime/seminar.h"
#include "tensor/error.h"

namespace seminar {

/// What a request may cost. The defaults are for requests of one's own.
struct RankingLimits {
  int64_t candidates = 100000;
  int64_t history = 1000000;             ///< behaviours in a request; the newest are used
  int64_t work = int64_t{1} << 40;       ///< candidates × k × heads
  int64_t explained = int64_t{1} << 26;  ///< the same where reasons are asked for
  int64_t answer_bytes = int64_t{1} << 30;
};

/// What reading a request needs to know.
struct RankingRules {
  const seminar_model* model = nullptr;
  seminar_model_info info{};
  seminar_user_options defaults{};
  RankingLimits limits;
  bool skip_unknown = false;  ///< items that the model does not know are left out without an error
};

/// A request as a whole that cannot be answered, with its "id" (as JSON; empty if it could not be read).
struct RequestError : Error {
  RequestError(const std::string& what, std::string request) : Error(what), id(std::move(request)) {}
  std::string id;
};

struct RankingRequest {
  struct Pair {
    int32_t item = 0, query = 0;
    int64_t vector = -1;  ///< of the query, in `vectors`; -1: known
  };
  struct PairError {
    std::string place, what;
  };
  std::vector<Pair> history;       ///< without behaviours that are not known
  std::vector<int64_t> positions;  ///< of the history's behaviours in the request
  int64_t top = 0;                 ///< how many are wanted of the whole catalogue; 0: candidates are given
  std::vector<int32_t> allow, deny;
  bool allow_some = false, seen = false;    ///< whether "allow" is given; whether items of the history count
  Pair query;                               ///< under which `top` is asked
  std::vector<Pair> candidates;             ///< item 0: not known
  std::vector<PairError> errors;            ///< of single pairs
  std::vector<std::vector<float>> vectors;  ///< of queries that were never asked before
  int32_t k = 0;
  bool codes = false, explain = false;
  std::vector<float> weights;
  std::string id;  ///< as JSON; empty: none
};

/// Throws RequestError `what: wrong: value` for anything that is not one.
RankingRequest read_request(const RankingRules& rules, std::string_view text);

/// A text in JSON, bytes that are not UTF-8 replaced.
std::string json_text(std::string_view text);

}  // namespace seminar
