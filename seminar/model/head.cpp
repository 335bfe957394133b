#include "seminar/model/head.h"

namespace seminar::inline SEMINAR_PRECISION {

Var repeat_targets(const Var& x, int64_t targets) {
  std::vector<int32_t> ids;
  for (int64_t b = 0; b < x.size(0); ++b)
    ids.insert(ids.end(), static_cast<std::size_t>(targets), static_cast<int32_t>(b));
  return embedding(x, Ids({x.size(0), targets}, std::move(ids)));
}

Var Head::operator()(const Var& lifelong, const Var& user, const Var& item, const Mode& mode) const {
  const int64_t batch = item.size(0), targets = item.size(1);
  const Var mean = repeat_targets(user, targets);
  return reshape(mlp(concat({lifelong, mean, item, lifelong * item, mean * item}, -1), mode), {batch, targets});
}

}  // namespace seminar::inline SEMINAR_PRECISION
