#include "seminar/model/head.h"

namespace seminar::inline SEMINAR_PRECISION {

Var repeat_targets(const Var& x, int64_t targets) {
  std::vector<int32_t> ids;
  for (int64_t b = 0; b < x.size(0); ++b)
    ids.insert(ids.end(), static_cast<std::size_t>(targets), static_cast<int32_t>(b));
  return embedding(x, Ids({x.size(0), targets}, std::move(ids)));
}

Head::Head(const ModelSettings& s, Rng rng, const HeadOptions& options)
    : mlp({((s.history_mean == "on" ? 5 : 3) + options.side) * s.dim, s.hidden, 1}, rng, false),
      history_mean(s.history_mean == "on") {
  if (options.bias) bias.emplace(Tensor::zeros({1}));
}

Var Head::y_hat(const Var& lifelong, const Var& mean, const Var& item, const Mode& mode, bool biased,
                const Var& side) const {
  const int64_t batch = item.size(0), targets = item.size(1);
  std::vector<Var> inputs{lifelong, item, lifelong * item};
  if (history_mean) {
    const Var repeated = repeat_targets(mean, targets);
    inputs = {lifelong, repeated, item, lifelong * item, repeated * item};
  }
  if (side.defined()) inputs.push_back(side);
  const Var y = reshape(mlp(concat(inputs, -1), mode), {batch, targets});
  return biased && bias ? y + *bias : y;
}

}  // namespace seminar::inline SEMINAR_PRECISION
