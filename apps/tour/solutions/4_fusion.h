// Chapter 4, the solution.
#pragma once

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>
#include <vector>

namespace tour {

struct Pair {
  long time = 0;
  std::string query, item;
};

inline std::vector<Pair> merged(const std::vector<Pair>& searches, const std::vector<Pair>& browsed) {
  std::vector<Pair> pairs;
  std::merge(searches.begin(), searches.end(), browsed.begin(), browsed.end(), std::back_inserter(pairs),
             [](const Pair& a, const Pair& b) { return a.time < b.time; });  // of equals the first list's come first
  return pairs;
}

inline std::vector<double> weights(double lambda, const std::vector<double>& logits, const std::vector<bool>& present) {
  std::vector<double> gamma{lambda};
  double highest = -INFINITY, total = 0;
  for (std::size_t m = 0; m < logits.size(); ++m)
    if (present[m]) highest = std::max(highest, logits[m]);
  for (std::size_t m = 0; m < logits.size(); ++m) {
    gamma.push_back(present[m] ? std::exp(logits[m] - highest) : 0);
    total += gamma.back();
  }
  for (std::size_t m = 1; m < gamma.size(); ++m) gamma[m] *= (1 - lambda) / total;
  return gamma;
}

inline std::vector<double> fuse(const std::vector<double>& gamma, const std::vector<std::vector<double>>& channels) {
  std::vector<double> x(channels[0].size());
  for (std::size_t m = 0; m < channels.size(); ++m)
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += gamma[m] * channels[m][i];
  return x;
}

}  // namespace tour
