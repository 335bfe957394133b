#include "seminar/clip/clip.h"

#include <cmath>
#include <numeric>

#include "nn/clip_loss.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr double clip_first_temperature = 0.07;

Param normal(const Shape& shape, Rng rng, double std) { return Param(Tensor::normal(shape, rng, std)); }

std::vector<TransformerBlock> make_blocks(int64_t layers, int64_t width, int64_t heads, const BlockOptions& options,
                                          const Rng& rng) {
  std::vector<TransformerBlock> blocks;
  for (int64_t i = 0; i < layers; ++i)
    blocks.emplace_back(width, heads, 4 * width, rng.split(static_cast<uint64_t>(i)), options);
  return blocks;
}

Var run_blocks(const std::vector<TransformerBlock>& blocks, Var x, const Ids& offsets, const Mode& mode) {
  for (std::size_t i = 0; i < blocks.size(); ++i) x = blocks[i](x, offsets, mode.split("block" + std::to_string(i)));
  return x;
}

double width_std(int64_t width) { return 1 / std::sqrt(static_cast<double>(width)); }

}  // namespace

void check_settings(ClipSettings& s) {
  check_ranges(s);
  check(s.image_size % s.patch == 0, "--patch: must divide --image-size {}: {}", s.image_size, s.patch);
  check(s.image_width % s.image_heads == 0, "--image-heads: must divide --image-width {}: {}", s.image_width,
        s.image_heads);
  check(s.text_width % s.text_heads == 0, "--text-heads: must divide --text-width {}: {}", s.text_width, s.text_heads);
}

VisionTransformer::VisionTransformer(const ClipSettings& s, Rng rng)
    : patch_size(s.patch),
      patch(3 * s.patch * s.patch, s.image_width, rng.split("patch"), false),
      class_token(normal({1, s.image_width}, rng.split("class_token"), width_std(s.image_width))),
      positions(normal({1 + (s.image_size / s.patch) * (s.image_size / s.patch), s.image_width}, rng.split("positions"),
                       width_std(s.image_width))),
      norm_pre(s.image_width),
      blocks(make_blocks(s.image_layers, s.image_width, s.image_heads, {false, s.activation == "quick_gelu"}, rng)),
      norm_post(s.image_width),
      projection(s.image_width, s.dim, rng.split("projection"), false) {}

Var VisionTransformer::operator()(const Var& images, const Mode& mode) const {
  const Var patches = patch(image_patches(images, patch_size));
  const int64_t batch = patches.size(0), length = patches.size(1) + 1, width = patches.size(2);
  check(positions.shape()[0] == length, "vision Transformer: {} patches, {} positions", length - 1,
        positions.shape()[0] - 1);
  const Ids zeros(std::vector<int32_t>(static_cast<std::size_t>(batch), 0));
  const Var sequence = concat({reshape(embedding(class_token, zeros), {batch, 1, width}), patches}, 1) + positions;
  std::vector<int32_t> offsets, first;
  for (int64_t i = 0; i <= batch; ++i) offsets.push_back(static_cast<int32_t>(i * length));
  first.assign(offsets.begin(), offsets.end() - 1);
  const Var x = run_blocks(blocks, norm_pre(reshape(sequence, {batch * length, width})), Ids(std::move(offsets)), mode);
  return projection(norm_post(embedding(x, Ids(std::move(first)))));
}

TextTransformer::TextTransformer(const ClipSettings& s, Rng rng)
    : tokens(s.vocabulary, s.text_width, rng.split("tokens"), 0.02),
      positions(normal({s.text_length, s.text_width}, rng.split("positions"), 0.01)),
      blocks(make_blocks(s.text_layers, s.text_width, s.text_heads, {true, s.activation == "quick_gelu"}, rng)),
      norm(s.text_width),
      projection(s.text_width, s.dim, rng.split("projection"), false) {}

Var TextTransformer::operator()(const Ids& ids, const Ids& offsets, const Mode& mode) const {
  std::vector<int32_t> place, last;
  for (int64_t i = 0; i + 1 < offsets.numel(); ++i) {
    const int32_t length = offsets[i + 1] - offsets[i];
    check(length >= 1 && length <= positions.shape()[0], "text Transformer: a text of {} tokens; 1 to {} fit", length,
          positions.shape()[0]);
    for (int32_t t = 0; t < length; ++t) place.push_back(t);
    last.push_back(offsets[i + 1] - 1);
  }
  const Var x = run_blocks(blocks, tokens(ids) + embedding(positions, Ids(std::move(place))), offsets, mode);
  return projection(norm(embedding(x, Ids(std::move(last)))));
}

Clip::Clip(const ClipSettings& s, Rng rng)
    : settings(s),
      image(s, rng.split("image")),
      text(s, rng.split("text")),
      log_scale(Tensor::scalar(static_cast<real>(std::log(1 / clip_first_temperature)))) {}

Var Clip::loss(const Var& images, const Ids& ids, const Ids& offsets, const Mode& mode) const {
  const auto units = [](const Var& x) { return reshape(normalize(x), {1, x.size(0), x.size(1)}); };
  return clip_loss(units(image(images, mode.split("image"))), units(text(ids, offsets, mode.split("text"))),
                   clip_scale(log_scale), 1);
}

}  // namespace seminar::inline SEMINAR_PRECISION
