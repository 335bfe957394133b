#include "seminar/baselines/sdim.h"

#include "pq/simhash.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t sdim_bits = 48;

}  // namespace

Sdim::Sdim(const ModelSettings& s, const Dataset&, const Rng& rng)
    : width(s.hash_width), planes(hash_planes(s.hash_bits > 0 ? s.hash_bits : sdim_bits, s.dim, rng.split("planes"))) {
  check(planes.shape()[0] % width == 0, "--hash-width {}: must divide --hash-bits {}", width, planes.shape()[0]);
}

std::vector<int32_t> Sdim::buckets(const Tensor& x) const {
  const SignCodes codes = sign_codes(x, planes.value());
  std::vector<int32_t> out;
  out.reserve(static_cast<std::size_t>(x.size(0) * groups()));
  for (int64_t i = 0; i < x.size(0); ++i)
    for (int64_t g = 0; g < groups(); ++g) {
      int32_t bucket = static_cast<int32_t>(g);
      for (int64_t bit = g * width; bit < (g + 1) * width; ++bit)
        bucket = 2 * bucket + static_cast<int32_t>(codes.row(i)[bit / 64] >> (bit % 64) & 1);
      out.push_back(bucket);
    }
  return out;
}

Interest Sdim::operator()(const UnitInput& in, const Mode&) const {
  const int64_t batch = in.batch.size(), candidates = in.batch.candidates(), length = in.batch.length(),
                d = planes.shape()[1], all = groups() << width;
  const std::vector<int32_t> stored = buckets(in.fused.history.value().reshape({-1, d}));
  std::vector<int32_t> asked = buckets(in.fused.targets.value().reshape({-1, d})), start;
  // Every history's bucket sums, which no target changes: as a product with who is where.
  Tensor members = Tensor::zeros({batch, all, length});
  real* one = members.write();
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t l = 0; l < history_length(in.batch, b); ++l)
      for (int64_t g = 0; g < groups(); ++g) one[(b * all + stored[(b * length + l) * groups() + g]) * length + l] = 1;
  const Var sums = normalize(reshape(matmul(members, in.fused.history), {batch * all, d}));
  for (int64_t row = 0; row < batch * candidates; ++row) {
    start.push_back(static_cast<int32_t>(row * groups()));
    for (int64_t g = 0; g < groups(); ++g) asked[row * groups() + g] += static_cast<int32_t>(row / candidates * all);
  }
  start.push_back(static_cast<int32_t>(std::ssize(asked)));
  return {reshape(embedding_bag(sums, Ids(std::move(asked)), Ids(std::move(start))), {batch, candidates, d})};
}

}  // namespace seminar::inline SEMINAR_PRECISION
