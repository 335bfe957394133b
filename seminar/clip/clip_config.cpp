#include "seminar/clip/clip_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "tensor/io/file.h"
#include "tensor/io/json.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr uint64_t max_bytes = 1 << 20;
constexpr double layer_norm_eps = 1e-5, byte_scale = 1 / 255.0, tolerance = 1e-9;
const json absent;

// A JSON object, with the place it stands in for messages. Members that are null are as if they were not there.
class Config {
 public:
  Config(std::string where, const std::string& text) : where_(std::move(where)), json_(parse_json(text, where_)) {
    check(json_.is_object(), "{}: not a JSON object", where_);
  }
  // The object's member that is an object itself; empty if it is not there.
  Config part(const char* name) const {
    const json& value = get(name);
    check(value.is_null() || value.is_object(), "{}: '{}' is not an object", where_, name);
    return {fmt::format("{}: {}", where_, name), value.is_null() ? json::object() : value};
  }
  bool has(const char* name) const { return !get(name).is_null(); }

  void read(const char* name, int64_t& value) const {
    const json& v = get(name);
    if (v.is_null()) return;
    if (!v.is_number_integer()) refuse(name, "a whole number is needed");
    value = v.get<int64_t>();
  }
  void read(const char* name, bool& value) const {
    const json& v = get(name);
    if (v.is_null()) return;
    if (!v.is_boolean()) refuse(name, "true or false is needed");
    value = v.get<bool>();
  }
  void read(const char* name, std::string& value) const {
    const json& v = get(name);
    if (v.is_null()) return;
    if (!v.is_string()) refuse(name, "a text is needed");
    value = v.get<std::string>();
  }
  void read(const char* name, std::array<double, 3>& value) const {
    const json& v = get(name);
    if (v.is_null()) return;
    const bool good =
        v.is_array() && v.size() == 3 && std::all_of(v.begin(), v.end(), [](const json& x) { return x.is_number(); });
    if (!good) refuse(name, "three numbers are needed");
    value = v.get<std::array<double, 3>>();
  }
  // What it says must be this, if it says anything.
  void expect(const char* name, const json& value) const {
    const json& v = get(name);
    const bool same = v.is_number() && value.is_number()
                          ? std::abs(v.get<double>() - value.get<double>()) <= tolerance * std::abs(value.get<double>())
                          : v == value;
    if (!v.is_null() && !same) refuse(name, fmt::format("this program computes with {}", value.dump()));
  }
  void expect_none(std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      const json& v = get(name);
      if (!v.is_null() && v != false && !(v.is_structured() && v.empty()))
        refuse(name, "this program has no such part");
    }
  }
  // A size of the tensors; a picture's may be written for both sides.
  void expect_size(const char* name, int64_t size) const {
    const json& v = get(name);
    if (v.is_null() || v == size) return;
    const bool both = v.is_array() && v.size() == 2 && v[0] == size && v[1] == size;
    if (!both) refuse(name, fmt::format("{} is needed", size));
  }
  // How large a picture is made: its shorter side, or both where it is cut.
  void expect_picture_size(const char* name, int64_t size, std::initializer_list<const char*> sides) const {
    const json& v = get(name);
    if (!v.is_object()) return expect_size(name, size);
    for (const auto& side : v.items()) {
      const bool known = std::any_of(sides.begin(), sides.end(), [&](const char* s) { return side.key() == s; });
      if (!known || side.value() != size) refuse(name, fmt::format("{} of {} is needed", *sides.begin(), size));
    }
  }
  [[noreturn]] void refuse(const char* name, const std::string& why) const {
    fail("{}: '{}' is {}: {}", where_, name, get(name).dump(), why);
  }

 private:
  Config(std::string where, json value) : where_(std::move(where)), json_(std::move(value)) {}
  const json& get(const char* name) const {
    const auto it = json_.find(name);
    return it == json_.end() ? absent : *it;
  }
  std::string where_;
  json json_;
};

std::optional<Config> beside(const std::string& folder, const char* name) {
  const std::string path = (fs::path(folder) / name).string();
  if (!fs::is_regular_file(path)) return {};
  return Config(path, read_file(path, max_bytes));
}

void check_scale(const Config& config, const char* name, const ChannelScale& scale) {
  for (const double x : scale.std)
    if (!(x > 0)) config.refuse(name, "deviations above 0 are needed");
}

}  // namespace

