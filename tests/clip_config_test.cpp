// What stands beside CLIP weights is used or refused; training that keeps held-out captions and orders apart.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "seminar/clip/clip_file.h"
#include "seminar/clip/clip_training.h"
#include "seminar/data/line_reader.h"
#include "tensor/io/file.h"
#include "tensor/io/safetensors.h"
#include "tests/temporary_folder.h"

using namespace seminar;
using doctest::Contains;
using nlohmann::json;

namespace {

const std::string clip_fixtures = SEMINAR_SOURCE_DIR "/tests/clip/";

// The fixture's weights in a folder of their own, whose configuration tests write.
struct Weights {
  explicit Weights(const std::string& naming)
      : config(json::parse(
            read_file(clip_fixtures + naming + (naming == "openai" ? "/open_clip_config.json" : "/config.json")))),
        name(naming == "openai" ? "open_clip_config.json" : "config.json"),
        path(folder / "model.safetensors") {
    copy_file(clip_fixtures + naming + "/model.safetensors", path);
  }
  ClipModel load(const json& changed) {
    write_file(folder / name, changed.dump());
    return load_clip(path, {clip_fixtures + "merges.txt", ""});
  }
  // The configuration with one member changed.
  json with(const std::string& place, const json& value) const {
    json changed = config;
    changed[json::json_pointer(place)] = value;
    return changed;
  }
  void refuse(const std::string& place, const json& value, const std::string& what) {
    CAPTURE(place);
    CHECK_THROWS_WITH_AS(load(with(place, value)), Contains(what.c_str()), Error);
  }
  TemporaryFolder folder;
  json config;
  std::string name, path;
};

PicturePairs pairs_of(const std::vector<std::string>& captions) {
  PicturePairs pairs;
  for (std::size_t i = 0; i < captions.size(); ++i) {
    pairs.pictures.push_back({16, 16, std::vector<uint8_t>(16 * 16 * 3, static_cast<uint8_t>(i * 20))});
    pairs.captions.push_back(captions[i]);
    pairs.files.push_back(fmt::format("{}.png", i));
  }
  return pairs;
}

}  // namespace

