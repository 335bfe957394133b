#include "nn/transformer.h"

namespace seminar::inline SEMINAR_PRECISION {

TransformerBlock::TransformerBlock(int64_t width, int64_t head_count, int64_t hidden, Rng rng, const BlockOptions& opts)
    : heads(head_count),
      options(opts),
      norm1(width),
      norm2(width),
      in_proj(width, 3 * width, rng.split("in_proj")),
      out_proj(width, width, rng.split("out_proj")),
      linear1(width, hidden, rng.split("linear1")),
      linear2(hidden, width, rng.split("linear2")) {}

Var TransformerBlock::operator()(const Var& x, const Ids& offsets, const Mode& mode) const {
  const Var attended =
      x + dropout(out_proj(self_attention(in_proj(norm1(x)), offsets, heads, options.causal)), mode, "attention");
  const Var hidden = linear1(norm2(attended));
  return attended + dropout(linear2(options.quick_gelu ? quick_gelu(hidden) : gelu(hidden)), mode, "feed_forward");
}

Var TransformerBlock::padded(const Var& x, const Tensor& mask, const Mode& mode) const {
  check(x.rank() == 3 && mask.defined() && mask.shape() == x.shape().leading(), "transformer: mask {} for {}",
        mask.shape(), x.shape());
  const int64_t batch = x.size(0), length = x.size(1), width = x.size(2);
  const Tensor keep = mask.contiguous();
  std::vector<int32_t> real_rows, offsets{0}, place(static_cast<std::size_t>(batch * length), 0);
  for (int64_t i = 0; i < batch * length; ++i) {
    if (keep.data()[i] != 0) {
      real_rows.push_back(static_cast<int32_t>(i));
      place[i] = static_cast<int32_t>(real_rows.size());  // row 0 is kept for padding
    }
    if ((i + 1) % length == 0) offsets.push_back(static_cast<int32_t>(real_rows.size()));
  }
  const Var packed = embedding(reshape(x, {batch * length, width}), Ids(std::move(real_rows)));
  const Var y = concat({Tensor::zeros({1, width}), (*this)(packed, Ids(std::move(offsets)), mode)}, 0);
  return embedding(y, Ids({batch, length}, std::move(place)));
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

Var TransformerEncoder::operator()(const Var& tokens, const Ids& offsets, const Mode& mode) const {
  check(tokens.rank() == 2 && offsets.numel() >= 1 && offsets[0] == 0 && offsets[offsets.numel() - 1] == tokens.size(0),
        "transformer: {} offsets do not cover tokens {}", offsets.numel(), tokens.shape());
  std::vector<int32_t> place, rows;
  for (int64_t i = 0; i + 1 < offsets.numel(); ++i) {
    const int64_t length = offsets[i + 1] - offsets[i];
    check(length >= 0 && length <= positions.shape()[0], "transformer: sequence {} of {} tokens: at most {}", i, length,
          positions.shape()[0]);
    for (int32_t t = offsets[i]; t < offsets[i + 1]; ++t) {
      place.push_back(t - offsets[i]);
      rows.push_back(t);
    }
  }
  Var x = tokens + embedding(positions, Ids(std::move(place)));
  for (std::size_t i = 0; i < blocks.size(); ++i) x = blocks[i](x, offsets, mode.split("block" + std::to_string(i)));
  return embedding_bag(norm(x), Ids(std::move(rows)), offsets);
}

}  // namespace seminar::inline SEMINAR_PRECISION
