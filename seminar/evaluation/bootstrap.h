// How sure a mean over users is: bootstrap intervals, and tests of paired differences. All draws come from the seed, so
// the same values and seed give the same numbers, for any number of threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/real.h"

namespace seminar::inline SEMINAR_PRECISION {

/// A mean and its 95 % interval.
struct Interval {
  double mean = 0, low = 0, high = 0;
};
constexpr int64_t resamples = 1000;
/// `mean` with the 2.5 % and 97.5 % places of the resamples' means.
Interval percentile_interval(double mean, std::vector<double> resampled);
/// Percentile bootstrap over the values (1,000 resamples): of one value the interval is that value. Throws Error if
/// there are none.
Interval bootstrap(std::span<const double> values, uint64_t seed);
/// The same of a - b, paired: values of the same users in the same order. Throws Error if the numbers differ.
Interval bootstrap_difference(std::span<const double> a, std::span<const double> b, uint64_t seed);

/// Two-sided p of the mean paired difference by a permutation test: how often it is as far from zero when every user's
/// difference gets a random sign (10,000 draws, the observed one counted, so never 0).
double sign_flip_test(std::span<const double> a, std::span<const double> b, uint64_t seed);

/// p values corrected for their number by Holm's step-down method, in the order given.
std::vector<double> holm(std::span<const double> p);

}  // namespace seminar::inline SEMINAR_PRECISION