TEST_SUITE("CLIP files") {
  TEST_CASE("the means and deviations beside the weights are those that pictures are prepared with") {
    Weights openai("openai"), other("hugging_face");
    json preprocess = {{"image_mean", {0.5, 0.4, 0.3}},
                       {"image_std", {0.2, 0.3, 0.4}},
                       {"size", {{"shortest_edge", 16}}},
                       {"crop_size", {{"height", 16}, {"width", 16}}},
                       {"resample", 3},
                       {"rescale_factor", 1 / 255.0}};
    write_file(other.folder / "preprocessor_config.json", preprocess.dump());
    const ClipModel models[] = {
        openai.load(openai.with("/preprocess_cfg", {{"mean", {0.5, 0.4, 0.3}}, {"std", {0.2, 0.3, 0.4}}})),
        other.load(other.config)};
    const Image grey{16, 16, std::vector<uint8_t>(16 * 16 * 3, 102)};
    Tensor prepared = Tensor::empty({1, 3, 16, 16});
    const double expected[] = {(0.4 - 0.5) / 0.2, 0, (0.4 - 0.3) / 0.4};
    for (int64_t i = 0; i < prepared.numel(); ++i) prepared.write()[i] = static_cast<real>(expected[i / 256]);
    const NoGrad guard;
    for (const ClipModel& model : models) {
      const Tensor by_hand = normalize(model.clip.image(Var(prepared), Mode())).value(),
                   encoded = encode_images(model.clip, std::span(&grey, 1));
      for (int64_t i = 0; i < by_hand.numel(); ++i)
        CHECK(encoded.data()[i] == doctest::Approx(by_hand.data()[i]).epsilon(1e-4));
      save_clip(model.clip, *model.tokenizer, openai.folder / "again.safetensors");
      CHECK(load_clip(openai.folder / "again.safetensors").clip.scale.mean == std::array{0.5, 0.4, 0.3});
    }
    const ClipModel plain = openai.load(openai.config);
    CHECK(plain.clip.scale.mean[0] == 0.48145466);
  }

  TEST_CASE("what this program does not compute is refused by file and member") {
    Weights hf("hugging_face");
    hf.refuse("/vision_config/hidden_act", "gelu", "config.json: vision_config: 'hidden_act' is \"gelu\"");
    hf.refuse("/text_config/layer_norm_eps", 1e-6, "text_config: 'layer_norm_eps' is 1e-06");
    hf.refuse("/vision_config/image_size", 32, "'image_size' is 32: 16 is needed");
    hf.refuse("/vision_config/num_hidden_layers", 12, "'num_hidden_layers' is 12: 2 is needed");
    hf.refuse("/vision_config/num_attention_heads", "2", "'num_attention_heads' is \"2\": a whole number is needed");
    hf.refuse("/text_config/eos_token_id", 5, "'eos_token_id' is 5");
    hf.refuse("/model_type", "siglip", "'model_type' is \"siglip\"");
    CHECK(hf.load(hf.with("/text_config/eos_token_id", 2)).clip.settings.text_heads == 3);
    CHECK(hf.load(hf.with("/vision_config/layer_norm_eps", 1e-5)).clip.settings.image_heads == 2);
    json gelu = hf.with("/vision_config/hidden_act", "gelu");
    gelu["text_config"]["hidden_act"] = "gelu";
    CHECK(hf.load(gelu).clip.settings.activation == "gelu");
    gelu["vision_config"]["hidden_act"] = gelu["text_config"]["hidden_act"] = "relu";
    CHECK_THROWS_WITH_AS(hf.load(gelu), Contains("activation"), Error);
    const auto prepared = [&](const json& value, const char* what) {
      write_file(hf.folder / "preprocessor_config.json", value.dump());
      CHECK_THROWS_WITH_AS(hf.load(hf.config), Contains(what), Error);
    };
    prepared({{"do_normalize", false}}, "preprocessor_config.json: 'do_normalize' is false");
    prepared({{"resample", 2}}, "'resample' is 2: this program computes with 3");
    prepared({{"size", {{"shortest_edge", 20}}}}, "'size' is {\"shortest_edge\":20}");
    prepared({{"size", {{"height", 16}, {"width", 16}}}}, "'size' is");
    prepared({{"image_std", {0.5, 0, 0.5}}}, "'image_std' is [0.5,0,0.5]: deviations above 0");
    prepared({{"image_mean", {0.5}}}, "three numbers are needed");
    write_file(hf.folder / "preprocessor_config.json", std::string("{}\0junk", 7));
    CHECK_THROWS_WITH_AS(hf.load(hf.config), Contains("preprocessor_config.json"), Error);

    Weights open("openai");
    open.refuse("/model_cfg/vision_cfg/pool_type", "avg", "vision_cfg: 'pool_type' is \"avg\"");
    open.refuse("/model_cfg/text_cfg/pool_type", "last", "text_cfg: 'pool_type' is \"last\"");
    open.refuse("/model_cfg/vision_cfg/ls_init_value", 0.1, "'ls_init_value' is 0.1: this program has no such part");
    open.refuse("/model_cfg/text_cfg/norm_kwargs", {{"eps", 1e-6}}, "norm_kwargs: 'eps' is 1e-06");
    open.refuse("/preprocess_cfg", {{"interpolation", "bilinear"}}, "'interpolation' is \"bilinear\"");
    open.refuse("/preprocess_cfg", {{"resize_mode", "squash"}}, "'resize_mode' is \"squash\"");
    CHECK(open.load(open.with("/model_cfg/vision_cfg/attentional_pool", false)).clip.settings.image_heads == 2);
    CHECK(open.load(open.with("/preprocess_cfg", {{"size", {16, 16}}, {"mean", nullptr}})).clip.settings.dim == 20);
  }

  TEST_CASE("a tensor without a place, and merges that are not the model's, are refused") {
    Weights open("openai");
    const SafetensorsFile whole(clip_fixtures + "openai/model.safetensors");
    SafetensorsWriter writer;
    for (const auto& [name, entry] : whole.entries()) writer.add(name, whole.tensor(name));
    writer.add("visual.transformer.resblocks.0.ls_1.gamma", Tensor::full({32}, 1));
    const auto save = [&] { writer.save(open.path); };
    save();
    CHECK_THROWS_WITH_AS(open.load(open.config),
                         Contains("tensor 'visual.transformer.resblocks.0.ls_1.gamma' is no part"), Error);
    Weights good("openai");
    std::string merges = read_file(clip_fixtures + "merges.txt");
    merges.resize(merges.rfind('\n', merges.size() - 2) + 1);
    write_file(good.folder / "short.txt", merges);
    good.load(good.config);
    CHECK_THROWS_WITH_AS(load_clip(good.path, {good.folder / "short.txt", ""}),
                         Contains("the merges make 573 tokens, the model has 574: they are cut short"), Error);
  }

  TEST_CASE("CMYK is inverted with and without Adobe's mark, as in Pillow") {
    const std::string marked = read_file(clip_fixtures + "pictures/cmyk.jpg");
    REQUIRE(marked.substr(2, 2) == "\xff\xee");
    const std::string bare = marked.substr(0, 2) + marked.substr(18);
    const auto decode = [](const std::string& file) { return decode_image(std::as_bytes(std::span(file)), "p").rgb; };
    CHECK(decode(bare) == decode(marked));
  }
}

