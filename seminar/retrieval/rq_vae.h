// Residual codes: plain residual k-means, and RQ-VAE (encoder, residual quantizer with straight-through gradients,
// decoder), trained in our own autograd. d width, z latent width, n levels, K centroids a level.
#pragma once

#include "nn/layers.h"
#include "pq/kmeans.h"

namespace seminar::inline SEMINAR_PRECISION {

struct ResidualOptions {
  int64_t levels = 4;
  int64_t centroids = 256;
  uint64_t seed = 1;
};

/// Codebooks [K, d], each trained by k-means on what the levels before it left over.
class ResidualQuantizer {
 public:
  /// Trains on points [n, d].
  ResidualQuantizer(const Tensor& points, const ResidualOptions& options, int64_t iterations = 15);
  /// What the codes remember of x [n, d].
  Tensor decode(const Tensor& x) const;
  double bits() const;

 private:
  std::vector<Tensor> codebooks_;
};

struct RqVaeOptions : ResidualOptions {
  int64_t latent = 32;
  int64_t hidden = 64;
  int64_t steps = 1500;
  int64_t batch = 256;
  double lr = 2e-3;
  double commitment = 0.25;  ///< weight β of |z - sg(q)|² beside |sg(z) - q|²
};

struct RqVae {
  Mlp encoder, decoder;
  std::vector<Param> codebooks;  ///< per level [K, z]
  RqVae(int64_t width, const RqVaeOptions& options, Rng rng);

  struct Forward {
    Var reconstruction;  ///< [n, d]
    Var loss;            ///< mean square of the reconstruction error, and the codebook and commitment terms
  };
  /// z = encoder(x), q = Σ codewords, decoder(z + sg(q - z)): the gradient passes straight through the quantizer.
  Forward operator()(const Tensor& x, double commitment) const;
  /// What the codes remember of x [n, d].
  Tensor decode(const Tensor& x) const;
  double bits() const;
  void visit(auto&& f) const {
    f("encoder", encoder);
    f("decoder", decoder);
    f("codebooks", codebooks);
  }

 private:
  struct Quantized {
    Var sum, codebook_loss, commitment_loss;
  };
  Quantized quantize(const Var& z) const;
};

/// Trains on points [n, d] with Adam; codebooks start as the residual k-means of the encoder's outputs. The same seed
/// gives the same bits.
RqVae train_rq_vae(const Tensor& points, const RqVaeOptions& options);

}  // namespace seminar::inline SEMINAR_PRECISION
