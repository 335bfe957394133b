// Tokenizer, pictures, CLIP in both namings against PyTorch (tests/clip/make_clip.py).
#include <doctest/doctest.h>
#include <zlib.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "nn/optim.h"
#include "seminar/clip/clip_file.h"
#include "seminar/clip/clip_training.h"
#include "seminar/data/features.h"
#include "seminar/model/seminar_model.h"
#include "seminar/training/model_file.h"
#include "seminar/training/trainer.h"
#include "tensor/io/file.h"
#include "tests/temporary_folder.h"
#include "tests/worst_difference.h"

using namespace seminar;
using doctest::Contains;

namespace {

const std::string fixtures = SEMINAR_SOURCE_DIR "/tests/clip/";

std::vector<std::string> fixture_texts() {
  std::vector<std::string> texts;
  for (const auto& row : nlohmann::json::parse(read_file(fixtures + "tokens.json")))
    texts.push_back(row["text"].get<std::string>());
  return texts;
}

// A coloured disc or square on white, with its caption.
PicturePairs shapes(int64_t count, int64_t size) {
  PicturePairs pairs;
  const char *colours[] = {"red", "green", "blue", "grey"}, *forms[] = {"disc", "square"};
  const uint8_t rgb[][3] = {{200, 30, 30}, {30, 200, 30}, {30, 30, 200}, {120, 120, 120}};
  for (int64_t i = 0; i < count; ++i) {
    Image image{size, size, std::vector<uint8_t>(static_cast<std::size_t>(size * size * 3), 255)};
    const int64_t colour = i % 4, form = i / 4 % 2, radius = size / 4 + i / 8 % 3, middle = size / 2;
    for (int64_t y = 0; y < size; ++y)
      for (int64_t x = 0; x < size; ++x) {
        const int64_t dy = y - middle, dx = x - middle;
        if (form == 0 ? dx * dx + dy * dy <= radius * radius : std::max(std::abs(dx), std::abs(dy)) <= radius)
          std::copy_n(rgb[colour], 3, &image.rgb[static_cast<std::size_t>((y * size + x) * 3)]);
      }
    pairs.pictures.push_back(image);
    pairs.captions.push_back(fmt::format("{} {}", colours[colour], forms[form]));
    pairs.files.push_back(fmt::format("{}.png", i));
  }
  return pairs;
}

ClipSettings tiny_clip() {
  ClipSettings s;
  s.dim = 16;
  s.image_size = 16;
  s.image_width = s.text_width = 16;
  s.image_layers = s.text_layers = 1;
  s.image_heads = s.text_heads = 2;
  s.text_length = 12;
  return s;
}

}  // namespace

