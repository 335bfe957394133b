#include "tests/fuzz/targets.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "apps/cli.h"
#include "apps/config_file.h"
#include "apps/serve/ranking.h"
#include "seminar/clip/clip_file.h"
#include "seminar/data/features.h"
#include "seminar/data/image.h"
#include "seminar/data/import.h"
#include "seminar/export.h"
#include "seminar/retrieval/batch_retriever.h"
#include "seminar/training/model_file.h"
#include "seminar/training/trainer.h"
#include "seminar/training/training_state.h"
#include "tensor/parallel.h"
#include "tests/fuzz/tensor_ops.h"
#include "tests/tiny_data.h"

namespace seminar {
namespace {

namespace fs = std::filesystem;

const std::string clip_folder = SEMINAR_SOURCE_DIR "/tests/clip/";

// What the readers are read with: a small data set, a model of it, a folder for the inputs.
struct Workshop {
  TemporaryFolder folder;
  TinyData tiny;
  RunSettings run = small_run();
  std::unique_ptr<Model> model = make_model("seminar", small_settings(), tiny.data, Rng(1));
  SeminarModel& seminar() { return dynamic_cast<SeminarModel&>(*model); }
  Batch batch = make_batch(tiny.data, held_out_targets(tiny.data, Split::test), {12, 2, 0.0}, Rng(1));
};

Workshop& workshop() {
  static Workshop w;
  return w;
}

void check_one_line(const Error& e) {
  check(std::strchr(e.what(), '\n') == nullptr, "more than one line: {}", e.what());
}

// The header length of a safetensors file put right, so that a header of another length is read.
std::string with_length(std::string file) {
  int depth = 0;
  bool text = false;
  std::size_t at = 8;
  for (; at < file.size(); ++at) {
    const char c = file[at];
    if (c == '"' && file[at - 1] != '\\') text = !text;
    if (!text) depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    if (depth <= 0) break;
  }
  while (at + 1 < file.size() && file[at + 1] == ' ') ++at;
  const uint64_t length = at - 7;
  if (at < file.size()) std::memcpy(file.data(), &length, 8);
  return file;
}

// Calls f() and lets it be refused, in one line.
template <class F>
void lenient(const F& f) {
  try {
    f();
  } catch (const Error& e) {
    check_one_line(e);
  }
}

// A target that reads by path: the input is written to a file called `name` first.
FuzzTarget by_path(const char* target, const std::string& name, std::vector<std::string> seeds,
                   std::function<void(const std::string&)> read) {
  return {target, std::move(seeds),
          [path = workshop().folder / name, read = std::move(read)](const std::string& input) {
            write_file(path, input);
            read(path);
          }};
}

// The same for safetensors files.
FuzzTarget by_header(const char* target, std::vector<std::string> seeds, std::function<void(const std::string&)> read) {
  FuzzTarget t = by_path(target, fmt::format("{}.safetensors", target), std::move(seeds), std::move(read));
  t.read = [plain = std::move(t.read)](const std::string& input) {
    if (const std::string repaired = with_length(input); repaired != input) lenient([&] { plain(repaired); });
    plain(input);
  };
  return t;
}

// A PNG's checksums put right, so that damage reaches what stands behind them.
std::string with_checksums(std::string file) {
  const auto number = [&](std::size_t at) {
    uint32_t n = 0;
    for (std::size_t i = 0; i < 4; ++i) n = n << 8 | static_cast<uint8_t>(file[at + i]);
    return n;
  };
  for (std::size_t at = 8; file.starts_with("\x89PNG") && at + 12 <= file.size();) {
    const uint64_t length = number(at);
    if (length > file.size() - at - 12) break;
    const auto sum = ::crc32(0, reinterpret_cast<const Bytef*>(file.data()) + at + 4, static_cast<uInt>(length) + 4);
    for (std::size_t i = 0; i < 4; ++i) file[at + 8 + length + i] = static_cast<char>(sum >> (24 - 8 * i));
    at += 12 + length;
  }
  return file;
}

void read_picture(const std::string& input) {
  for (const std::string& file : {with_checksums(input), input})
    resize_and_crop(decode_image(std::as_bytes(std::span(file)), "picture"), 8);
}

void read_safetensors(const std::string& path) {
  const SafetensorsFile file(path);
  for (const auto& [name, entry] : file.entries())
    if (entry.dtype == Dtype::f16 || entry.dtype == Dtype::bf16 || entry.dtype == Dtype::f32) file.tensor(name);
  for (const auto& [name, entry] : file.entries())
    if (entry.dtype == Dtype::i64) file.view<int64_t>(name);
}

// All that a program asks of a data set; every part may be refused on its own.
void use_data(const Dataset& data) {
  for (int32_t item = 0; item <= data.items(); ++item) {
    lenient([&] { data.title(item), data.original_item(item), data.picture(item); });
    for (const int32_t word : data.item_words(item)) lenient([&] { data.word(word); });
    for (const int32_t attribute : data.item_attributes(item)) lenient([&] { data.attribute(attribute); });
    for (const std::string& channel : data.feature_channels()) lenient([&] { data.feature(channel, item); });
  }
  for (int32_t query = 0; query < data.queries(); ++query) lenient([&] { data.query_text(query); });
  for (int64_t user = 0; user < data.users(); ++user)
    lenient([&] { data.user_times(user), data.user_attributes(user), data.exposures(user), data.negatives(user); });
  lenient([&] { data.verify(); });
  const auto batch = [&] { return make_batch(data, held_out_targets(data, Split::test), {12, 2, 0.0}, Rng(1)); };
  lenient([&] { workshop().model->score(data, batch(), workshop().run); });
}

// The folder with one file exchanged: the input's first byte tells which, the rest is its content.
FuzzTarget data_folder() {
  const std::string dir = workshop().folder / "data";
  DatasetBuilder builder = tiny_builder();
  const std::vector<float> vector{1, 2};
  const std::vector<uint8_t> pixels(12, 7);
  const std::vector<std::string> age{"young"};
  for (int32_t item = 0; item < 4; ++item) builder.add_features("image", item, vector);
  builder.add_picture(2, 2, 2, pixels);
  builder.describe_user(0, age);
  builder.add_exposure(0, 3, 0, 1003, true);
  builder.write(dir);
  std::vector<std::string> names, seeds;
  for (const auto& entry : fs::directory_iterator(dir)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  for (std::size_t i = 0; i < names.size(); ++i)
    seeds.push_back(std::string(1, static_cast<char>(i)) + read_file(dir + "/" + names[i]));
  const std::vector<std::string> whole = seeds;
  return {"data-folder", std::move(seeds), [=](const std::string& input) {
            if (input.empty()) return;
            const std::size_t which = static_cast<uint8_t>(input[0]) % names.size();
            const std::string path = dir + "/" + names[which];
            const auto restore = [&](const void*) { write_file(path, whole[which].substr(1)); };
            const std::unique_ptr<const void, decltype(restore)> at_the_end(&path, restore);
            write_file(path, input.substr(1));
            use_data(Dataset::open(dir));
          }};
}

// The first byte chooses the separator.
FuzzTarget csv() {
  return {"csv",
          {",a,b,c\n1,2,3\n\"x\"\"y\",\"two\nlines\",-1.5e3\n", "\ta:token\tb:float\n1\t2\n"},
          [path = workshop().folder / "table.csv"](const std::string& input) {
            if (input.empty()) return;
            write_file(path, input.substr(1));
            ReadPolicy policy(1000);
            CsvReader table(path, {}, policy, input[0]);
            while (table.next())
              for (std::size_t i = 0; i < table.names().size(); ++i) {
                table.field(i);
                lenient([&] { table.integer(i); });
                lenient([&] { table.number(i); });
              }
          }};
}

FuzzTarget json_lines() {
  const std::string dir = workshop().folder / "amazon";
  fs::create_directories(dir);
  const std::string seed =
      "{\"reviewerID\":\"u\",\"asin\":\"i\",\"unixReviewTime\":7}\n"
      "{\"asin\":\"i\",\"title\":\"A <b>title</b>\",\"brand\":\"B\",\"category\":[\"C\",\"D\"],"
      "\"description\":[\"Five words and then some\"]}\n";
  return {"json-lines", {seed}, [dir](const std::string& input) {
            for (const char* name : {"/reviews.json", "/meta_reviews.json"}) write_file(dir + name, input);
            ImportOptions options;
            options.skip_bad = 1000;
            Import in(dir, options);
            import_amazon(in);
          }};
}

// The settings of a training command, from a TOML file.
struct ConfigCommand {
  CLI::App app;
  SettingsFlags flags;
  ConfigCommand() {
    flags.add_all(*app.add_subcommand("train"));
    finish_commands(app);
  }
};

void read_config(const std::string& path) {
  static ConfigCommand command;
  command.flags.model = ModelSettings();
  command.flags.run = RunSettings();
  const int before = threads();
  const auto put_back = [before](const void*) { set_threads(before); };
  const std::unique_ptr<const void, decltype(put_back)> at_the_end(&before, put_back);
  std::vector<std::string> arguments = with_config(command.app, {"train", "--config", path});
  std::reverse(arguments.begin(), arguments.end());
  try {
    command.app.parse(arguments);
  } catch (const CLI::ParseError& e) {
    fail("{}", e.what());
  }
  command.flags.apply({"seminar"});
}

void read_tokenizer(const std::string& input) {
  const Tokenizer t = Tokenizer::from_text(input, "merges");
  const std::string text = "a photo of a cat, " + input.substr(0, 200);
  t.decode(t.encode(text));
}

// Codes and models must not only load, what they hold must be usable.
void use_codes(const std::string& path) {
  Workshop& w = workshop();
  w.seminar().set_retriever(make_batch_retriever("pq", w.seminar(), w.tiny.data, path, 1));
  w.seminar().score(w.tiny.data, w.batch, w.run);
}

void use_model(const std::string& path) {
  load_model(path, workshop().tiny.data)->score(workshop().tiny.data, workshop().batch, workshop().run);
}

void use_checkpoint(const std::string& path) {
  Workshop& w = workshop();
  const auto model = make_model("mean_pool", small_settings(), w.tiny.data, Rng(1));
  Adam adam(model->params(), {});
  load_checkpoint(path, adam, *model, w.tiny.data, w.run);
}

// Ranks with an exported model, exactly and by codes.
void use_exported(const std::string& path) {
  const ModelHandle model = open_model(path);
  Ranking ranking(model.get(), 0, {});
  for (const char* request : {R"({"history":["101","103"],"candidates":["102"],"query":"red","explain":true})",
                              R"({"history":["101","103"],"candidates":["102"],"codes":true})"})
    lenient([&] { ranking.answer(request); });
}

// Requests of strangers to a whole model.
FuzzTarget ranking(const std::string& exported) {
  const auto model = std::make_shared<ModelHandle>(open_model(exported));
  const auto ranking = std::make_shared<Ranking>(model->get(), 0, RankingLimits{100, 100});
  return {"ranking",
          {R"({"id":7,"history":["101",{"item":"103","query":"red"}],"candidates":["102","105"],"query":"blue old",)"
           R"("k":3,"codes":true,"weights":[0.5,0.25,1e-1],"explain":true})"},
          [model, ranking](const std::string& input) { ranking->answer(input); }};
}

std::vector<FuzzTarget> make_targets() {
  Workshop& w = workshop();
  const auto seeds_of = [&](const char* name, auto write) {
    write(w.folder / name);
    return std::vector<std::string>{read_file(w.folder / name)};
  };
  std::vector<std::string> pictures;
  for (const auto& entry : fs::directory_iterator(clip_folder + "pictures"))
    pictures.push_back(read_file(entry.path().string()));
  std::sort(pictures.begin(), pictures.end());
  std::string npy = "\x93NUMPY";
  npy += std::string("\x01\x00\x46\x00", 4) +
         fmt::format("{:<69}\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }") + std::string(24, '\1');
  write_file(w.folder / "ids.txt", "a\nb\nc\n");
  const auto codes = [&](const std::string& path) {
    QuantizeOptions options;
    options.sub_quantizers = 2;
    options.centroids = 4;
    save_quantized(quantize_model(w.seminar(), w.tiny.data, options), w.seminar(), path);
  };
  const auto model = [&](const std::string& path) { save_model(*w.model, w.tiny.data, w.run, path); };
  const auto checkpoint = [&](const std::string& path) {
    TrainOptions options;
    options.checkpoint = path;
    train(*make_model("mean_pool", small_settings(), w.tiny.data, Rng(1)), w.tiny.data, w.run, options);
  };
  const auto exported = [&](const std::string& path) {
    codes(w.folder / "codes");
    const QuantizedChannels channels = load_quantized(w.folder / "codes", w.seminar(), w.tiny.data);
    export_model(w.seminar(), w.tiny.data, &channels, {"int8", 12, 4}, path);
  };
  std::vector<std::string> exported_seeds = seeds_of("whole.safetensors", exported);
  return {tensor_ops(),
          {"picture", pictures, read_picture},
          by_header("exported", std::move(exported_seeds), use_exported),
          ranking(w.folder / "whole.safetensors"),
          by_header("safetensors", {read_file(clip_folder + "expected.safetensors")}, read_safetensors),
#ifdef SEMINAR_HTTP
          http_requests(),
#endif
          data_folder(),
          csv(),
          json_lines(),
          by_path("toml", "a.toml", {"dim = 8\nlambda = 0.3\nfusion = \"gate\"\n"}, read_config),
          {"tokenizer", {read_file(clip_folder + "merges.txt")}, read_tokenizer},
          by_header("codes", seeds_of("codes.safetensors", codes), use_codes),
          by_header("model", seeds_of("model.safetensors", model), use_model),
          by_header("checkpoint", seeds_of("checkpoint", checkpoint), use_checkpoint),
          by_header("clip", {read_file(clip_folder + "hugging_face/model.safetensors")},
                    [](const std::string& path) { load_clip(path); }),
          by_path("vectors", "v.npy", {npy},
                  [ids = w.folder / "ids.txt"](const std::string& path) { read_vectors(path, ids); })};
}

}  // namespace

std::vector<FuzzTarget>& fuzz_targets() {
  static std::vector<FuzzTarget> targets = make_targets();
  return targets;
}

FuzzTarget& fuzz_target(const std::string& name) {
  std::vector<std::string> names;
  for (FuzzTarget& t : fuzz_targets()) {
    if (t.name == name) return t;
    names.emplace_back(t.name);
  }
  fail("no such target: '{}'; there are {}", name, fmt::join(names, ", "));
}

bool try_input(const FuzzTarget& target, const std::string& input) {
  try {
    target.read(input);
    return true;
  } catch (const Error& e) {
    check_one_line(e);
    return false;
  }
}

}  // namespace seminar
