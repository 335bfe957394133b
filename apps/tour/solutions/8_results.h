// Chapter 8, the solution.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace tour {

using Row = std::vector<double>;

struct Place {
  long above = 0, ties = 0;
};

inline Place place(double positive, const Row& negatives) {
  Place place;
  for (const double score : negatives) place.above += score > positive, place.ties += score == positive;
  return place;
}

/// The mean of gain(rank) over the ranks above + 1 … above + ties + 1, 0 beyond k.
template <class Gain>
double mean_gain(const Place& place, long k, Gain gain) {
  double total = 0;
  for (long rank = place.above + 1; rank <= std::min(place.above + place.ties + 1, k); ++rank)
    total += gain(static_cast<double>(rank));
  return total / static_cast<double>(place.ties + 1);
}

inline double hit_rate(const Place& place, long k) {
  return mean_gain(place, k, [](double) { return 1.0; });
}

inline double ndcg(const Place& place, long k) {
  return mean_gain(place, k, [](double rank) { return 1 / std::log2(rank + 1); });
}

struct Interval {
  double mean = 0, low = 0, high = 0;
};
inline Interval bootstrap(const Row& values, std::mt19937_64 random) {
  const std::size_t n = values.size();
  Row means(1000);
  for (double& mean : means) {
    for (std::size_t i = 0; i < n; ++i) mean += values[random() % n];
    mean /= static_cast<double>(n);
  }
  std::sort(means.begin(), means.end());
  return {std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(n), means[25], means[975]};
}

inline Interval paired_difference(const Row& a, const Row& b, std::mt19937_64 random) {
  Row difference(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) difference[i] = b[i] - a[i];
  return bootstrap(difference, random);
}

}  // namespace tour
