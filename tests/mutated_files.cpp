// mutated_files [--count N] [--seed S]: feeds N damaged pictures, weight files, vectors and tokenizers to their
// readers. Each input must be read or refused with an Error; anything else, and more than 30 s for one input, ends the
// program with a message that names the input's number. The same seed gives the same inputs.
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>

#include "seminar/clip/clip_file.h"
#include "seminar/data/features.h"
#include "seminar/data/image.h"
#include "tests/tiny_data.h"

using namespace seminar;

namespace {

// A reader and the whole files it starts from.
struct Target {
  const char* name;
  std::vector<std::string> seeds;
  std::function<void(const std::string&)> read;
  int64_t inputs = 0, refused = 0;
};

int64_t current = 0;

extern "C" void on_alarm(int) {
  static const char message[] = "mutated_files: one input took more than 30 s\n";
  [[maybe_unused]] const auto n = ::write(STDERR_FILENO, message, sizeof message - 1);
  _exit(1);
}

// A chunk's checksum put right, so that the damage reaches what stands behind the check.
void repair_png(std::string& file) {
  const auto number = [&](std::size_t at) {
    uint32_t n = 0;
    for (std::size_t i = 0; i < 4; ++i) n = n << 8 | static_cast<uint8_t>(file[at + i]);
    return n;
  };
  for (std::size_t at = 8; at + 12 <= file.size();) {
    const uint64_t length = number(at);
    if (length > file.size() - at - 12) return;
    const auto sum = ::crc32(0, reinterpret_cast<const Bytef*>(file.data()) + at + 4, static_cast<uInt>(length) + 4);
    for (std::size_t i = 0; i < 4; ++i) file[at + 8 + length + i] = static_cast<char>(sum >> (24 - 8 * i));
    at += 12 + length;
  }
}

std::string mutated(const Target& target, Rng rng) {
  std::string file = target.seeds[static_cast<std::size_t>(rng.below(std::ssize(target.seeds)))];
  const auto place = [&] { return static_cast<std::size_t>(rng.below(std::max<int64_t>(1, std::ssize(file)))); };
  // Headers stand first: half of the places are among the first 256 bytes.
  const auto early = [&] { return rng.chance(0.5) ? place() % 256 % std::max<std::size_t>(1, file.size()) : place(); };
  for (int64_t n = 1 + rng.below(3); n > 0 && !file.empty(); --n) {
    const std::size_t at = early(), length = std::min(file.size() - at, static_cast<std::size_t>(1 + rng.below(64)));
    static const char interesting[] = {0, 1, 0x7f, static_cast<char>(0x80), static_cast<char>(0xff), '0', '9', '-'};
    switch (rng.below(7)) {
      case 0:
        file[at] = static_cast<char>(file[at] ^ (1 << rng.below(8)));
        break;
      case 1:
        file[at] = static_cast<char>(rng.below(256));
        break;
      case 2:
        std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(at), std::min<std::size_t>(4, length),
                    interesting[rng.below(std::ssize(interesting))]);
        break;
      case 3:
        file.resize(at);
        break;
      case 4:
        file.erase(at, length);
        break;
      case 5:
        file.insert(at, file.substr(place(), length));
        break;
      default:
        file.replace(at, length, target.seeds[0].substr(std::min(at, target.seeds[0].size()), length));
        break;
    }
  }
  if (file.starts_with("\x89PNG") && rng.chance(0.7)) repair_png(file);
  return file;
}

std::vector<Target> make_targets(const TemporaryFolder& folder) {
  const std::string fixtures = SEMINAR_SOURCE_DIR "/tests/clip/";
  std::vector<Target> targets{{"pictures", {}, [](const std::string& file) {
                                 const Image image = decode_image(std::as_bytes(std::span(file)), "picture");
                                 resize_and_crop(image, 8);
                               }}};
  for (const auto& entry : std::filesystem::directory_iterator(fixtures + "pictures"))
    targets[0].seeds.push_back(read_file(entry.path().string()));
  std::sort(targets[0].seeds.begin(), targets[0].seeds.end());
  // What reads by path reads a file written for it.
  const auto on_disk = [&](const std::string& name, auto read) {
    return [path = folder / name, read](const std::string& file) {
      write_file(path, file);
      read(path);
    };
  };
  targets.push_back({"safetensors",
                     {read_file(fixtures + "expected.safetensors")},
                     on_disk("m.safetensors", [](const std::string& path) { SafetensorsFile file(path); })});
  targets.push_back({"clip",
                     {read_file(fixtures + "hugging_face/model.safetensors")},
                     on_disk("c.safetensors", [](const std::string& path) { load_clip(path); })});
  std::string npy = "\x93NUMPY";
  npy += std::string("\x01\x00\x46\x00", 4);
  npy += fmt::format("{:<69}\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }");
  write_file(folder / "ids.txt", "a\nb\nc\n");
  targets.push_back(
      {"npy", {npy + std::string(24, '\1')}, on_disk("v.npy", [ids = folder / "ids.txt"](const std::string& path) {
         read_vectors(path, ids);
       })});
  targets.push_back({"merges", {read_file(fixtures + "merges.txt")}, [](const std::string& file) {
                       Tokenizer::from_text(file, "merges").encode("a photo of a cat");
                     }});
  return targets;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Feeds damaged files to the readers");
  int64_t count = 3000, seed = 1;
  app.add_option("--count", count, "inputs");
  app.add_option("--seed", seed, "seed");
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGALRM, on_alarm);
  const TemporaryFolder folder;
  std::vector<Target> targets = make_targets(folder);
  try {
    for (const Target& target : targets)
      for (const std::string& whole : target.seeds) target.read(whole);
    for (current = 0; current < count; ++current) {
      const Rng rng = Rng(static_cast<uint64_t>(seed)).split(static_cast<uint64_t>(current));
      // Every second input is a picture.
      Target& target =
          targets[current % 2 == 0 ? 0 : 1 + static_cast<std::size_t>(current / 2 % (std::ssize(targets) - 1))];
      alarm(30);
      ++target.inputs;
      try {
        target.read(mutated(target, rng));
      } catch (const Error& e) {
        ++target.refused;
        check(std::strchr(e.what(), '\n') == nullptr, "more than one line: {}", e.what());
      }
    }
  } catch (const std::exception& e) {
    fmt::print(stderr, "mutated_files: input {} of seed {}: {}\n", current, seed, e.what());
    return 1;
  }
  for (const Target& t : targets)
    fmt::print("{:<12} {} inputs, {} refused, {} read\n", t.name, t.inputs, t.refused, t.inputs - t.refused);
}
