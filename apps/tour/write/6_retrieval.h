// Chapter 6: which behaviours the GSU keeps. Complete the three functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace tour {

using Row = std::vector<double>;
using Matrix = std::vector<Row>;  // rows

/// q Σ_h W_h^Q W_h^Kᵀ: the one vector whose product with a behaviour is the sum of all heads' scores (without 1/√d).
/// wq[h] and wk[h] are the [d, d] matrices of head h.
inline Row folded(const Row& q, const std::vector<Matrix>& wq, const std::vector<Matrix>& wk) {
  (void)q, (void)wq, (void)wk;
  return {};  // your part
}

/// Positions of the k best real behaviours, best first, the earlier of equals first. Fewer if fewer are real.
inline std::vector<std::size_t> top_k(const Row& scores, const std::vector<bool>& real, std::size_t k) {
  (void)scores, (void)real, (void)k;
  return {};  // your part
}

/// The share of the softmax over all scores that the kept positions have.
inline double covered(const Row& scores, const std::vector<std::size_t>& kept) {
  (void)scores, (void)kept;
  return -1;  // your part
}

}  // namespace tour
