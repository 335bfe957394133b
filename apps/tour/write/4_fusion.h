// Chapter 4: pairs and fusion. Complete the three functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace tour {

/// A pair (query, item) at a time. The empty query is "".
struct Pair {
  long time = 0;
  std::string query, item;
};

/// Searches and browsed items as one sequence in the order of time. Both lists are in order already. On equal times
/// searches come first.
inline std::vector<Pair> merged(const std::vector<Pair>& searches, const std::vector<Pair>& browsed) {
  (void)searches, (void)browsed;
  return {};  // your part
}

/// γ of a pair: the query has weight λ, the item's channels share 1 - λ by the softmax of their logits. A channel that
/// is not present gets 0, and the others share its part. At least one channel is present.
inline std::vector<double> weights(double lambda, const std::vector<double>& logits, const std::vector<bool>& present) {
  (void)lambda, (void)logits, (void)present;
  return {};  // your part
}

/// x = Σ_m γ_m x^(m): channels[m] is the vector of channel m.
inline std::vector<double> fuse(const std::vector<double>& gamma, const std::vector<std::vector<double>>& channels) {
  (void)gamma, (void)channels;
  return {};  // your part
}

}  // namespace tour
