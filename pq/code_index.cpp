#include "pq/code_index.h"

#include "tensor/scan_kernels.h"

namespace seminar::inline SEMINAR_PRECISION {

CodeIndex::CodeIndex(std::span<const uint16_t> codes, int64_t channels, int64_t tables, int64_t centroids,
                     const Tensor& gamma)
    : length_(std::ssize(codes) / (channels * tables)) {
  const int64_t in_key = channels * tables, stride = (length_ + 63) / 64 * 64;
  check(std::ssize(codes) == length_ * in_key && (!gamma.defined() || gamma.shape() == Shape({length_, channels})),
        "code index: {} codes, {} a key", codes.size(), in_key);
  const auto size = [](int64_t n) { return static_cast<std::size_t>(n); };
  codes_.resize(size(in_key * stride));
  low_.resize(codes_.size());
  ninth_.resize(codes_.size() / 8);
  bytes_.resize(size(in_key * byte_table));
  scores_.resize(size(stride));
  found_.resize(size(length_));
  if (gamma.defined()) {
    gamma_.resize(size(channels * stride));
    gamma_most_.resize(size(channels));
  }
  columns_ = {channels,          tables,      centroids,     stride,
              codes_.data(),     low_.data(), ninth_.data(), gamma.defined() ? gamma_.data() : nullptr,
              gamma_most_.data()};
  const Tensor weights = gamma.defined() ? gamma.contiguous() : gamma;
  for (int64_t l = 0; l < length_; ++l) {
    for (const uint16_t code : codes.subspan(size(l * in_key), size(in_key)))
      check(code < centroids, "code index: code {} of {} centroids", code, centroids);
    columns_.set(l, codes.data() + l * in_key, gamma.defined() ? weights.data() + l * channels : nullptr);
  }
}

std::span<const Found> CodeIndex::top(const Tensor& table, int64_t k) {
  check(table.shape() == Shape({columns_.channels, columns_.tables, columns_.centroids}) && k >= 1,
        "code index: table {} for {} channels, {} tables, {} centroids, k {}", table.shape(), columns_.channels,
        columns_.tables, columns_.centroids, k);
  if (length_ == 0) return {};
  const Tensor t = table.contiguous();
  const int64_t count = code_top(columns_, length_, 0, t.data(), k, bytes_.data(), scores_.data(), found_.data());
  check(count >= 0, "code index: a score is NaN");
  return std::span(found_).first(static_cast<std::size_t>(count));
}

}  // namespace seminar::inline SEMINAR_PRECISION