void read_hugging_face_config(const std::string& folder, ClipSettings& s, ChannelScale& scale) {
  if (const auto config = beside(folder, "config.json")) {
    config->expect("model_type", "clip");
    config->expect_size("projection_dim", s.dim);
    const Config vision = config->part("vision_config"), text = config->part("text_config");
    vision.read("num_attention_heads", s.image_heads);
    text.read("num_attention_heads", s.text_heads);
    text.read("hidden_act", s.activation);
    vision.expect("hidden_act", s.activation);
    for (const Config* tower : {&vision, &text}) tower->expect("layer_norm_eps", layer_norm_eps);
    vision.expect_size("image_size", s.image_size);
    vision.expect_size("patch_size", s.patch);
    vision.expect_size("hidden_size", s.image_width);
    vision.expect_size("num_hidden_layers", s.image_layers);
    text.expect_size("max_position_embeddings", s.text_length);
    text.expect_size("vocab_size", s.vocabulary);
    text.expect_size("hidden_size", s.text_width);
    text.expect_size("num_hidden_layers", s.text_layers);
    // 2 is what old files say for the last token of the vocabulary.
    int64_t end = 2;
    text.read("eos_token_id", end);
    if (end != 2) text.expect_size("eos_token_id", s.vocabulary - 1);
  }
  if (const auto config = beside(folder, "preprocessor_config.json")) {
    config->read("image_mean", scale.mean);
    config->read("image_std", scale.std);
    check_scale(*config, "image_std", scale);
    for (const char* step : {"do_normalize", "do_rescale", "do_resize", "do_center_crop"}) config->expect(step, true);
    config->expect("rescale_factor", byte_scale);
    config->expect("resample", 3);  // bicubic
    config->expect_picture_size("size", s.image_size, {"shortest_edge"});
    config->expect_picture_size("crop_size", s.image_size, {"height", "width"});
  }
}

void read_open_clip_config(const std::string& folder, ClipSettings& s, ChannelScale& scale) {
  const auto config = beside(folder, "open_clip_config.json");
  if (!config) return;
  const Config model = config->part("model_cfg"), vision = model.part("vision_cfg"), text = model.part("text_cfg"),
               pictures = config->part("preprocess_cfg");
  int64_t head_width = 64;
  vision.read("head_width", head_width);
  if (head_width >= 1) s.image_heads = std::max<int64_t>(1, s.image_width / head_width);
  text.read("heads", s.text_heads);
  bool quick = false;
  model.read("quick_gelu", quick);
  s.activation = quick ? "quick_gelu" : "gelu";
  model.expect_size("embed_dim", s.dim);
  model.expect_none({"init_logit_bias"});
  vision.expect_size("image_size", s.image_size);
  vision.expect_size("patch_size", s.patch);
  vision.expect_size("width", s.image_width);
  vision.expect_size("layers", s.image_layers);
  vision.expect("pool_type", "tok");
  vision.expect("pos_embed_type", "learnable");
  vision.expect_none({"attentional_pool", "global_average_pool", "final_ln_after_pool", "no_ln_pre", "input_patchnorm",
                      "ls_init_value", "timm_model_name", "act_kwargs"});
  text.expect_size("context_length", s.text_length);
  text.expect_size("vocab_size", s.vocabulary);
  text.expect_size("width", s.text_width);
  text.expect_size("layers", s.text_layers);
  text.expect("pool_type", "argmax");
  text.expect("proj_type", "linear");
  text.expect_none({"embed_cls", "no_causal_mask", "proj_bias", "final_ln_after_pool", "ls_init_value", "hf_model_name",
                    "act_kwargs"});
  for (const Config* tower : {&vision, &text}) tower->part("norm_kwargs").expect("eps", layer_norm_eps);
  pictures.read("mean", scale.mean);
  pictures.read("std", scale.std);
  check_scale(pictures, "std", scale);
  pictures.expect("mode", "RGB");
  pictures.expect("interpolation", "bicubic");
  pictures.expect("resize_mode", "shortest");
  pictures.expect_size("size", s.image_size);
}

void read_own_config(const std::string& text, const std::string& where, ClipSettings& s, ChannelScale& scale) {
  const Config config(where, text);
  config.read("image-heads", s.image_heads);
  config.read("text-heads", s.text_heads);
  config.read("activation", s.activation);
  config.read("image-mean", scale.mean);
  config.read("image-std", scale.std);
  check_scale(config, "image-std", scale);
}

std::string own_config(const ClipSettings& s, const ChannelScale& scale) {
  return nlohmann::ordered_json{{"image-heads", s.image_heads},
                                {"text-heads", s.text_heads},
                                {"activation", s.activation},
                                {"image-mean", scale.mean},
                                {"image-std", scale.std}}
      .dump();
}

}  // namespace seminar::inline SEMINAR_PRECISION
