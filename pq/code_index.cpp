#include "pq/code_index.h"

#include <algorithm>

#include "tensor/finite.h"

namespace seminar::inline SEMINAR_PRECISION {

CodeIndex::CodeIndex(std::span<const uint16_t> codes, int64_t channels, int64_t tables, int64_t centroids,
                     const Tensor& gamma)
    : length_(std::ssize(codes) / std::max<int64_t>(1, channels * tables)) {
  const int64_t in_key = channels * tables, stride = round_up(length_, code_block);
  const bool weighted = gamma.defined();
  check(channels >= 1 && tables >= 1 && centroids >= 1, "code index: {} channels, {} tables, {} centroids", channels,
        tables, centroids);
  check(std::ssize(codes) == length_ * in_key && (!weighted || gamma.shape() == Shape({length_, channels})),
        "code index: {} codes, {} a key", codes.size(), in_key);
  for (const uint16_t code : codes) check(code < centroids, "code index: code {} of {} centroids", code, centroids);
  codes_.resize(static_cast<std::size_t>(in_key * stride));
  low_.resize(codes_.size());
  ninth_.resize(codes_.size() / 8);
  if (weighted) {
    gamma_.resize(static_cast<std::size_t>(channels * stride));
    max_abs_gamma_.resize(static_cast<std::size_t>(channels));
  }
  columns_ = {channels,
              tables,
              centroids,
              stride,
              codes_.data(),
              low_.data(),
              ninth_.data(),
              weighted ? gamma_.data() : nullptr,
              max_abs_gamma_.data()};
  const Tensor weights = weighted ? gamma.contiguous() : gamma;
  if (weighted) {
    const int64_t bad = first_not_finite(weights);
    check(bad < 0, "code index: a weight of key {} is not finite", bad / channels);
  }
  for (int64_t l = 0; l < length_; ++l)
    columns_.set(l, codes.data() + l * in_key, weighted ? weights.data() + l * channels : nullptr);
}

std::vector<Found> CodeIndex::top(const Tensor& table, int64_t k, const ScanKernels& kernels) const {
  check(table.shape() == Shape({columns_.channels, columns_.tables, columns_.centroids}) && k >= 1,
        "code index: table {} for {} channels, {} tables, {} centroids, k {}", table.shape(), columns_.channels,
        columns_.tables, columns_.centroids, k);
  if (length_ == 0) return {};
  const Tensor t = table.contiguous();
  std::vector<uint8_t> bytes(static_cast<std::size_t>(columns_.channels * columns_.tables * byte_table));
  std::vector<real> scores(static_cast<std::size_t>(columns_.stride));
  std::vector<Found> found(static_cast<std::size_t>(length_));
  const int64_t count = code_top(columns_, length_, 0, t.data(), k, bytes.data(), scores.data(), found.data(), kernels);
  check(count >= 0, "code index: a score is NaN");
  found.resize(static_cast<std::size_t>(count));
  return found;
}

}  // namespace seminar::inline SEMINAR_PRECISION
