// seminar train-clip, seminar encode
#include <fmt/format.h>

#include <filesystem>

#include "apps/cli.h"
#include "seminar/clip/clip_file.h"
#include "seminar/clip/clip_training.h"
#include "seminar/data/features.h"
#include "seminar/data/line_reader.h"
#include "tensor/io/print.h"
#include "tensor/parallel.h"

namespace seminar {
namespace {

struct TrainClipArguments {
  std::string images, captions, out;
  int64_t skip_bad = 0;
  ClipSettings model;
  ClipRunSettings run;
};

std::string recall_text(const PairRecall& r) {
  return fmt::format("recall@1 {:.2f} @5 {:.2f} @10 {:.2f}", r.at1, r.at5, r.at10);
}

void train_clip_command(TrainClipArguments& a) {
  check_settings(a.model);
  check_ranges(a.run);
  if (a.run.threads > 0) set_threads(static_cast<int>(a.run.threads));
  int64_t skipped = 0;
  const PicturePairs pairs = read_pairs(a.images, a.captions, a.model.image_size, a.skip_bad, &skipped);
  const Tokenizer tokenizer = train_tokenizer(pairs, a.run, a.model.vocabulary);
  a.model.vocabulary = tokenizer.size();
  Clip clip = build<Clip>(a.model, Rng(static_cast<uint64_t>(a.run.seed)).split("init"));
  print_out("{} pairs ({} skipped), {} tokens, {} parameters\n", pairs.files.size(), skipped, tokenizer.size(),
            count(parameters(clip)));
  flush_text(stdout);
  Progress progress("train-clip", "pairs");
  const auto [to_text, to_image] = train_clip(clip, tokenizer, pairs, a.run, [&](const ClipProgress& p) {
    progress.update(p.step, p.steps, p.pairs, fmt::format("loss {:.4f}", p.loss));
    if (p.to_text)
      progress.note(fmt::format("epoch {}/{}  loss {:.4f}  held out: image to text {}, text to image {}", p.epoch,
                                a.run.epochs, p.loss, recall_text(*p.to_text), recall_text(*p.to_image)));
    return !interrupted();
  });
  save_clip(clip, tokenizer, a.out);
  if (interrupted()) {
    progress.note(fmt::format("interrupted; the model so far is in {}", a.out));
    throw Interrupted{};
  }
  print_out("held out {} pairs (by chance recall@10 {:.2f})\n", a.run.held_out,
            std::min(1.0, 10.0 / static_cast<double>(a.run.held_out)));
  print_out("image to text {}\ntext to image {}\n", recall_text(to_text), recall_text(to_image));
  print_out("{} written in {}\n", a.out, duration(progress.seconds()));
}

struct EncodeArguments {
  std::string model, images, texts, ids, out;
  ClipFileOptions options;
};

void encode_command(const EncodeArguments& a) {
  check(a.images.empty() != a.texts.empty(), "encode: give either --images or --texts");
  check(a.ids.empty() || !a.texts.empty(), "encode: --ids names texts; pictures are named by their files");
  check(a.out.ends_with(".safetensors"), "--out: must end in .safetensors: {}", shown(a.out));
  const ClipModel model = load_clip(a.model, a.options);
  NamedVectors vectors;
  vectors.width = model.clip.settings.dim;
  const auto add = [&](const Tensor& part) {
    vectors.values.insert(vectors.values.end(), part.data(), part.data() + part.numel());
  };
  Progress progress("encode", a.texts.empty() ? "pictures" : "texts");
  constexpr std::size_t at_once = 64;
  const auto in_parts = [&](const std::vector<std::string>& all, auto encode) {
    for (std::size_t begin = 0; begin < all.size(); begin += at_once) {
      if (interrupted()) throw Interrupted{};
      const std::span part = std::span(all).subspan(begin, std::min(at_once, all.size() - begin));
      add(encode(part));
      const int64_t done = static_cast<int64_t>(begin + part.size());
      progress.update(done, std::ssize(all), done, "");
    }
  };
  if (!a.images.empty()) {
    const std::vector<std::string> files = picture_files(a.images);
    in_parts(files, [&](std::span<const std::string> part) {
      std::vector<Image> images;
      for (const std::string& file : part)
        images.push_back(resize_and_crop(load_image(file), model.clip.settings.image_size));
      return encode_images(model.clip, images);
    });
    for (const std::string& file : files) vectors.names.push_back(std::filesystem::path(file).filename().string());
  } else {
    check(model.tokenizer.has_value(),
          "{}: has no tokenizer: give --merges FILE (merges.txt or bpe_simple_vocab_16e6.txt.gz)", a.model);
    const std::vector<std::string> texts = read_lines(a.texts);
    if (!a.ids.empty()) vectors.names = read_names(a.ids);
    check(a.ids.empty() || vectors.names.size() == texts.size(), "{}: {} ids for the {} texts of {}", a.ids,
          vectors.names.size(), texts.size(), a.texts);
    in_parts(texts,
             [&](std::span<const std::string> part) { return encode_texts(model.clip, *model.tokenizer, part); });
  }
  write_vectors(vectors, {{"model", model.fingerprint}, {"source", a.texts.empty() ? "images" : "texts"}}, a.out);
  print_out("{} unit vectors of width {} written to {} in {}\n", std::ssize(vectors.values) / vectors.width,
            vectors.width, a.out, duration(progress.seconds()));
  if (vectors.names.empty()) print_out("They have no names: 'data features' needs their items' ids with --ids.\n");
}

}  // namespace

void add_clip_commands(CLI::App& app) {
  const auto t = std::make_shared<TrainClipArguments>();
  CLI::App* train = app.add_subcommand("train-clip", "Train a small CLIP on pictures with captions");
  add_input(*train, "--images", t->images, "folder that the paths of the table start from", "FOLDER")->required();
  add_input(*train, "--captions", t->captions, "CSV with the columns image and caption")->required();
  add_output(*train, "--out", t->out, "CLIP file to write (OpenAI's naming)")->required();
  add_option(*train, "--skip-bad", t->skip_bad, "rows and pictures that may be unusable; they are counted", from_0);
  add_flags(*train, t->model, true);
  add_flags(*train, t->run);
  train->callback([t] { train_clip_command(*t); });
  train->footer("Example:\n  seminar train-clip --images pictures --captions captions.csv --out clip.safetensors");

  const auto e = std::make_shared<EncodeArguments>();
  CLI::App* encode = app.add_subcommand("encode", "Vectors of pictures or texts from a CLIP model");
  add_input(*encode, "--model", e->model, "from train-clip, or pretrained (OpenAI, open_clip, Hugging Face)")
      ->required();
  add_input(*encode, "--images", e->images, "folder of .png and .jpg files", "FOLDER");
  add_input(*encode, "--texts", e->texts, "text file, one text a line");
  add_input(*encode, "--ids", e->ids, "with --texts: the item's id of each text, one a line");
  add_output(*encode, "--out", e->out, "NAME.safetensors to write, for 'data features'")->required();
  add_input(*encode, "--merges", e->options.merges,
            "byte-pair merges (default: those in the model, or merges.txt or bpe_simple_vocab_16e6.txt.gz beside it)");
  add_choice(*encode, "--activation", e->options.activation, "where the file does not say", {"quick_gelu", "gelu"});
  add_threads(*encode);
  encode->callback([e] { encode_command(*e); });
  encode->footer("Example:\n  seminar encode --model clip.safetensors --images pictures --out vectors.safetensors");
}

}  // namespace seminar
