#include "pq/simhash.h"

#include <bit>

#include "tensor/gemm.h"
#include "tensor/parallel.h"

namespace seminar::inline SEMINAR_PRECISION {

Tensor hash_planes(int64_t bits, int64_t d, Rng rng) { return Tensor::normal({bits, d}, rng); }

SignCodes sign_codes(const Tensor& rows, const Tensor& planes, const Tensor& bias) {
  const int64_t n = rows.size(0), bits = planes.size(0);
  SignCodes out{(bits + 63) / 64, {}};
  out.codes.resize(static_cast<std::size_t>(n * out.words), 0);
  const Tensor projected = matmul(rows, planes.transpose());
  parallel_for(n, row_grain(4 * bits), [&, x = projected.data()](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t b = 0; b < bits; ++b)
        if (x[i * bits + b] + (bias.defined() ? bias.data()[b] : 0) > 0)
          out.codes[i * out.words + b / 64] |= uint64_t{1} << (b % 64);
  });
  return out;
}

int64_t hamming(std::span<const uint64_t> a, std::span<const uint64_t> b) {
  int64_t distance = 0;
  for (std::size_t w = 0; w < a.size(); ++w) distance += std::popcount(a[w] ^ b[w]);
  return distance;
}

std::vector<int32_t> nearest_codes(std::span<const uint64_t> own, const SignCodes& codes, int64_t first,
                                   std::span<const int32_t> order) {
  std::vector<std::vector<int32_t>> by_distance(own.size() * 64 + 1);
  for (const int32_t l : order) by_distance[hamming(own, codes.row(first + l))].push_back(l);
  std::vector<int32_t> nearest;
  nearest.reserve(order.size());
  for (const std::vector<int32_t>& equals : by_distance) nearest.insert(nearest.end(), equals.begin(), equals.end());
  return nearest;
}

}  // namespace seminar::inline SEMINAR_PRECISION
