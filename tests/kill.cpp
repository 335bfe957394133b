// kill [--kills N]: a process that saves one file again and again is killed with SIGKILL at its n-th call of the
// operating system, N times at places that go round; the file must hold the last version that was saved whole, or the
// next. Then a training run is killed again and again, resumed each time, and must end in the file of a run that was
// not.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>

#include "seminar/training/model_file.h"
#include "seminar/training/trainer.h"
#include "tensor/parallel.h"
#include "tests/faults.h"
#include "tests/tiny_data.h"

using namespace seminar;

namespace {

constexpr int64_t tensors = 5, numbers = 20000, saves_ahead = 3;

// Runs f() in a child that is killed at its n-th call (0: not at all); true if it was. Nothing else may happen to it.
template <class F>
bool killed(int64_t n, const F& f) {
  const pid_t child = ::fork();
  if (child == 0) {
    set_threads(1);
    faults.start(Faults::Kind::kill, n);
    try {
      f();
    } catch (const std::exception& e) {
      fmt::print(stderr, "kill: {}\n", e.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  check(::waitpid(child, &status, 0) == child, "kill: no child");
  const bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  check(was_killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0), "kill: a child ended with status {}", status);
  return was_killed;
}

void save_version(int64_t version, const std::string& path) {
  SafetensorsWriter file;
  file.meta("version", fmt::format("{}", version));
  for (int64_t i = 0; i < tensors; ++i)
    file.add(fmt::format("x{}", i), Tensor::full({numbers}, static_cast<real>(version)));
  file.save(path);
}

// The version of a file, all of it.
int64_t whole_version(const std::string& path) {
  const SafetensorsFile file(path);
  const int64_t version = std::stoll(file.meta("version"));
  for (int64_t i = 0; i < tensors; ++i)
    for (const real x : file.tensor(fmt::format("x{}", i)).to_vector())
      check(x == static_cast<real>(version), "{}: version {} holds a {}", path, version, x);
  return version;
}

// Kills N processes in the middle of a loop of saves; how many calls a save has.
void kill_saves(int64_t kills, const std::string& path) {
  int told[2];
  check(::pipe2(told, O_NONBLOCK) == 0, "kill: no pipe");
  save_version(0, path);
  faults.start(Faults::Kind::none, 0);
  save_version(0, path);
  faults.stop();
  const int64_t calls = faults.calls;
  int64_t version = 0, at_new = 0;
  for (int64_t kill = 0; kill < kills; ++kill) {
    const bool was_killed = killed(1 + kill % (saves_ahead * calls), [&] {
      for (int64_t v = version + 1;; ++v) {
        save_version(v, path);
        faults.on = false;
        if (::write(told[1], &v, sizeof v) != sizeof v) ::_exit(1);
        faults.on = true;
      }
    });
    check(was_killed, "kill: a child ended by itself");
    // What it told before it died, then the file.
    while (::read(told[0], &version, sizeof version) == sizeof version) {
    }
    const int64_t found = whole_version(path);
    check(found == version || found == version + 1, "kill: version {} after version {} was saved", found, version);
    at_new += found == version + 1;
    version = found;
  }
  fmt::print(
      "{} kills in a loop of saves, {} calls a save: {} versions saved, the old one whole {} times, the new one "
      "{} times, 0 lost\n",
      kills, calls, version, kills - at_new, at_new);
}

void kill_training(const TinyData& tiny) {
  RunSettings run = small_run();
  run.batch = 8;
  const auto train_to = [&](const std::string& out) {
    const auto model = make_model("seminar", small_settings(), tiny.data, Rng(1));
    TrainOptions options;
    options.checkpoint = out + ".checkpoint";
    options.checkpoint_every = 0;
    options.resume = file_exists(options.checkpoint);
    const TrainReport report = train(*model, tiny.data, run, options);
    save_model(*model, tiny.data, run, out);
    return report.steps;
  };
  const std::string straight = tiny.folder / "straight", out = tiny.folder / "model";
  check(!killed(0, [&] { train_to(straight); }), "kill: the straight run was killed");
  int64_t kills = 0;
  // A life has a few calls more than the last one and so gets further sooner or later.
  while (killed(1 + kills, [&] { train_to(out); })) ++kills;
  check(read_file(out) == read_file(straight), "kill: the resumed model differs");
  fmt::print("{} kills of a training run, resumed each time: the model is the same byte for byte\n", kills);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Kills processes that save");
  int64_t kills = 200;
  app.add_option("--kills", kills, "processes killed in a loop of saves")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    const TinyData tiny;
    kill_saves(kills, tiny.folder / "versions.safetensors");
    kill_training(tiny);
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
