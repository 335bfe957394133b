// The Transformer encoder: pre-norm blocks over sequences that stand packed one after the other, so that padding costs
// nothing; learned positions.
#pragma once

#include "nn/layers.h"

namespace seminar::inline SEMINAR_PRECISION {

/// How a block differs from the plain encoder's.
struct BlockOptions {
  bool causal = false;      ///< a position sees itself and those before it
  bool quick_gelu = false;  ///< x σ(1.702 x) in place of GELU
};

/// x + Attention(LN(x)), then x + W2 GELU(W1 LN(x)).
struct TransformerBlock {
  int64_t heads;
  BlockOptions options;
  LayerNorm norm1, norm2;
  Linear in_proj, out_proj, linear1, linear2;
  TransformerBlock(int64_t width, int64_t head_count, int64_t hidden, Rng rng, const BlockOptions& opts = {});
  /// x [N, width], sequence i in rows offsets[i] .. offsets[i+1] -> [N, width].
  Var operator()(const Var& x, const Ids& offsets, const Mode& mode) const;
  /// The same on padded sequences: x [B, T, width], mask [B, T] with 0 for padding -> [B, T, width], padding rows zero.
  Var padded(const Var& x, const Tensor& mask, const Mode& mode) const;
  void visit(auto&& f) const {
    f("norm1", norm1);
    f("in_proj", in_proj);
    f("out_proj", out_proj);
    f("norm2", norm2);
    f("linear1", linear1);
    f("linear2", linear2);
  }
};

/// Tokens + positions, blocks, final norm, mean over each sequence's tokens.
struct TransformerEncoder {
  Param positions;  ///< [max_length, width]
  std::vector<TransformerBlock> blocks;
  LayerNorm norm;
  TransformerEncoder(int64_t width, int64_t heads, int64_t depth, int64_t max_length, Rng rng);
  /// tokens [N, width], sequence i in rows offsets[i] .. offsets[i+1], each at most max_length long -> [sequences,
  /// width]; an empty sequence gives zeros.
  Var operator()(const Var& tokens, const Ids& offsets, const Mode& mode) const;
  void visit(auto&& f) const {
    f("positions", positions);
    f("blocks", blocks);
    f("norm", norm);
  }
};

}  // namespace seminar::inline SEMINAR_PRECISION
