// Multi-modal product quantization (paper §3.3.3): one quantizer per channel; a target is scored against L coded
// behaviours by table look-ups. C channels, S sub-quantizers, K centroids.
#pragma once

#include <vector>

#include "pq/product_quantizer.h"

namespace seminar::inline SEMINAR_PRECISION {

class MultimodalQuantizer {
 public:
  using Code = ProductQuantizer::Code;
  /// One quantizer per channel, all of the same S, K and width; throws Error otherwise.
  explicit MultimodalQuantizer(std::vector<ProductQuantizer> channels);
  const std::vector<ProductQuantizer>& channels() const { return channels_; }

  /// Codes [L, C, S] of behaviours [L, C, d].
  std::vector<Code> encode(const Tensor& behaviours) const;

  // Four ways to score; gamma [C] weighs the channels of both sides: score = Σ_i Σ_j γ_i γ_j ⟨x_t^(i), x_l^(j)⟩.

  /// The paper's form: inner products of all centroid pairs, [C, C, S, K, K]; C² S look-ups a behaviour.
  Tensor pair_tables() const;
  std::vector<real> score_pairs(const Tensor& tables, std::span<const Code> target, std::span<const Code> behaviours,
                                const Tensor& gamma) const;
  /// One table [C, S, K] for a target that is coded too: γ_j Σ_i γ_i ⟨c_b^(i)(t), c⟩.
  Tensor folded_table(std::span<const Code> target, const Tensor& gamma) const;
  /// One table [C, S, K] for an exact target [C, d]: γ_j ⟨(Σ_i γ_i x_t^(i))_b, c⟩. Cheaper than folding, closer to
  /// exact.
  Tensor asymmetric_table(const Tensor& target, const Tensor& gamma) const;
  /// C S look-ups a behaviour in either table: scores [L] of codes [L, C, S].
  std::vector<real> scan(const Tensor& table, std::span<const Code> behaviours) const;
  /// For behaviours with weights of their own: the table [C, S, K] of ⟨target_b, c⟩ without any γ_j for a fused target
  /// [d], and its scan with gamma [L, C].
  Tensor channel_table(const Tensor& fused_target) const;
  std::vector<real> scan_weighted(const Tensor& table, std::span<const Code> behaviours, const Tensor& gamma) const;
  /// What codes [L, C, S] remember: [L, C, d].
  Tensor decode(std::span<const Code> behaviours) const;
  /// The reference: decode, fuse, multiply. `fused_target` [d] = Σ_i γ_i x_t^(i).
  std::vector<real> score_decoded(const Tensor& fused_target, std::span<const Code> behaviours,
                                  const Tensor& gamma) const;

 private:
  int64_t codes_per_behaviour() const { return std::ssize(channels_) * channels_[0].sub_quantizers(); }
  int64_t count(std::span<const Code> behaviours) const;
  std::vector<ProductQuantizer> channels_;
  Tensor columns_;  // [C, S, d / S, K]: the codebooks with their centroids side by side
};

/// Codebooks under `prefix`.0, `prefix`.1, …, and back; load throws Error for missing or unequal channels.
void add_quantizer(SafetensorsWriter& file, const std::string& prefix, const MultimodalQuantizer& quantizer);
MultimodalQuantizer load_quantizer(const SafetensorsFile& file, const std::string& prefix);

}  // namespace seminar::inline SEMINAR_PRECISION
