#include "tensor/topk.h"

#include <algorithm>
#include <cmath>

namespace seminar::inline SEMINAR_PRECISION {

std::vector<int32_t> top_k(std::span<const real> scores, std::span<const real> mask, int64_t k) {
  check(k >= 1, "top_k: k must be at least 1: {}", k);
  check(mask.empty() || mask.size() == scores.size(), "top_k: {} scores, {} mask values", scores.size(), mask.size());
  std::vector<int32_t> kept;
  kept.reserve(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!mask.empty() && mask[i] == 0) continue;
    check(!std::isnan(scores[i]), "top_k: score {} is NaN", i);
    kept.push_back(static_cast<int32_t>(i));
  }
  const auto better = [&](int32_t a, int32_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; };
  if (static_cast<int64_t>(kept.size()) > k) {
    std::nth_element(kept.begin(), kept.begin() + k, kept.end(), better);
    kept.resize(static_cast<std::size_t>(k));
  }
  std::sort(kept.begin(), kept.end(), better);
  return kept;
}

}  // namespace seminar::inline SEMINAR_PRECISION
