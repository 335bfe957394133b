#include "pq/product_quantizer.h"

#include <algorithm>

#include "tensor/finite.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// Sub-vectors b of points [n, d] as [n, d / S].
Tensor part(const Tensor& points, int64_t b, int64_t width) {
  return points.slice(1, b * width, (b + 1) * width).contiguous();
}

}  // namespace

ProductQuantizer::ProductQuantizer(Tensor codebooks) : codebooks_(codebooks.contiguous()) {
  check(codebooks_.rank() == 3 && codebooks_.size(0) >= 1 && codebooks_.size(2) >= 1,
        "product quantizer: codebooks must be [S, K, d/S], not {}", codebooks_.shape());
  check(centroids() >= 1 && centroids() <= max_centroids, "product quantizer: 1 to {} centroids, not {}", max_centroids,
        centroids());
  const int64_t bad = first_not_finite(codebooks_);
  check(bad < 0, "product quantizer: centroid {} is not finite", bad / codebooks_.size(2));
}

ProductQuantizer ProductQuantizer::train(const Tensor& points, int64_t sub_quantizers, const KMeansOptions& options) {
  check(points.rank() == 2 && sub_quantizers >= 1 && points.size(1) % sub_quantizers == 0,
        "product quantizer: {} sub-quantizers do not divide vectors {}", sub_quantizers, points.shape());
  check(options.clusters >= 1 && options.clusters <= max_centroids, "product quantizer: 1 to {} centroids, not {}",
        max_centroids, options.clusters);
  const int64_t width = points.size(1) / sub_quantizers;
  Tensor codebooks = Tensor::empty({sub_quantizers, options.clusters, width});
  real* out = codebooks.write();
  for (int64_t b = 0; b < sub_quantizers; ++b) {
    KMeansOptions own = options;
    own.seed = Rng(options.seed).split(static_cast<uint64_t>(b)).next();
    const Tensor centroids = kmeans(part(points, b, width), own).centroids;
    std::copy_n(centroids.data(), centroids.numel(), out + b * centroids.numel());
  }
  return ProductQuantizer(codebooks);
}

std::vector<ProductQuantizer::Code> ProductQuantizer::encode(const Tensor& points) const {
  check(points.rank() == 2 && points.size(1) == dim(), "encode: vectors {} for a quantizer of width {}", points.shape(),
        dim());
  const int64_t n = points.size(0), s = sub_quantizers(), width = codebooks_.size(2);
  const Tensor source = points.contiguous();
  const int64_t bad = first_not_finite(source);
  check(bad < 0, "encode: vector {} is not finite", bad / dim());
  std::vector<Code> codes(static_cast<std::size_t>(n * s));
  for (int64_t b = 0; b < s; ++b) {
    const std::vector<int32_t> best =
        nearest(part(source, b, width), codebooks_.slice(0, b, b + 1).reshape({centroids(), width}));
    for (int64_t i = 0; i < n; ++i) codes[i * s + b] = static_cast<Code>(best[i]);
  }
  return codes;
}

Tensor ProductQuantizer::decode(std::span<const Code> codes) const {
  const int64_t s = sub_quantizers(), width = codebooks_.size(2);
  check(std::ssize(codes) % s == 0, "decode: {} codes for {} sub-quantizers", codes.size(), s);
  Tensor points = Tensor::empty({std::ssize(codes) / s, dim()});
  real* y = points.write();
  for (int64_t i = 0; i < std::ssize(codes); ++i) {
    check(codes[i] < centroids(), "decode: code {} of {} centroids", codes[i], centroids());
    std::copy_n(codebooks_.data() + ((i % s) * centroids() + codes[i]) * width, width, y + i * width);
  }
  return points;
}

}  // namespace seminar::inline SEMINAR_PRECISION
