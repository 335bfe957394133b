// The program under mpirun, as its users start it: model files, metrics, resumption with other numbers of ranks, ranks
// that are killed, mistakes.
#include <chrono>
#include <fstream>
#include <thread>

#include "tests/program.h"

using namespace seminar;

namespace {

std::string ranks(int n, const std::string& options = "") {
  return fmt::format(
      "env OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 {} {} --oversubscribe -np {}",
      SEMINAR_MPIRUN, options, n);
}

struct Files {
  TemporaryFolder folder;
  std::string data = folder / "data";
  // tiny_builder() with users who read another 160 items, for the 99 negatives that studies draw.
  Files() {
    DatasetBuilder builder = tiny_builder();
    for (int i = 0; i < 160; ++i)
      builder.add_event(builder.user(fmt::format("{}", 100 + i / 10)), builder.item(fmt::format("more {}", i)), 0,
                        2000 + i, builder.events());
    builder.write(data);
  }
  // Training with four shards.
  std::string train(const std::string& out, const std::string& more = "") const {
    return fmt::format(
        "train --data {} --out {} --dim 8 --heads 2 --text-heads 2 --hidden 8 --k 4 --history 10 --negatives 2 --batch "
        "16 --eval-negatives 20 --epochs 3 --targets 0 --shards 4 {}",
        data, folder / out, more);
  }
  std::string text(const std::string& name) const { return read_file(folder / name); }
};

// The ranks of a running mpirun.
std::vector<pid_t> children(pid_t parent) {
  std::ifstream in(fmt::format("/proc/{}/task/{}/children", parent, parent));
  std::vector<pid_t> all;
  for (pid_t child = 0; in >> child;) all.push_back(child);
  return all;
}

// Waits until a process has ended; ctest ends a test that waits for ever.
void wait_for_end(pid_t process) {
  while (::kill(process, 0) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

int lines(const std::string& text) { return static_cast<int>(std::count(text.begin(), text.end(), '\n')); }

}  // namespace

TEST_SUITE("mpirun") {
  TEST_CASE("pretrain, train and eval leave the same files whatever the number of ranks") {
    const Files files;
    for (const int n : {1, 2, 4}) {
      CAPTURE(n);
      const std::string psu = fmt::format("psu{}", n), model = fmt::format("model{}", n);
      std::string pretrain = files.train(psu);
      pretrain.replace(0, 5, "pretrain");
      const Output pretrained = run_under(ranks(n), pretrain + " --stats");
      CAPTURE(pretrained.err);
      CHECK(pretrained.code == 0);
      CHECK(lines(pretrained.out) == 1);
      CHECK(pretrained.err.find(fmt::format("pretrain  rank 0 of {} ranks, ", n)) != std::string::npos);
      CHECK(run_under(ranks(n), files.train(model, "--init " + files.folder / "psu1")).code == 0);
      CHECK(
          run_under(ranks(n), fmt::format("eval --data {} --model {} --json {} --ranks {} --eval-negatives 9",
                                          files.data, files.folder / "model1", files.folder / fmt::format("json{}", n),
                                          files.folder / fmt::format("ranks{}", n)))
              .code == 0);
      for (const char* name : {"psu", "model", "json", "ranks"})
        CHECK(files.text(fmt::format("{}{}", name, n)) == files.text(std::string(name) + "1"));
    }
  }

  TEST_CASE("a killed rank ends the job with a line, and other numbers of ranks go on to the same model") {
    const Files files;
    REQUIRE(run(files.train("straight")).code == 0);
    Running job(files.train("model", "--checkpoint-every 0"), ranks(4));
    job.wait_for("epoch 1/3");
    const std::vector<pid_t> all = children(job.process());
    REQUIRE(all.size() == 4);
    ::kill(all[2], SIGKILL);
    CHECK(job.wait() == 128 + SIGKILL);
    CAPTURE(job.errors());
    CHECK(job.errors().find("exited on signal 9 (Killed)") != std::string::npos);
    for (const pid_t rank : all) wait_for_end(rank);
    CHECK(file_exists(files.folder / "model.checkpoint"));

    Running again(files.train("model", "--checkpoint-every 0 --resume"), ranks(2, "--mca odls_base_sigkill_timeout 3"));
    again.wait_for("epoch 2/3");
    again.send(SIGTERM);
    CHECK(again.wait() != 0);
    CAPTURE(again.errors());
    const bool stopped = again.errors().find("go on with --resume") != std::string::npos;
    CHECK((stopped || file_exists(files.folder / "model")));
    if (stopped) CHECK(run(files.train("model", "--resume")).code == 0);
    CHECK(files.text("model") == files.text("straight"));
    CHECK(nothing_half_written(files.folder / "model"));
  }

  TEST_CASE("mistakes are told in one line that names the rank") {
    const Files files;
    const auto refused = [&](const std::string& arguments, const std::string& message) {
      const Output o = run_under(ranks(2, "--quiet"), arguments);
      CAPTURE(o.err);
      CHECK(o.code == 2);
      CHECK(o.out.empty());
      CHECK(lines(o.err) == 1);
      const bool one =
          o.err.starts_with("seminar: rank 0: " + message) || o.err.starts_with("seminar: rank 1: " + message);
      CHECK(one);
    };
    refused(fmt::format("train --data {} --out {} {}", files.data, files.folder / "m", small),
            "--shards 1: cannot be shared evenly by 2 ranks");
    refused("train --data /nowhere --out " + (files.folder / "m"), "/nowhere");
    refused("train --nonsense", "");
    refused(fmt::format("data info {}", files.data), "info: runs as one rank: start it without mpirun");
    const Output help = run_under(ranks(2), "train --help");
    CHECK(help.code == 0);
    CHECK(help.out.find("--shards") == help.out.rfind("--shards"));
  }

  TEST_CASE("a study is spread over ranks and comes out as with one") {
    const Files files;
    const auto study = [&](const std::string& out) {
      return fmt::format("study lengths --quick --seeds 1 --data {} --out {}", files.data, files.folder / out);
    };
    const Output two = run_under(ranks(2), study("two"));
    CAPTURE(two.err);
    REQUIRE(two.code == 0);
    CHECK(two.out.find("written to") == two.out.rfind("written to"));
    const Output one = run(study("one"));
    REQUIRE(one.code == 0);
    // All but times.
    const auto rows = [&](const std::string& out) {
      std::vector<std::string> all;
      for (const auto& file : fs::directory_iterator(files.folder / out + "/runs"))
        if (file.path().extension() == ".safetensors") all.push_back(read_file(file.path().string()));
      std::sort(all.begin(), all.end());
      return all;
    };
    CHECK(rows("two").size() > 2);
    CHECK(rows("two") == rows("one"));
  }
}
