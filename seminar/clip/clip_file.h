// CLIP models on disk: the two namings people have, both ways.
#pragma once

#include <optional>
#include <string>

#include "seminar/clip/clip.h"
#include "seminar/data/tokenizer.h"

namespace seminar::inline SEMINAR_PRECISION {

/// What a weights file may leave open.
struct ClipFileOptions {
  std::string merges;      ///< tokenizer; if empty, the one in the file, or merges.txt or
                           ///< bpe_simple_vocab_16e6.txt.gz beside it
  std::string activation;  ///< "quick_gelu" or "gelu"; if empty, what the file or the configuration beside it says
};

struct ClipModel {
  Clip clip;
  std::optional<Tokenizer> tokenizer;
  std::string fingerprint;  ///< checksum of the file
};

/// Reads a CLIP model with a ViT from a safetensors file named as OpenAI's and open_clip's (`visual.conv1.weight`) or
/// as Hugging Face's (`vision_model.embeddings.patch_embedding.weight`), in F32, F16 or BF16. Sizes are those of the
/// tensors. Heads, activation and the scale of colours stand in the file (save_clip), in config.json and
/// preprocessor_config.json (Hugging Face) or open_clip_config.json beside it; without these a head is 64 wide, the
/// activation is OpenAI's quick_gelu and the scale OpenAI's.
/// Throws Error naming file and tensor, and both shapes, if one is missing, does not fit or has no place in the model;
/// naming file and member for a configuration that this program does not compute; if the tokenizer has not as many
/// tokens as the model.
ClipModel load_clip(const std::string& path, const ClipFileOptions& options = {});

/// Writes OpenAI's naming, which load_clip and open_clip read, with heads, activation and tokenizer as metadata.
void save_clip(const Clip& clip, const Tokenizer& tokenizer, const std::string& path);

}  // namespace seminar::inline SEMINAR_PRECISION