TEST_SUITE("tokenizer") {
  TEST_CASE("a trained tokenizer gives every text back, whatever its bytes") {
    const std::vector<std::string> corpus = {"low lower lowest", "new newer newest", "wide wider widest widest", "été"};
    const Tokenizer t = Tokenizer::train(corpus, 300);
    CHECK(t.size() > 265);
    CHECK(t.encode("lowest newest").size() < 8);
    Rng rng(7);
    for (int i = 0; i < 300; ++i) {
      std::string text;
      for (int64_t n = rng.below(40); n > 0; --n)
        text += static_cast<char>(i % 2 ? rng.below(256) : ' ' + rng.below(90));
      CHECK(t.decode(t.encode(text)) == text);
    }
    for (const char* text : {"", " ", "  two  spaces ", "a\n\tb", "été 北京 🙂", "\xff\xfe\x80"})
      CHECK(t.decode(t.encode(text)) == text);
    CHECK(t.decode(t.encode(std::string(200000, 'e'))).size() == 200000);
  }

  TEST_CASE("merges are made by frequency, ties by id, inside words only") {
    const Tokenizer t =
        Tokenizer::train(std::map<std::string, int64_t>{{"ab", 5}, {"abc", 4}, {"xy", 5}, {"q", 9}}, 300);
    // ab 9 times, then xy 5, then ab+c 4.
    CHECK(t.text() == "#version: seminar bytes\na b\nx y\nab c\n");
    CHECK(t.encode("abc").size() == 1);
    CHECK(t.encode("abxy").size() == 2);
    CHECK(Tokenizer::train(std::map<std::string, int64_t>{{"ab", 1}}, 300).size() == 258);
  }

  TEST_CASE("the stored text gives the same tokenizer") {
    const std::vector<std::string> corpus = {"one two three two one", "Größe größer"};
    const Tokenizer a = Tokenizer::train(corpus, 290), b = Tokenizer::from_text(a.text(), "x");
    CHECK(b.text() == a.text());
    CHECK(b.encode("größere two") == a.encode("größere two"));
    const Tokenizer clip = Tokenizer::read(fixtures + "merges.txt");
    CHECK(Tokenizer::from_text(clip.text(), "x").text() == clip.text());
  }

  TEST_CASE("CLIP's byte-pair encoding gives the reference's tokens") {
    const Tokenizer t = Tokenizer::read(fixtures + "merges.txt");
    CHECK(t.kind() == Tokenizer::Kind::clip);
    CHECK(t.size() == 512 + 60 + 2);
    for (const auto& row : nlohmann::json::parse(read_file(fixtures + "tokens.json"))) {
      CAPTURE(row["text"].get<std::string>());
      CHECK(t.encode(row["text"].get<std::string>()) == row["tokens"].get<std::vector<int32_t>>());
    }
    CHECK(t.decode(t.encode("A photo of\t a CAT!")) == "a photo of a cat ! ");
    const std::vector<int32_t> framed = t.encode_framed("a photo of a cat", 5);
    CHECK(framed.size() == 5);
    CHECK(framed.front() == t.start());
    CHECK(framed.back() == t.end());
  }

  TEST_CASE("of CLIP's longer merges file the first 48,894 count: 49,408 tokens") {
    std::string text = "bpe_simple_vocab_16e6.txt#version: 0.2\n";
    for (char a = '!'; a <= '~'; ++a)
      for (char b = '!'; b <= '~'; ++b)
        for (int c = 0; c < 8; ++c) {
          // ab, then ab + c: enough lines, each made of earlier ones.
          if (c == 0)
            text += fmt::format("{} {}\n", a, b);
          else
            text += fmt::format("{}{} {}\n", a, b, static_cast<char>('a' + c));
        }
    const Tokenizer t = Tokenizer::from_text(text, "m.txt");
    CHECK(t.size() == 49408);
    CHECK(t.start() == 49406);
    CHECK(t.end() == 49407);
  }

  TEST_CASE("merges files that cannot be one are refused with the line") {
    const auto refuse = [](const std::string& text, const char* what) {
      CHECK_THROWS_WITH_AS(Tokenizer::from_text(text, "m.txt"), Contains(what), Error);
    };
    refuse("", "m.txt:1: not a merges file");
    refuse("a b\n", "m.txt:1: not a merges file: no '#version': 'a b'");
    refuse("#version: 0.2\na b\nonly\n", "m.txt:3: must be two tokens");
    refuse("#version: 0.2\na b c\n", "m.txt:2: must be two tokens");
    refuse("#version: 0.2\na bc\n", "m.txt:2: no byte and no earlier merge: 'bc'");
    refuse("#version: 0.2\na b\na b\n", "m.txt:3: merged before: 'a b'");
  }
}

