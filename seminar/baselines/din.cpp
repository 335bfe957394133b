#include "seminar/baselines/din.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr real first_slope = static_cast<real>(0.25);

}  // namespace

Din::Din(const ModelSettings& s, const Dataset&, const Rng& rng)
    : first(4 * s.dim, s.hidden, rng.split("first")),
      slope(Tensor::full({s.hidden}, first_slope)),
      last(s.hidden, 1, rng.split("last")) {}

Var Din::activations(const Var& targets, const Var& behaviours) const {
  const int64_t batch = targets.size(0), count = targets.size(1), d = targets.size(2), k = behaviours.size(1),
                hidden = slope.shape()[0];
  const auto part = [&](int64_t i) { return slice(first.weight, 1, i * d, (i + 1) * d); };
  const Var target_part = linear(targets, part(0) + part(2), *first.bias);
  const Var behaviour_part = linear(behaviours, part(1) - part(2));
  const Var product = reshape(targets, {batch, count, 1, d}) * reshape(behaviours, {batch, 1, k, d});
  const Var x = linear(product, part(3)) + reshape(target_part, {batch, count, 1, hidden}) +
                reshape(behaviour_part, {batch, 1, k, hidden});
  return reshape(last(relu(x) - slope * relu(scale(x, -1))), {batch, count, k});
}

Interest Din::operator()(const UnitInput& in, const Mode&) const {
  const Retrieved recent = recent_behaviours(in.batch, in.run.k);
  const Var kept = kept_behaviours(in.fused.history, recent);
  const Var weights = activations(in.fused.targets, kept) * recent.mask.reshape({in.batch.size(), 1, recent.k});
  return {matmul(weights, kept), recent};
}

}  // namespace seminar::inline SEMINAR_PRECISION
