// Product quantizer of one channel: a d-vector is cut into S sub-vectors, each coded by the nearest of K centroids. The
// paper (§3.3.3) calls S "N_bit" and K "|C|".
#pragma once

#include <vector>

#include "pq/kmeans.h"
#include "tensor/io/safetensors.h"

namespace seminar::inline SEMINAR_PRECISION {

class ProductQuantizer {
 public:
  static constexpr int64_t max_centroids = 1024;
  using Code = uint16_t;

  /// From codebooks [S, K, d / S]; throws Error for another rank, K outside 1..1024 or numbers that are not finite.
  explicit ProductQuantizer(Tensor codebooks);
  /// Trains the S codebooks on points [n, d], each on its own sub-vectors. Throws Error if S does not divide d.
  static ProductQuantizer train(const Tensor& points, int64_t sub_quantizers, const KMeansOptions& options);

  int64_t sub_quantizers() const { return codebooks_.size(0); }
  int64_t centroids() const { return codebooks_.size(1); }
  int64_t dim() const { return codebooks_.size(0) * codebooks_.size(2); }
  const Tensor& codebooks() const { return codebooks_; }

  /// Codes [n * S] of points [n, d]; the lower code among equals.
  std::vector<Code> encode(const Tensor& points) const;
  /// Points [n, d] of codes [n * S]; throws Error for a code without a centroid.
  Tensor decode(std::span<const Code> codes) const;

 private:
  Tensor codebooks_;
};

}  // namespace seminar::inline SEMINAR_PRECISION
