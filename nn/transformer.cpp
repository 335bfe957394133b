#include "nn/transformer.h"

namespace seminar::inline SEMINAR_PRECISION {

TransformerBlock::TransformerBlock(int64_t width, int64_t head_count, int64_t hidden, Rng rng)
    : heads(head_count),
      norm1(width),
      norm2(width),
      in_proj(width, 3 * width, rng.split("in_proj")),
      out_proj(width, width, rng.split("out_proj")),
      linear1(width, hidden, rng.split("linear1")),
      linear2(hidden, width, rng.split("linear2")) {}

Var TransformerBlock::operator()(const Var& x, const Tensor& mask, const Mode& mode) const {
  const Var attended = x + dropout(out_proj(self_attention(in_proj(norm1(x)), heads, mask)), mode, "attention");
  return attended + dropout(linear2(gelu(linear1(norm2(attended)))), mode, "feed_forward");
}

TransformerEncoder::TransformerEncoder(int64_t width, int64_t heads, int64_t depth, int64_t max_length, Rng rng)
    : positions([&] {
        Rng stream = rng.split("positions");
        return Tensor::normal({max_length, width}, stream, 0.02);
      }()),
      norm(width) {
  for (int64_t i = 0; i < depth; ++i)
    blocks.push_back(TransformerBlock(width, heads, 2 * width, rng.split(static_cast<uint64_t>(i))));
}

Var TransformerEncoder::operator()(const Var& tokens, const Tensor& mask, const Mode& mode) const {
  const int64_t length = tokens.size(1);
  check(length <= positions.shape()[0], "transformer: {} tokens, positions for {}", length, positions.shape()[0]);
  Var x = tokens + slice(positions, 0, 0, length);
  for (std::size_t i = 0; i < blocks.size(); ++i) x = blocks[i](x, mask, mode.split("block" + std::to_string(i)));
  return masked_mean(norm(x), mask);
}

}  // namespace seminar::inline SEMINAR_PRECISION
