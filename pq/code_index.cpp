#include "pq/code_index.h"

#include "pq/scan_kernels.h"

namespace seminar::inline SEMINAR_PRECISION {

CodeIndex::CodeIndex(std::span<const uint16_t> codes, int64_t channels, int64_t tables, int64_t centroids,
                     const Tensor& gamma)
    : length_(std::ssize(codes) / (channels * tables)) {
  const int64_t in_key = channels * tables, stride = round_up(length_, code_block);
  const bool weighted = gamma.defined();
  check(std::ssize(codes) == length_ * in_key && (!weighted || gamma.shape() == Shape({length_, channels})),
        "code index: {} codes, {} a key", codes.size(), in_key);
  for (const uint16_t code : codes) check(code < centroids, "code index: code {} of {} centroids", code, centroids);
  codes_.resize(static_cast<std::size_t>(in_key * stride));
  low_.resize(codes_.size());
  ninth_.resize(codes_.size() / 8);
  if (weighted) {
    gamma_.resize(static_cast<std::size_t>(channels * stride));
    gamma_most_.resize(static_cast<std::size_t>(channels));
  }
  columns_ = {channels,          tables,      centroids,     stride,
              codes_.data(),     low_.data(), ninth_.data(), weighted ? gamma_.data() : nullptr,
              gamma_most_.data()};
  const Tensor weights = weighted ? gamma.contiguous() : gamma;
  for (int64_t l = 0; l < length_; ++l)
    columns_.set(l, codes.data() + l * in_key, weighted ? weights.data() + l * channels : nullptr);
}

std::vector<Found> CodeIndex::top(const Tensor& table, int64_t k) const {
  check(table.shape() == Shape({columns_.channels, columns_.tables, columns_.centroids}) && k >= 1,
        "code index: table {} for {} channels, {} tables, {} centroids, k {}", table.shape(), columns_.channels,
        columns_.tables, columns_.centroids, k);
  if (length_ == 0) return {};
  const Tensor t = table.contiguous();
  std::vector<uint8_t> bytes(static_cast<std::size_t>(columns_.channels * columns_.tables * byte_table));
  std::vector<real> scores(static_cast<std::size_t>(columns_.stride));
  std::vector<Found> found(static_cast<std::size_t>(length_));
  const int64_t count = code_top(columns_, length_, 0, t.data(), k, bytes.data(), scores.data(), found.data());
  check(count >= 0, "code index: a score is NaN");
  found.resize(static_cast<std::size_t>(count));
  return found;
}

}  // namespace seminar::inline SEMINAR_PRECISION
