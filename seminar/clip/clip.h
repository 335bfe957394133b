// CLIP (Radford et al. 2021): a vision Transformer and a causal text Transformer that map pictures and their captions
// to unit vectors near each other. The architecture is that of the published ViT models, at any size, so the same code
// trains small ones and runs pretrained ones (clip_file.h).
#pragma once

#include <string>
#include <utility>

#include "nn/transformer.h"
#include "seminar/clip/image_patches.h"
#include "seminar/data/image.h"
#include "seminar/settings.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Sizes of both towers.
struct ClipSettings {
  int64_t dim = 64;
  int64_t image_size = 32, patch = 8, image_width = 128, image_layers = 4, image_heads = 4;
  int64_t text_length = 32, vocabulary = 1024, text_width = 128, text_layers = 2, text_heads = 4;
  std::string activation = "quick_gelu";

  void visit(auto&& f) {
    f(SettingInfo{"dim", "width of the common vectors", 1, 8192, {}}, dim);
    f(SettingInfo{"image-size", "pixels of a picture's side", 1, 4096, {}}, image_size);
    f(SettingInfo{"patch", "pixels of a patch's side; divides --image-size", 1, 4096, {}}, patch);
    f(SettingInfo{"image-width", "width of the vision Transformer", 1, 8192, {}}, image_width);
    f(SettingInfo{"image-layers", "its blocks", 1, 128, {}}, image_layers);
    f(SettingInfo{"image-heads", "its attention heads; divides --image-width", 1, 128, {}}, image_heads);
    f(SettingInfo{"text-length", "tokens of a caption with start and end", 3, 4096, {}}, text_length);
    f(SettingInfo{"vocabulary", "tokens of the byte-pair encoding, at most", 258, 1 << 20, {}}, vocabulary);
    f(SettingInfo{"text-width", "width of the text Transformer", 1, 8192, {}}, text_width);
    f(SettingInfo{"text-layers", "its blocks", 1, 128, {}}, text_layers);
    f(SettingInfo{"text-heads", "its attention heads; divides --text-width", 1, 128, {}}, text_heads);
    f(SettingInfo{"activation", "between the layers of a block", 0, 0, {"quick_gelu", "gelu"}}, activation);
  }
};
/// Throws Error for the first setting out of range, and where patches or heads do not divide.
void check_settings(ClipSettings& settings);

/// Dosovitskiy et al. 2021, with CLIP's norm before the blocks.
struct VisionTransformer {
  int64_t patch_size;
  Linear patch;       ///< [width, 3 p²]
  Param class_token;  ///< [1, width]
  Param positions;    ///< [1 + patches, width], the class token's first
  LayerNorm norm_pre;
  std::vector<TransformerBlock> blocks;
  LayerNorm norm_post;
  Linear projection;  ///< [dim, width]
  VisionTransformer(const ClipSettings& settings, Rng rng);
  /// images [B, 3, size, size], normalised -> [B, dim]
  Var operator()(const Var& images, const Mode& mode) const;
  void visit(auto&& f) const {
    f("class_token", class_token);
    f("patch", patch);
    f("positions", positions);
    f("norm_pre", norm_pre);
    f("blocks", blocks);
    f("norm_post", norm_post);
    f("projection", projection);
  }
};

/// Causal blocks; a text's vector is that of its last token.
struct TextTransformer {
  Embedding tokens;
  Param positions;  ///< [text_length, width]
  std::vector<TransformerBlock> blocks;
  LayerNorm norm;
  Linear projection;  ///< [dim, width]
  TextTransformer(const ClipSettings& settings, Rng rng);
  /// Text i is ids[offsets[i] .. offsets[i+1]), at least one token and at most text_length -> [texts, dim]
  Var operator()(const Ids& ids, const Ids& offsets, const Mode& mode) const;
  void visit(auto&& f) const {
    f("tokens", tokens);
    f("positions", positions);
    f("blocks", blocks);
    f("norm", norm);
    f("projection", projection);
  }
};

struct Clip {
  ClipSettings settings;
  ChannelScale scale;  ///< of the pictures' colours
  VisionTransformer image;
  TextTransformer text;
  Param log_scale;  ///< scalar, log of 1 / temperature; at most 100 is used
  Clip(const ClipSettings& settings, Rng rng);
  /// Symmetric cross entropy of the pairs: images [B, 3, size, size], texts as TextTransformer takes them.
  Var loss(const Var& images, const Ids& ids, const Ids& offsets, const Mode& mode) const;
  void visit(auto&& f) const {
    f("image", image);
    f("text", text);
    f("log_scale", log_scale);
  }
};

}  // namespace seminar::inline SEMINAR_PRECISION
