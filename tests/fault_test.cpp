// Every call of saves and loads fails once, in every way: the old file or the new one is whole afterwards, the message
// is one line, interruptions and halves are survived.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>

#include "apps/cli.h"
#include "seminar/data/import.h"
#include "seminar/training/model_file.h"
#include "seminar/training/trainer.h"
#include "tests/faults.h"
#include "tests/tiny_data.h"

using namespace seminar;
namespace fs = std::filesystem;

namespace {

using Kind = Faults::Kind;

// Something done to files, and what must hold afterwards, whether it worked or not.
struct Scenario {
  const char* name;
  std::function<void()> prepare, act;
  std::function<void(bool done)> check_after;
};

struct Counts {
  int64_t faults = 0, refused = 0, survived = 0;
};

int64_t temporaries(const std::string& folder) {
  int64_t n = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    n += entry.path().filename().string().find(".tmp.") != std::string::npos;
  return n;
}

// Lets the n-th call of act() fail; true if it was reached.
bool inject(const Scenario& s, const std::string& folder, Kind kind, int64_t n, Counts& counts) {
  s.prepare();
  std::string message;
  faults.start(kind, n);
  try {
    s.act();
  } catch (const Error& e) {
    message = e.what();
  }
  faults.stop();
  INFO(s.name << ", call " << n << ": " << message << " after " << faults.trace);
  CHECK(message.find('\n') == std::string::npos);
  const bool done = message.empty();
  if (kind == Kind::interrupted || kind == Kind::half) CHECK(done);
  const bool hit = faults.hit, reached = faults.calls >= n;
  CHECK(temporaries(folder) == 0);
  s.check_after(done);
  counts.faults += hit;
  counts.refused += hit && !done;
  counts.survived += hit && done;
  return reached;
}

void inject_everywhere(const Scenario& s, const std::string& folder) {
  Counts counts;
  int64_t calls = 0;
  for (const Kind kind : {Kind::no_space, Kind::io_error, Kind::interrupted, Kind::half, Kind::full}) {
    int64_t n = 1;
    while (inject(s, folder, kind, n, counts)) ++n;
    calls = std::max(calls, n - 1);
  }
  CHECK(counts.refused > 0);
  CHECK(counts.survived > 0);
  fmt::print("{:<28} {:>4} calls: {:>5} faults, {:>5} refused in one line, {:>5} survived\n", s.name, calls,
             counts.faults, counts.refused, counts.survived);
}

// Bytes of a file, nothing if it is not there.
std::string bytes_of(const std::string& path) { return file_exists(path) ? read_file(path) : ""; }

void write_gzip(const std::string& path, const std::string& text) {
  gzFile file = gzopen(path.c_str(), "wb");
  REQUIRE(gzwrite(file, text.data(), static_cast<unsigned>(text.size())) == static_cast<int>(text.size()));
  REQUIRE(gzclose(file) == Z_OK);
}

}  // namespace

