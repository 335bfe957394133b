#include "seminar/model/retrieved.h"

#include "pq/topk.h"
#include "tensor/kernels.h"

namespace seminar::inline SEMINAR_PRECISION {

Tensor Retrieved::keep(int64_t length) const {
  Tensor out = Tensor::zeros({rows(), length});
  real* y = out.write();
  for (int64_t i = 0; i < std::ssize(positions); ++i)
    if (mask.data()[i] != 0) y[i / k * length + positions[i]] = 1;
  return out;
}

Ids Retrieved::rows_of(int64_t batch, int64_t length) const {
  std::vector<int32_t> at(positions);
  const int64_t per_history = rows() / batch * k;
  for (int64_t i = 0; i < std::ssize(at); ++i) at[i] += static_cast<int32_t>(i / per_history * length);
  return {{rows(), k}, std::move(at)};
}

Var softmax_of_kept(const Var& scores, const Retrieved& kept) {
  const Shape& all = scores.shape();
  const int64_t length = all[-1];
  const Shape by_row{kept.rows(), all.rows() / kept.rows(), length};
  return reshape(softmax(reshape(scores, by_row), kept.keep(length)), all);
}

Retrieved retrieve_top_k(const Tensor& scores, const Tensor& mask, int64_t targets, int64_t k) {
  check(k >= 1, "retrieval: k must be at least 1: {}", k);
  const int64_t heads = scores.size(1) / targets, length = scores.size(2);
  const Tensor a = scores.contiguous(), m = mask.contiguous();
  return retrieve_rows(scores.size(0) * targets, length, k, [&](int64_t r) {
    std::vector<real> total(static_cast<std::size_t>(length), 0);
    for (int64_t h = 0; h < heads; ++h) kernels().axpy(length, 1, a.data() + (r * heads + h) * length, total.data());
    const std::span<const real> real_ones(m.data() + r / targets * length, static_cast<std::size_t>(length));
    return top_k(total, real_ones, k);
  });
}

}  // namespace seminar::inline SEMINAR_PRECISION
