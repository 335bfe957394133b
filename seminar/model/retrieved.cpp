#include "seminar/model/retrieved.h"

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

}  // namespace seminar::inline SEMINAR_PRECISION
