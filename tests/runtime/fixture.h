// What the runtime's tests for other machines compare with: requests, and the answers of the training code on this one.
// Plain text, so that C++ without libraries and JavaScript read it alike. Numbers separated by blanks, per request:
//   codes k  behaviours (item query)..  candidates (item query)..  scores..  retrieved [candidates, k], -1 beyond
#pragma once

#include <fstream>
#include <vector>

struct RankRequest {
  int codes = 0, k = 0;
  std::vector<int> history, candidates;  // item, query, item, query, ..
  std::vector<float> scores;
  std::vector<int> retrieved;
};

inline std::vector<RankRequest> read_requests(const char* path) {
  std::ifstream in(path);
  std::vector<RankRequest> requests;
  std::size_t behaviours = 0, candidates = 0;
  for (RankRequest r; in >> r.codes >> r.k >> behaviours; requests.push_back(r)) {
    r.history.resize(2 * behaviours);
    for (int& v : r.history) in >> v;
    in >> candidates;
    r.candidates.resize(2 * candidates);
    for (int& v : r.candidates) in >> v;
    r.scores.resize(candidates);
    for (float& v : r.scores) in >> v;
    r.retrieved.resize(candidates * static_cast<std::size_t>(r.k));
    for (int& v : r.retrieved) in >> v;
  }
  return requests;
}
