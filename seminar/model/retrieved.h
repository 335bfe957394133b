// Which behaviours of a history a model keeps for a target, and how their rows are found again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "autograd/ops.h"
#include "tensor/parallel.h"
#include "tensor/tensor.h"

namespace seminar::inline SEMINAR_PRECISION {

/// The K behaviours kept in each of `rows` rows: one row a history [B], a target [B * T], or, where heads keep their
/// own, a target and head [B * T * H].
struct Retrieved {
  int64_t k = 0;
  std::vector<int32_t> positions;  ///< [rows * K] into the history, best first; 0 where fewer than K are left
  Tensor mask;                     ///< [rows, K]: 1 where a behaviour stands
  int64_t rows() const { return mask.size(0); }
  /// 1 where a history's behaviour is kept, else 0: [rows, L].
  Tensor keep(int64_t length) const;
  /// The positions as rows of histories [batch * L]: [rows, K].
  Ids rows_of(int64_t batch, int64_t length) const;
};

/// Softmax of scores α [B, T * H, L] over the behaviours that are kept for each target, or for each target and head; 0
/// elsewhere.
Var softmax_of_kept(const Var& scores, const Retrieved& kept);

/// In each of `rows` rows the first k of what choose(row) lists, best first: positions in a history of length L.
template <class Choose>
Retrieved retrieve_rows(int64_t rows, int64_t length, int64_t k, const Choose& choose) {
  const int64_t kept = std::min(k, length);
  Retrieved out{kept, std::vector<int32_t>(static_cast<std::size_t>(rows * kept), 0), Tensor::zeros({rows, kept})};
  real* mask = out.mask.write();
  parallel_for(rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const std::vector<int32_t> best = choose(r);
      const int64_t count = std::min<int64_t>(kept, std::ssize(best));
      std::copy_n(best.begin(), count, out.positions.begin() + r * kept);
      std::fill_n(mask + r * kept, count, real{1});
    }
  });
  return out;
}

/// The K best of every target by scores α [B, T * H, L], summed over the H heads of each of the T = `targets` targets,
/// where mask [B, L] is not 0; fewer where fewer are real; of equals the older. Rows [B * T]. With targets = T * H
/// every head keeps its own: rows [B * T * H]. Throws Error for k < 1.
Retrieved retrieve_top_k(const Tensor& scores, const Tensor& mask, int64_t targets, int64_t k);

}  // namespace seminar::inline SEMINAR_PRECISION
