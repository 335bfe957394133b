#include "seminar/baselines/eta.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t default_bits = 64;

}  // namespace

Tensor hash_planes(int64_t bits, int64_t d, Rng rng) { return Tensor::normal({bits, d}, rng); }

std::vector<int32_t> nearest_codes(std::span<const uint64_t> own, const SignCodes& codes, int64_t first,
                                   const std::vector<int32_t>& order) {
  std::vector<std::vector<int32_t>> by_distance(own.size() * 64 + 1);
  for (const int32_t l : order) by_distance[hamming(own, codes.row(first + l))].push_back(l);
  std::vector<int32_t> nearest;
  for (const std::vector<int32_t>& equals : by_distance) nearest.insert(nearest.end(), equals.begin(), equals.end());
  return nearest;
}

Eta::Eta(const ModelSettings& s, const Dataset&, const Rng& rng)
    : planes(hash_planes(s.hash_bits > 0 ? s.hash_bits : default_bits, s.dim, rng.split("planes"))),
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
  return {esu(targets, history, nearest, behaviour_ages(in.batch)), nearest};
}

}  // namespace seminar::inline SEMINAR_PRECISION
