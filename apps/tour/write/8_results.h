// Chapter 8: metrics with ties, and how sure one is. Complete the four functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace tour {

using Row = std::vector<double>;

/// Where the positive stands among the candidates: `above` negatives have a higher score, `ties` have the same one.
struct Place {
  long above = 0, ties = 0;
};

/// The place of a positive with this score among negatives with these.
inline Place place(double positive, const Row& negatives) {
  (void)positive, (void)negatives;
  return {-1, -1};  // your part
}

/// The expected share of hits: the probability that the rank is at most k, if ties are broken at random.
inline double hit_rate(const Place& place, long k) {
  (void)place, (void)k;
  return -1;  // your part
}

/// The expected gain: the mean of 1 / log2(rank + 1) over the ranks that a tie allows, 0 beyond k.
inline double ndcg(const Place& place, long k) {
  (void)place, (void)k;
  return -1;  // your part
}

/// The mean of `values` and the interval from the 25th to the 975th of 1,000 bootstrap means, counted from 0 in
/// ascending order. A bootstrap mean is the mean of n values; each is values[random() % n].
struct Interval {
  double mean = 0, low = 0, high = 0;
};
inline Interval bootstrap(const Row& values, std::mt19937_64 random) {
  (void)values, (void)random;
  return {-1, -1, -1};  // your part
}

/// The interval of the difference b - a, user by user.
inline Interval paired_difference(const Row& a, const Row& b, std::mt19937_64 random) {
  (void)a, (void)b, (void)random;
  return {-1, -1, -1};  // your part
}

}  // namespace tour