TEST_SUITE("pictures") {
  TEST_CASE("decoded and resized bytes are Pillow's") {
    const SafetensorsFile expected(fixtures + "expected.safetensors");
    for (const auto& item : nlohmann::json::parse(expected.meta("names"))) {
      const std::string name = item.get<std::string>();
      CAPTURE(name);
      const Image image = load_image(fixtures + "pictures/" + name), small = resize_and_crop(image, 16);
      const auto rgb = expected.view<uint8_t>("rgb." + name), resized = expected.view<uint8_t>("resized." + name);
      CHECK(std::vector<uint8_t>(rgb.begin(), rgb.end()) == image.rgb);
      CHECK(std::vector<uint8_t>(resized.begin(), resized.end()) == small.rgb);
    }
  }

  TEST_CASE("16 bits and CMYK become RGB") {
    const Image sixteen = load_image(fixtures + "pictures/sixteen.png"),
                cmyk = load_image(fixtures + "pictures/cmyk.jpg");
    CHECK(sixteen.height == 20);
    CHECK(sixteen.width == 23);
    for (std::size_t i = 0; i < sixteen.rgb.size(); i += 3) {
      CHECK(sixteen.rgb[i] == sixteen.rgb[i + 1]);
      CHECK(sixteen.rgb[i] == sixteen.rgb[i + 2]);
    }
    CHECK(*std::max_element(sixteen.rgb.begin(), sixteen.rgb.end()) > 250);
    CHECK(cmyk.rgb.size() == 19 * 26 * 3);
  }

  TEST_CASE("broken pictures are refused in one line") {
    const auto refuse = [](const std::string& file, const char* what) {
      CHECK_THROWS_WITH_AS(decode_image(std::as_bytes(std::span(file)), "p"), Contains(what), Error);
    };
    const std::string png = read_file(fixtures + "pictures/rgb.png"), jpg = read_file(fixtures + "pictures/photo.jpg");
    refuse("", "p: neither PNG nor JPEG");
    refuse("GIF89a", "p: neither PNG nor JPEG");
    for (std::size_t n = 8; n + 12 < png.size(); n += 31) refuse(png.substr(0, n), "p: broken PNG: ");
    for (std::size_t n = 3; n + 2 < jpg.size(); n += 29) refuse(jpg.substr(0, n), "p: broken JPEG: ");
    std::string huge = png;
    huge.replace(16, 8, std::string("\x00\x00\x4e\x20\x00\x00\x4e\x20", 8));
    const auto sum = ::crc32(0, reinterpret_cast<const Bytef*>(huge.data()) + 12, 17);
    for (std::size_t i = 0; i < 4; ++i) huge[29 + i] = static_cast<char>(sum >> (24 - 8 * i));
    refuse(huge, "p: a picture of 20000 x 20000 pixels; at most 64 million are read");
    CHECK_THROWS_WITH_AS(load_image("/nonexistent.png"), Contains("/nonexistent.png"), Error);
  }

  TEST_CASE("a picture 20,000 pixels wide and one high costs no memory to resize") {
    const Image line{1, 20000, std::vector<uint8_t>(60000, 77)};
    const Image small = resize_and_crop(line, 224);
    CHECK(small.rgb == std::vector<uint8_t>(224 * 224 * 3, 77));
    const Image dot{1, 1, {1, 2, 3}};
    CHECK(resize_and_crop(dot, 4).rgb[47] == 3);
  }

  TEST_CASE("the table of pictures: bad rows are named and can be skipped") {
    TemporaryFolder folder;
    const auto table = [&](const std::string& rows) {
      std::ofstream(folder / "c.csv") << "image,caption\n" << rows;
      return folder / "c.csv";
    };
    const std::string pictures = fixtures + "pictures";
    CHECK(read_pairs(pictures, table("rgb.png,a wave\n"), 8).pictures[0].rgb.size() == 192);
    const auto refuse = [&](const std::string& rows, const char* what) {
      CHECK_THROWS_WITH_AS(read_pairs(pictures, table(rows), 8), Contains(what), Error);
    };
    refuse("rgb.png,  \n", "c.csv:2: caption missing for: 'rgb.png'");
    refuse("rgb.png,ok\nnone.png,x\n", "c.csv:3: ");
    refuse("../clip/pictures/rgb.png,x\n", "c.csv:2: image must be a path below the folder");
    refuse("/etc/passwd,x\n", "c.csv:2: image must be a path below the folder");
    int64_t skipped = 0;
    CHECK(read_pairs(pictures, table("none.png,x\nrgb.png,y\n"), 8, 1, &skipped).captions[0] == "y");
    CHECK(skipped == 1);
  }
}

