// What the SEMINAR authors' code gives all its baselines: an attention whose head projections are random and never
// trained, histories padded to a fixed length with padding that takes part, and a head of its own shape. Repeated here
// (--form authors) to measure what the difference to the faithful forms is worth.
#pragma once

#include "nn/layers.h"
#include "seminar/baselines/baseline.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Histories of run.history behaviours, where the batch's are shorter filled up with the vector of padding.
struct AuthorsHistory {
  Var rows;     ///< [B, L, d]
  Tensor mask;  ///< [B, L]: 0 for padding
  /// `history` [B, L', d] with L' <= L; `pad` [1, d].
  AuthorsHistory(const Var& history, const Var& pad, const UnitInput& in);
  /// Of the fused pairs: padding is the pair of the empty query and no item.
  explicit AuthorsHistory(const UnitInput& in);
  int64_t length() const { return mask.size(1); }
  /// A mask that leaves nothing out.
  Tensor everything() const { return Tensor::full(mask.shape(), 1); }
  /// A row's behaviours newest first, then its padding, which the authors put before the oldest.
  std::vector<int32_t> newest_first(const Batch& batch, int64_t b) const;
  /// The same positions, with 0 in the mask where padding was chosen.
  Retrieved marked(Retrieved chosen) const;
};

/// x W_h + b_h for frozen W [H, d, d] and b [H, 1, d] from U(±1/√d), PyTorch's start values.
struct FrozenProjection {
  Buffer weight, bias;
  FrozenProjection(int64_t heads, int64_t d, const Rng& rng);
  /// x [..., d] -> [H, n, d] with n the number of rows of x.
  Var operator()(const Var& x) const;
  void visit(auto&& f) const {
    f("weight", weight);
    f("bias", bias);
  }
};

/// (x W_h^Q + b_h^Q)(k W_h^K)ᵀ: frozen scores. A bias of the keys would add the same to all scores of a query, to no
/// effect on order or softmax, and so is left out.
struct FrozenScores {
  FrozenProjection query;
  Buffer key;  ///< [H, d, d]
  FrozenScores(int64_t heads, int64_t d, const Rng& rng);
  /// q [B, T, d], keys [B, L, d] -> [B, T * H, L]
  Var operator()(const Var& q, const Var& keys) const;
  void visit(auto&& f) const {
    f("query", query);
    f("key", key);
  }
};

/// Multi-head target attention with H frozen projections [d, d]; only the output layer learns.
struct AuthorsAttention {
  FrozenScores scores;
  FrozenProjection value;
  Linear output;  ///< H d -> d
  AuthorsAttention(const ModelSettings& s, const Rng& rng);
  /// Reads what was chosen of the history, padding as zero vectors that still take their share of the softmax:
  /// [B, T, d] of q [B, T, d].
  Var operator()(const Var& q, const AuthorsHistory& history, const Retrieved& chosen) const;
  void visit(auto&& f) const {
    f("scores", scores);
    f("value", value);
    f("output", output);
  }
};

/// MLP [lifelong ; item], 2 d -> d -> 1, used for the prediction and for SIM's own.
struct AuthorsHead {
  Mlp mlp;
  AuthorsHead(const ModelSettings& s, const Rng& rng, const HeadOptions& options = {})
      : mlp({(2 + options.side) * s.dim, s.dim, 1}, rng) {}
  /// ŷ, logits [B, T], of lifelong [B, T, d] and item [B, T, d]; the user's mean takes no part.
  Var y_hat(const Var& lifelong, const Var& mean, const Var& item, const Mode& mode, bool biased = true,
            const Var& side = {}) const;
  void visit(auto&& f) const { f("mlp", mlp); }
};

}  // namespace seminar::inline SEMINAR_PRECISION