TEST_SUITE("CLIP training") {
  TEST_CASE("held-out captions make no merges; too few pairs are refused with a number that works") {
    std::vector<std::string> captions(12, "red disc");
    ClipRunSettings run;
    run.held_out = 2;
    const Permutation order(12, Rng(static_cast<uint64_t>(run.seed)).split("held_out"));
    for (const int64_t i : {10, 11}) captions[static_cast<std::size_t>(order(i))] = "zyzzyva zyzzyva";
    const Tokenizer tokenizer = train_tokenizer(pairs_of(captions), run, 300);
    CHECK(tokenizer.encode("red disc").size() == 2);
    CHECK(tokenizer.encode("zyzzyva").size() == 7);
    run.held_out = 100;
    CHECK_THROWS_WITH_AS(train_tokenizer(pairs_of(captions), run, 300),
                         "train-clip: 12 pairs, --held-out 100 leaves fewer than two to train on: try --held-out 2",
                         Error);
  }

  TEST_CASE("every epoch has an order of its own") {
    // Without anything else random, an order that repeats gives the same losses again, since the rate is zero.
    ClipRunSettings run;
    run.epochs = 2, run.batch = 2, run.held_out = 2, run.lr = 0, run.dropout = 0, run.augment = 0;
    std::vector<std::string> captions;
    for (int i = 0; i < 12; ++i)
      captions.push_back(fmt::format("caption {}", std::string(static_cast<std::size_t>(i + 1), 'a')));
    const PicturePairs pairs = pairs_of(captions);
    const Tokenizer tokenizer = train_tokenizer(pairs, run, 270);
    ClipSettings s;
    s.dim = 8, s.image_size = 16, s.image_width = s.text_width = 16, s.image_layers = s.text_layers = 1;
    s.image_heads = s.text_heads = 2, s.vocabulary = tokenizer.size();
    Clip clip = build<Clip>(s, Rng(1));
    std::vector<double> losses;
    train_clip(clip, tokenizer, pairs, run, [&](const ClipProgress& p) {
      if (!p.to_text) losses.push_back(p.loss);  // the last step of an epoch tells the epoch's mean
      return true;
    });
    REQUIRE(losses.size() == 8);
    CHECK(std::vector<double>(losses.begin(), losses.begin() + 4) !=
          std::vector<double>(losses.begin() + 4, losses.end()));
  }
}
