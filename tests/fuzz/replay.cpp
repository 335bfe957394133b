// replay [--count N] [--seed S] [--target NAME] [--write-seeds DIR] FILE…: gives the readers of tests/fuzz/targets.h
// their own whole inputs, the stored ones of tests/fuzz/corpus/NAME, and N inputs damaged at random, as many for each
// target; with FILEs, only those. Anything but reading or refusing in one line, and more than 30 s for one input, ends
// the program with a message that names the input. The same seed gives the same inputs.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>

#include "tensor/error.h"
#include "tensor/io/file.h"
#include "tensor/random.h"
#include "tests/fuzz/targets.h"

using namespace seminar;
namespace fs = std::filesystem;

namespace {

std::string current;

extern "C" void on_alarm(int) {
  static const char message[] = "replay: more than 30 s for ";
  for (const std::string_view part : {std::string_view(message), std::string_view(current), std::string_view("\n")})
    if (::write(STDERR_FILENO, part.data(), part.size()) < 0) break;
  _exit(1);
}

bool give(const FuzzTarget& target, const std::string& input, const std::string& name) {
  current = fmt::format("{}: {}", target.name, name);
  alarm(30);
  return try_input(target, input);
}

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> files;
  if (fs::is_directory(folder))
    for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

std::string mutated(const FuzzTarget& target, Rng rng) {
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
  return file;
}

void replay(const FuzzTarget& target, int64_t count, uint64_t seed) {
  for (std::size_t i = 0; i < target.seeds.size(); ++i)
    check(give(target, target.seeds[i], fmt::format("seed {}", i)), "refused, which is whole");
  const auto stored = files_in(fmt::format(SEMINAR_SOURCE_DIR "/tests/fuzz/corpus/{}", target.name));
  for (const std::string& path : stored) give(target, read_file(path), path);
  int64_t read = 0;
  for (int64_t i = 0; i < count; ++i)
    read += give(target, mutated(target, Rng(seed).split(target.name).split(static_cast<uint64_t>(i))),
                 fmt::format("input {} of seed {}", i, seed));
  fmt::print("{:<12} {} whole, {} stored, {} damaged: {} refused, {} read\n", target.name, target.seeds.size(),
             stored.size(), count, count - read, read);
}

void write_seeds(const FuzzTarget& target, const std::string& folder) {
  fs::create_directories(folder);
  for (std::size_t i = 0; i < target.seeds.size(); ++i)
    write_file(fmt::format("{}/seed-{}", folder, i), target.seeds[i]);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Gives stored and damaged files to the readers");
  int64_t count = 300;
  uint64_t seed = 1;
  std::string only, seeds;
  std::vector<std::string> files;
  app.add_option("--count", count, "damaged inputs a target")->capture_default_str();
  app.add_option("--seed", seed, "seed of the damage")->capture_default_str();
  app.add_option("--target", only, "one target instead of all");
  app.add_option("--write-seeds", seeds, "write the targets' whole inputs to DIR/NAME/ instead");
  app.add_option("files", files, "give only these to --target");
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGALRM, on_alarm);
  try {
    check(files.empty() || !only.empty(), "FILE needs --target");
    if (!only.empty()) fuzz_target(only);
    for (const FuzzTarget& target : fuzz_targets()) {
      if (!only.empty() && only != target.name) continue;
      for (const std::string& path : files) give(target, read_file(path), path);
      if (!files.empty()) continue;
      if (seeds.empty())
        replay(target, count, seed);
      else
        write_seeds(target, fmt::format("{}/{}", seeds, target.name));
    }
  } catch (const std::exception& e) {
    fmt::print(stderr, "replay: {}: {}\n", current, e.what());
    return 1;
  }
}
