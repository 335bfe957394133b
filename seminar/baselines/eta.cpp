#include "seminar/baselines/eta.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t eta_bits = 64;

}  // namespace

Eta::Eta(const ModelSettings& s, const Dataset&, const Rng& rng)
    : planes(hash_planes(s.hash_bits > 0 ? s.hash_bits : eta_bits, s.dim, rng.split("planes"))),
      esu(s, rng.split("esu")) {}

Interest Eta::operator()(const UnitInput& in, const Mode&) const {
  const int64_t candidates = in.batch.candidates(), length = in.batch.length(), d = planes.shape()[1];
  const auto& [channels, targets, history] = in.fused;
  const SignCodes own = sign_codes(targets.value().reshape({-1, d}), planes.value()),
                  codes = sign_codes(history.value().reshape({-1, d}), planes.value());
  const Retrieved all = recent_behaviours(in.batch, length);
  const Retrieved nearest = retrieve_rows(in.batch.size() * candidates, length, in.run.k, [&](int64_t row) {
    const int64_t b = row / candidates;
    const auto newest_first = all.positions.begin() + b * length;
    return nearest_codes(own.row(row), codes, b * length, {newest_first, newest_first + history_length(in.batch, b)});
  });
  return {esu.x_lifelong(targets, history, nearest, behaviour_ages(in.batch)), nearest};
}

}  // namespace seminar::inline SEMINAR_PRECISION
