// The program where the system gives no more: signals, full disks, folders that must not be written, size limits.
#include <sys/stat.h>

#include <cstdlib>

#include "tests/program.h"

using namespace seminar;

namespace {

// A data set and what trains on it.
struct Runs {
  TemporaryFolder folder;
  std::string data = folder / "data";
  Runs() {
    write_movielens(folder / "src");
    REQUIRE(run(fmt::format("data import movielens {} --out {}", folder / "src", data)).code == 0);
  }
  std::string train(const std::string& out, const std::string& more = "") const {
    return fmt::format("train --model mean_pool --data {} --out {} {} {}", data, out, small, more);
  }
};

}  // namespace

TEST_SUITE("limits") {
  TEST_CASE("stopped by Ctrl-C, SIGTERM, a second Ctrl-C and SIGKILL, a run goes on to the same file") {
    const Runs runs;
    const std::string straight = runs.folder / "straight", out = runs.folder / "model";
    // More epochs than notes of them fit into a pipe four times.
    const auto train = [&](const std::string& to) {
      std::string flags = small;
      flags.replace(flags.find("--epochs 1"), 10, "--epochs 300");
      flags.replace(flags.find("--batch 16"), 10, "--batch 256");
      return fmt::format("train --model mean_pool --data {} --out {} {}", runs.data, to, flags);
    };
    const Output whole = run(train(straight));
    CAPTURE(whole.err);
    REQUIRE(whole.code == 0);
    check_refused(train(out) + " --resume", "model.checkpoint: cannot be opened: No such file or directory");
    const auto stopped = [&](const std::string& more, std::initializer_list<int> signals) {
      Running running(train(out) + more);
      running.wait_for("  epoch ");
      for (const int signal : signals) running.send(signal);
      const int code = running.wait();
      CAPTURE(running.errors());
      CHECK(!fs::exists(out));
      CHECK(fs::exists(out + ".checkpoint"));
      return code;
    };
    CHECK(stopped("", {SIGINT}) == 130);
    check_refused(train(out), "model.checkpoint: left by a run that was stopped: go on with --resume, or remove it");
    check_refused(train(out) + " --resume --lr 0.5", "made with --lr '0.003', this run has 0.5");
    CHECK(stopped(" --resume", {SIGTERM}) == 143);
    CHECK(stopped(" --resume", {SIGINT, SIGINT}) == 130);
    CHECK(stopped(" --resume", {SIGKILL}) == 137);
    CHECK(run(train(out) + " --resume").code == 0);
    CHECK(read_file(out) == read_file(straight));
    CHECK(nothing_half_written(out));
    check_refused(train(out) + " --checkpoint-every -1", "--checkpoint-every");
  }

  TEST_CASE("what would need more memory than allowed is refused with the estimate") {
    const Runs runs;
    const std::string out = runs.folder / "model";
    check_refused(runs.train(out, "--max-memory 50K"), "--max-memory 0.0 MiB: train needs about ");
    CHECK(!fs::exists(out + ".checkpoint"));
    CHECK(run(runs.train(out, "--max-memory 500M")).code == 0);
    check_refused(fmt::format("eval --data {} --model {} --eval-negatives 20 --max-memory 30K", runs.data, out),
                  "lower --batch, --history or --dim");
    check_refused(runs.train(out, "--max-memory much"), "--max-memory");
  }

  TEST_CASE("a full disk, a size limit, a folder that must not be written") {
    const Runs runs;
    const std::string out = runs.folder / "model";
    REQUIRE(run(runs.train(out)).code == 0);
    const std::string before = read_file(out);
    // The last line says it, and what was there is still there.
    const auto check_fails = [&](const std::string& prefix, const std::string& arguments, const std::string& message) {
      const Output o = run_under(prefix, arguments);
      CAPTURE(o.err);
      CHECK(o.code == 2);
      CHECK(o.err.substr(o.err.rfind("seminar: ")) == fmt::format("seminar: {}\n", message));
      CHECK(read_file(out) == before);
      CHECK(nothing_half_written(out));
    };
    const auto works = [](const std::string& prefix) {
      return std::system(fmt::format("{} true 2>/dev/null", prefix).c_str()) == 0;
    };
    SUBCASE("a size limit") {
      check_fails("ulimit -f 8;", runs.train(out, "--seed 2"), out + ".checkpoint: cannot be written: File too large");
    }
    SUBCASE("a full disk") {
      const std::string disk = runs.folder / "disk";
      fs::create_directories(disk);
      const std::string prefix =
          fmt::format("unshare -m sh -c 'mount -t tmpfs -o size=16k none {} && exec \"$@\"' sh", disk);
      if (works(prefix))
        check_fails(prefix, runs.train(disk + "/m"),
                    disk + "/m.checkpoint: cannot be written: No space left on device");
      else
        MESSAGE("skipped: no tmpfs can be mounted here");
    }
    SUBCASE("a folder that must not be written is refused before the work") {
      const std::string locked = runs.folder / "locked";
      fs::create_directories(locked);
      ::chmod(locked.c_str(), 0555);
      const std::string prefix = ::geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups" : "";
      if (works(prefix))
        check_fails(prefix, runs.train(locked + "/m"), locked + "/m: cannot be written: Permission denied");
      else
        MESSAGE("skipped: no other user to run as");
    }
  }
}