TEST_SUITE("faults") {
  TEST_CASE("a file is synced before it is renamed, and its folder after") {
    const TemporaryFolder folder;
    faults.start(Kind::none, 0);
    write_file(folder / "a", "text");
    faults.stop();
    CHECK(faults.trace == "open fstat write fsync rename close open fsync close ");
  }

  TEST_CASE("models: save over an older one, load") {
    const TinyData tiny;
    const std::string path = tiny.folder / "model.safetensors";
    const RunSettings run = small_run();
    const auto first = make_model("seminar", small_settings(), tiny.data, Rng(1)),
               second = make_model("seminar", small_settings(), tiny.data, Rng(2));
    save_model(*second, tiny.data, run, path);
    const std::string after = read_file(path);
    save_model(*first, tiny.data, run, path);
    const std::string before = read_file(path);
    REQUIRE(before != after);
    inject_everywhere({"save a model", [&] { save_model(*first, tiny.data, run, path); },
                       [&] { save_model(*second, tiny.data, run, path); },
                       [&](bool done) {
                         const std::string bytes = read_file(path);
                         CHECK((bytes == after || (bytes == before && !done)));
                         CHECK(load_model(path, tiny.data) != nullptr);
                       }},
                      tiny.folder / "");
    std::unique_ptr<Model> loaded;
    inject_everywhere({"load a model", [&] { loaded.reset(); }, [&] { loaded = load_model(path, tiny.data); },
                       [&](bool done) { CHECK(done == (loaded != nullptr)); }},
                      tiny.folder / "");
  }

  TEST_CASE("training with a checkpoint after every step: resumed after the fault, the model is the same") {
    const TinyData tiny;
    const std::string path = tiny.folder / "model.checkpoint", out = tiny.folder / "model.safetensors";
    RunSettings run = small_run();
    run.epochs = 1, run.batch = 32;  // three checkpoints
    const auto train_and_save = [&](bool resume) {
      const auto model = make_model("mean_pool", small_settings(), tiny.data, Rng(1));
      TrainOptions options;
      options.checkpoint = path;
      options.checkpoint_every = 0;
      options.resume = resume;
      train(*model, tiny.data, run, options);
      save_model(*model, tiny.data, run, out);
    };
    train_and_save(false);
    const std::string straight = read_file(out);
    inject_everywhere({"train with checkpoints",
                       [&] {
                         remove_file(path);
                         remove_file(out);
                       },
                       [&] { train_and_save(false); },
                       [&](bool done) {
                         if (done) CHECK(read_file(out) == straight);
                         train_and_save(file_exists(path));
                         CHECK(read_file(out) == straight);
                       }},
                      tiny.folder / "");
  }

  TEST_CASE("data folders: written, opened, verified") {
    const TemporaryFolder folder;
    const std::string dir = folder / "data";
    inject_everywhere({"write a data folder", [&] { fs::remove_all(dir); }, [&] { tiny_builder().write(dir); },
                       [&](bool done) {
                         CHECK((fs::exists(dir) || !done));
                         if (fs::exists(dir)) Dataset::open(dir).verify();
                       }},
                      folder / "");
    fs::remove_all(dir);
    tiny_builder().write(dir);
    inject_everywhere({"open and verify a data folder", [] {}, [&] { Dataset::open(dir).verify(); }, [](bool) {}},
                      folder / "");
  }

  TEST_CASE("imports, plain and gzip") {
    const TemporaryFolder folder;
    const std::string source = folder / "source", dir = folder / "data", copy = folder / "copy";
    fs::create_directories(source);
    std::string ratings = "userId,movieId,rating,timestamp\n", movies = "movieId,title,genres\n";
    for (int i = 0; i < 12; ++i) {
      ratings += fmt::format("{},{},4.0,{}\n", 1 + i / 6, 1 + i % 6, 1000 + i);
      if (i < 6) movies += fmt::format("{},Movie {},Drama\n", 1 + i, i);
    }
    write_gzip(source + "/ratings.csv.gz", ratings);
    write_file(source + "/movies.csv", movies);
    write_file(source + "/tags.csv", "userId,movieId,tag,timestamp\n1,1,good,1000\n");
    import_dataset("movielens", source, copy, {});
    const std::string manifest = read_file(copy + "/manifest.json");
    inject_everywhere(
        {"import a data set", [&] { fs::remove_all(dir); }, [&] { import_dataset("movielens", source, dir, {}); },
         [&](bool done) {
           CHECK((bytes_of(dir + "/manifest.json") == manifest || !done));
           if (fs::exists(dir)) Dataset::open(dir).verify();
         }},
        folder / "");
  }

  TEST_CASE("a mapped file that is cut short ends the program with one line and exit code 2") {
    const TemporaryFolder folder;
    const std::string path = folder / "cut.bin";
    write_file(path, std::string(100000, 'x'));
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(ends[1], STDERR_FILENO);
      install_signal_handlers();
      const MappedFile file(path);
      if (::truncate(path.c_str(), 10) != 0) ::_exit(99);
      volatile std::byte last = file.bytes().back();
      ::_exit(last == std::byte{'x'} ? 98 : 97);
    }
    ::close(ends[1]);
    std::string message(1000, '\0');
    std::size_t size = 0;
    for (ssize_t n; (n = ::read(ends[0], message.data() + size, message.size() - size)) > 0;)
      size += static_cast<std::size_t>(n);
    message.resize(size);
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 2);
    CHECK(message == fmt::format("seminar: {}: cannot be read: it was cut short while it was in use\n", path));
  }
}
