#include "seminar/clip/clip_file.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "seminar/clip/clip_config.h"
#include "seminar/data/dataset.h"
#include "tensor/finite.h"
#include "tensor/io/safetensors.h"

namespace fs = std::filesystem;

namespace seminar::inline SEMINAR_PRECISION {
namespace {

enum class Naming { openai, hugging_face };

struct Renaming {
  const char *ours, *openai, *hugging_face;
};
// Parts of parameter names, replaced from the first to the last.
constexpr Renaming renamings[] = {
    {"image.class_token", "visual.class_embedding", "vision_model.embeddings.class_embedding"},
    {"image.patch.", "visual.conv1.", "vision_model.embeddings.patch_embedding."},
    {"image.positions", "visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"},
    {"image.norm_pre.", "visual.ln_pre.", "vision_model.pre_layrnorm."},  // their spelling
    {"image.norm_post.", "visual.ln_post.", "vision_model.post_layernorm."},
    {"image.projection.weight", "visual.proj", "visual_projection.weight"},
    {"image.blocks.", "visual.transformer.resblocks.", "vision_model.encoder.layers."},
    {"text.tokens.table", "token_embedding.weight", "text_model.embeddings.token_embedding.weight"},
    {"text.positions", "positional_embedding", "text_model.embeddings.position_embedding.weight"},
    {"text.norm.", "ln_final.", "text_model.final_layer_norm."},
    {"text.projection.weight", "text_projection", "text_projection.weight"},
    {"text.blocks.", "transformer.resblocks.", "text_model.encoder.layers."},
    {".norm1.", ".ln_1.", ".layer_norm1."},
    {".norm2.", ".ln_2.", ".layer_norm2."},
    {".in_proj.", ".attn.in_proj_", ".self_attn.q_proj."},
    {".out_proj.", ".attn.out_proj.", ".self_attn.out_proj."},
    {".linear1.", ".mlp.c_fc.", ".mlp.fc1."},
    {".linear2.", ".mlp.c_proj.", ".mlp.fc2."},
    {"log_scale", "logit_scale", "logit_scale"},
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  if (const std::size_t at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

std::string name_in_file(std::string name, Naming naming) {
  for (const Renaming& r : renamings)
    name = replaced(name, r.ours, naming == Naming::openai ? r.openai : r.hugging_face);
  return name;
}

bool transposed_in_file(const std::string& ours, Naming naming) {
  return naming == Naming::openai && ours.ends_with("projection.weight");
}

// Numbers of places and sizes that some files keep among the weights.
bool tells_no_weight(const std::string& name) {
  constexpr const char* names[] = {"position_ids", "attn_mask", "input_resolution", "context_length", "vocab_size"};
  return std::any_of(std::begin(names), std::end(names), [&](const char* n) { return name.ends_with(n); });
}

class ClipReader {
 public:
  ClipReader(const std::string& path) : file_(path) {
    const bool openai = file_.has("visual.conv1.weight"),
               hugging_face = file_.has("vision_model.embeddings.patch_embedding.weight");
    check(openai || hugging_face,
          "{}: not a CLIP model with a ViT: neither 'visual.conv1.weight' (OpenAI, open_clip) nor "
          "'vision_model.embeddings.patch_embedding.weight' (Hugging Face)",
          path);
    naming_ = openai ? Naming::openai : Naming::hugging_face;
  }

  ClipSettings settings(const ClipFileOptions& options, ChannelScale& scale) const {
    ClipSettings s;
    const Shape patch = shape("image.patch.weight", 4);
    s.image_width = patch[0];
    s.patch = patch[2];
    check(patch[1] == 3 && patch[2] == patch[3] && patch[2] >= 1, "{}: '{}': must be [width, 3, p, p], not {}",
          file_.path(), in_file("image.patch.weight"), patch);
    const int64_t places = shape("image.positions", 2)[0] - 1,
                  side = std::llround(std::sqrt(static_cast<double>(std::max<int64_t>(0, places))));
    check(side >= 1 && side * side == places, "{}: '{}': {} patches are not a square", file_.path(),
          in_file("image.positions"), places);
    s.image_size = side * s.patch;
    s.image_layers = blocks("image");
    const Shape projection = shape("text.projection.weight", 2);
    s.dim = projection[transposed_in_file("text.projection.weight", naming_) ? 1 : 0];
    s.text_length = shape("text.positions", 2)[0];
    s.vocabulary = shape("text.tokens.table", 2)[0];
    s.text_width = shape("text.tokens.table", 2)[1];
    s.text_layers = blocks("text");
    s.image_heads = std::max<int64_t>(1, s.image_width / 64);
    s.text_heads = std::max<int64_t>(1, s.text_width / 64);
    read_configuration(s, scale);
    if (!options.activation.empty()) s.activation = options.activation;
    try {
      check_settings(s);
    } catch (const Error& e) {
      fail("{}: {}", file_.path(), e.what());
    }
    // A file may name blocks without holding them: no memory for what cannot be in it.
    std::size_t bytes = 0;
    for (const auto& [name, entry] : file_.entries()) bytes += entry.bytes.size();
    const int64_t weights =
        12 * (s.image_layers * s.image_width * s.image_width + s.text_layers * s.text_width * s.text_width);
    check(2 * static_cast<std::size_t>(weights) <= bytes, "{}: {} bytes of tensors, its {} and {} blocks need {}",
          file_.path(), bytes, s.image_layers, s.text_layers, 2 * weights);
    return s;
  }

  // A tensor that no parameter takes is refused: without it the model would be another one.
  void read(const Params& params) {
    for (const NamedParam& p : params) {
      Tensor target = p.var.value();
      Tensor source = naming_ == Naming::hugging_face && p.name.find(".in_proj.") != std::string::npos
                          ? joined_projections(p.name)
                          : tensor(in_file(p.name));
      const Shape stored = source.shape();
      if (transposed_in_file(p.name, naming_) && source.rank() == 2) source = source.transpose().contiguous();
      const bool reshaped = p.name == "image.patch.weight" || p.name == "image.class_token" || p.name == "log_scale";
      check(source.shape() == target.shape() || (reshaped && source.numel() == target.numel()),
            "{}: '{}': shape {}, {} is needed", file_.path(), in_file(p.name), stored, target.shape());
      const int64_t bad = first_not_finite(source);
      check(bad < 0, "{}: '{}': number {} is not finite", file_.path(), in_file(p.name), bad);
      std::copy_n(source.data(), source.numel(), target.write());
    }
    for (const auto& [name, entry] : file_.entries())
      check(used_.count(name) != 0 || tells_no_weight(name),
            "{}: tensor '{}' is no part of a CLIP model as this program computes it", file_.path(), name);
  }

  const SafetensorsFile& file() const { return file_; }

 private:
  std::string in_file(const std::string& ours) const { return name_in_file(ours, naming_); }
  Tensor tensor(const std::string& name) {
    used_.insert(name);
    check(file_.has(name), "{}: tensor missing: '{}'", file_.path(), name);
    return file_.tensor(name);
  }
  Shape shape(const std::string& ours, int rank) const {
    const std::string name = in_file(ours);
    check(file_.has(name), "{}: tensor missing: '{}'", file_.path(), name);
    const Shape& s = file_.entry(name).shape;
    check(s.rank() == rank, "{}: '{}': shape {}, {} axes are needed", file_.path(), name, s, rank);
    for (int i = 0; i < rank; ++i) check(s[i] >= 1, "{}: '{}': shape {}", file_.path(), name, s);
    return s;
  }
  int64_t blocks(const std::string& tower) const {
    int64_t n = 0;
    while (file_.has(in_file(fmt::format("{}.blocks.{}.norm1.weight", tower, n)))) ++n;
    return n;
  }
  // Hugging Face keeps the projections of Q, K and V apart.
  Tensor joined_projections(const std::string& ours) {
    std::vector<Var> parts;
    for (const char* part : {".q_proj.", ".k_proj.", ".v_proj."})
      parts.emplace_back(tensor(replaced(in_file(ours), ".q_proj.", part)));
    for (const Var& part : parts)
      check(part.shape() == parts[0].shape() && part.rank() >= 1, "{}: '{}': shapes {} and {} of its parts differ",
            file_.path(), in_file(ours), parts[0].shape(), part.shape());
    return concat(parts, 0).value();
  }

  void read_configuration(ClipSettings& s, ChannelScale& scale) const {
    const auto& meta = file_.metadata();
    const std::string folder = fs::path(file_.path()).parent_path().string();
    if (const auto own = meta.find("seminar_clip"); own != meta.end())
      read_own_config(own->second, file_.path() + ": metadata 'seminar_clip'", s, scale);
    else if (naming_ == Naming::hugging_face)
      read_hugging_face_config(folder, s, scale);
    else
      read_open_clip_config(folder, s, scale);
  }

  SafetensorsFile file_;
  Naming naming_ = Naming::openai;
  std::set<std::string> used_;
};

std::optional<Tokenizer> find_tokenizer(const SafetensorsFile& file, const std::string& merges) {
  if (!merges.empty()) return Tokenizer::read(merges);
  if (const auto it = file.metadata().find("tokenizer"); it != file.metadata().end())
    return Tokenizer::from_text(it->second, file.path() + ": tokenizer");
  for (const char* name : {"merges.txt", "bpe_simple_vocab_16e6.txt.gz"})
    if (const fs::path path = fs::path(file.path()).parent_path() / name; fs::is_regular_file(path))
      return Tokenizer::read(path.string());
  return {};
}

}  // namespace

ClipModel load_clip(const std::string& path, const ClipFileOptions& options) {
  ClipReader reader(path);
  ChannelScale scale;
  const ClipSettings settings = reader.settings(options, scale);
  ClipModel model{build<Clip>(settings, Rng(0)), find_tokenizer(reader.file(), options.merges), file_checksum(path)};
  model.clip.scale = scale;
  // Start and end of a text are the last two tokens of both.
  if (model.tokenizer)
    check(model.tokenizer->size() == settings.vocabulary,
          "{}: the merges make {} tokens, the model has {}: they are cut short or another model's", path,
          model.tokenizer->size(), settings.vocabulary);
  reader.read(parameters(model.clip));
  return model;
}

void save_clip(const Clip& clip, const Tokenizer& tokenizer, const std::string& path) {
  SafetensorsWriter file;
  file.meta("seminar_clip", own_config(clip.settings, clip.scale));
  file.meta("tokenizer", tokenizer.text());
  for (const NamedParam& p : parameters(clip)) {
    Tensor value = p.var.value();
    if (transposed_in_file(p.name, Naming::openai)) value = value.transpose().contiguous();
    if (p.name == "image.patch.weight")
      value = value.reshape({clip.settings.image_width, 3, clip.settings.patch, clip.settings.patch});
    if (p.name == "image.class_token") value = value.reshape({clip.settings.image_width});
    file.add(name_in_file(p.name, Naming::openai), value);
  }
  file.save(path);
}

}  // namespace seminar::inline SEMINAR_PRECISION