TEST_SUITE("CLIP") {
  TEST_CASE("both namings give PyTorch's vectors") {
    const SafetensorsFile expected(fixtures + "expected.safetensors");
    std::vector<Image> images;
    for (const auto& name : nlohmann::json::parse(expected.meta("names")))
      images.push_back(resize_and_crop(load_image(fixtures + "pictures/" + name.get<std::string>()), 16));
    const NoGrad guard;
    for (const char* naming : {"openai", "hugging_face"}) {
      CAPTURE(naming);
      const ClipModel model = load_clip(fixtures + naming + "/model.safetensors", {fixtures + "merges.txt", ""});
      CHECK(model.clip.settings.image_heads == 2);
      CHECK(model.clip.settings.text_heads == 3);
      const Tensor image_units = encode_images(model.clip, images),
                   text_units = encode_texts(model.clip, *model.tokenizer, fixture_texts());
      CHECK(worst_difference(image_units, normalize(expected.tensor("image_vectors")).value()) < 1e-5);
      CHECK(worst_difference(text_units, normalize(expected.tensor("text_vectors")).value()) < 1e-5);
      CHECK(model.clip.log_scale.var().value().item() == doctest::Approx(2.5));
    }
  }

  TEST_CASE("what a weights file lacks or holds in another shape is named") {
    TemporaryFolder folder;
    const SafetensorsFile whole(fixtures + "openai/model.safetensors");
    const auto with = [&](const std::string& changed, std::optional<Shape> shape) {
      SafetensorsWriter file;
      for (const auto& [name, entry] : whole.entries()) {
        if (name != changed)
          file.add(name, whole.tensor(name));
        else if (shape)
          file.add(name, Tensor::full(*shape, 1));
      }
      file.save(folder / "m.safetensors");
      return folder / "m.safetensors";
    };
    const auto refuse = [&](const std::string& changed, std::optional<Shape> shape, const char* what) {
      CHECK_THROWS_WITH_AS(load_clip(with(changed, shape)), Contains(what), Error);
    };
    std::filesystem::copy(fixtures + "openai/open_clip_config.json", folder / "open_clip_config.json");
    refuse("visual.conv1.weight", {}, "neither 'visual.conv1.weight'");
    refuse("ln_final.bias", {}, "m.safetensors: tensor missing: 'ln_final.bias'");
    refuse("visual.transformer.resblocks.1.attn.in_proj_weight", Shape{96, 31},
           "'visual.transformer.resblocks.1.attn.in_proj_weight': shape [96, 31], [96, 32] is needed");
    refuse("visual.proj", Shape{32, 21}, "'visual.proj': shape [32, 21], [20, 32] is needed");
    refuse("visual.positional_embedding", Shape{7, 32}, "6 patches are not a square");
    refuse("visual.conv1.weight", Shape{32, 3, 8, 4}, "must be [width, 3, p, p], not [32, 3, 8, 4]");
    CHECK_THROWS_WITH_AS(load_clip(fixtures + "openai/model.safetensors", {"/nonexistent", ""}),
                         Contains("/nonexistent"), Error);
    std::ofstream(folder / "open_clip_config.json") << R"({"model_cfg": {"vision_cfg": {"head_width": 5}}})";
    CHECK_THROWS_WITH_AS(load_clip(with("", {})),
                         Contains("m.safetensors: --image-heads: must divide --image-width 32: 6"), Error);
  }

  TEST_CASE("training brings pairs together, alike for equal seeds, and the file gives the model back") {
    const PicturePairs pairs = shapes(48, 16);
    ClipRunSettings run;
    run.epochs = 60;
    run.batch = 8;
    run.held_out = 8;
    run.lr = 3e-3;
    run.dropout = 0;
    run.weight_decay = 0;
    const auto train = [&] {
      const Tokenizer tokenizer = train_tokenizer(pairs, run, 300);
      ClipSettings s = tiny_clip();
      s.vocabulary = tokenizer.size();
      Clip clip = build<Clip>(s, Rng(1));
      double first = 0, last = 0;
      train_clip(clip, tokenizer, pairs, run, [&](const ClipProgress& p) {
        if (p.to_text) (p.epoch == 1 ? first : last) = p.loss;
        return true;
      });
      CHECK(last < 0.6 * first);
      return std::pair{clip, tokenizer};
    };
    const auto [clip, tokenizer] = train();
    TemporaryFolder folder;
    save_clip(clip, tokenizer, folder / "a.safetensors");
    const auto again = train();
    save_clip(again.first, again.second, folder / "b.safetensors");
    CHECK(read_file(folder / "a.safetensors") == read_file(folder / "b.safetensors"));

    // Every picture finds a caption of its own colour and form.
    const std::vector<Image> eight(pairs.pictures.begin(), pairs.pictures.begin() + 8);
    const std::vector<std::string> captions(pairs.captions.begin(), pairs.captions.begin() + 8);
    const ClipModel back = load_clip(folder / "a.safetensors");
    CHECK(back.clip.settings.image_heads == 2);
    const Tensor images = encode_images(back.clip, eight), texts = encode_texts(back.clip, *back.tokenizer, captions);
    CHECK(pair_recall(images, texts).at1 >= 0.75);
    CHECK(worst_difference(images, encode_images(clip, eight)) < 1e-6);
  }

  TEST_CASE("recall counts ties against the pair") {
    const Tensor a = Tensor::from({2, 2}, {1, 0, 0, 1}), b = Tensor::from({2, 2}, {1, 0, 1, 0});
    CHECK(pair_recall(a, b).at1 == 0);
    CHECK(pair_recall(a, a).at1 == 1);
    CHECK(pair_recall(a, b).at5 == 1);
  }

  TEST_CASE("settings that do not fit are refused by name") {
    ClipSettings s;
    s.patch = 7;
    CHECK_THROWS_WITH_AS(check_settings(s), Contains("--patch: must divide --image-size 32: 7"), Error);
    s = {};
    s.text_heads = 3;
    CHECK_THROWS_WITH_AS(check_settings(s), Contains("--text-heads: must divide --text-width 128: 3"), Error);
  }
}
