#include "pq/topk.h"

#include <algorithm>
#include <cmath>

#include "pq/select.h"

namespace seminar::inline SEMINAR_PRECISION {

std::vector<int32_t> top_k(std::span<const real> scores, std::span<const real> mask, int64_t k) {
  check(k >= 1, "top_k: k must be at least 1: {}", k);
  check(mask.empty() || mask.size() == scores.size(), "top_k: {} scores, {} mask values", scores.size(), mask.size());
  // What the mask leaves, in order. Most masks leave all, or all but an end.
  std::vector<int32_t> places;
  std::vector<real> left;
  const auto masked = std::find(mask.begin(), mask.end(), real{0});
  std::span<const real> unmasked = scores;
  if (masked != mask.end()) {
    unmasked = scores.first(static_cast<std::size_t>(masked - mask.begin()));
    if (std::any_of(masked, mask.end(), [](real m) { return m != 0; })) {
      for (std::size_t i = 0; i < scores.size(); ++i)
        if (mask[i] != 0) places.push_back(static_cast<int32_t>(i));
      for (const int32_t i : places) left.push_back(scores[i]);
      unmasked = left;
    }
  }
  std::vector<Found> found(unmasked.size());
  const int64_t count = select_top(std::ssize(unmasked), unmasked.data(), 0, k, found.data());
  for (std::size_t i = 0; i < scores.size() && count < 0; ++i)
    check(!std::isnan(scores[i]) || (!mask.empty() && mask[i] == 0), "top_k: score {} is NaN", i);
  std::vector<int32_t> best;
  for (int64_t i = 0; i < count; ++i) best.push_back(places.empty() ? found[i].position : places[found[i].position]);
  return best;
}

}  // namespace seminar::inline SEMINAR_PRECISION
