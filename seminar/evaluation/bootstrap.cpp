#include "seminar/evaluation/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t sign_draws = 10000;
constexpr int64_t grain = 10;  // resamples a block

std::vector<double> differences(std::span<const double> a, std::span<const double> b) {
  check(a.size() == b.size(), "paired differences: {} and {} values", a.size(), b.size());
  std::vector<double> d(a.size());
  std::transform(a.begin(), a.end(), b.begin(), d.begin(), std::minus<>());
  return d;
}

double sum(std::span<const double> values) { return std::accumulate(values.begin(), values.end(), 0.0); }

}  // namespace

Interval percentile_interval(double mean, std::vector<double> resampled) {
  std::sort(resampled.begin(), resampled.end());
  const std::size_t tail = resampled.size() / 40;
  return {mean, resampled[tail - 1], resampled[resampled.size() - tail]};
}

Interval bootstrap(std::span<const double> values, uint64_t seed) {
  check(!values.empty(), "bootstrap: no values");
  const int64_t n = std::ssize(values);
  const Rng rng = Rng(seed).split("bootstrap");
  std::vector<double> means(resamples);
  parallel_for(resamples, grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      Rng draw = rng.split(static_cast<uint64_t>(r));
      double total = 0;
      for (int64_t i = 0; i < n; ++i) total += values[static_cast<std::size_t>(draw.below(n))];
      means[static_cast<std::size_t>(r)] = total / static_cast<double>(n);
    }
  });
  return percentile_interval(sum(values) / static_cast<double>(n), std::move(means));
}

Interval bootstrap_difference(std::span<const double> a, std::span<const double> b, uint64_t seed) {
  return bootstrap(differences(a, b), seed);
}

double sign_flip_test(std::span<const double> a, std::span<const double> b, uint64_t seed) {
  std::vector<double> d = differences(a, b);
  const double observed = std::abs(sum(d));
  std::erase(d, 0.0);                            // a sign changes nothing there
  const double as_far = observed * (1 - 1e-12);  // sums of the same numbers differ by rounding
  const Rng rng = Rng(seed).split("signs");
  std::vector<uint8_t> far(sign_draws);
  parallel_for(sign_draws, grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      Rng draw = rng.split(static_cast<uint64_t>(r));
      double total = 0;
      for (std::size_t i = 0; i < d.size(); i += 64) {
        uint64_t signs = draw.next();
        for (std::size_t j = i; j < std::min(i + 64, d.size()); ++j, signs >>= 1)
          total += (signs & 1) != 0 ? d[j] : -d[j];
      }
      far[static_cast<std::size_t>(r)] = std::abs(total) >= as_far;
    }
  });
  return (1 + std::accumulate(far.begin(), far.end(), 0.0)) / (1 + sign_draws);
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> corrected(p.size());
  double least = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    least = std::max(least, std::min(1.0, static_cast<double>(p.size() - i) * p[order[i]]));
    corrected[order[i]] = least;
  }
  return corrected;
}

}  // namespace seminar::inline SEMINAR_PRECISION
