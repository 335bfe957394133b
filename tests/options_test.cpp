// The command line: numbers, TOML files, settings of each model, suggestions, files that are read and written, and
// output that nobody can take.
#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tests/program.h"

using namespace seminar;
namespace fs = std::filesystem;

namespace {

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A data set and a small SEMINAR model of it.
struct Trained {
  TemporaryFolder folder;
  std::string data = folder / "data", model = folder / "model.safetensors";
  Trained() {
    write_movielens(folder / "src");
    REQUIRE(run(fmt::format("data import movielens {} --out {}", folder / "src", data)).code == 0);
    REQUIRE(run(fmt::format("train --data {} --out {} {}", data, model, small)).code == 0);
  }
  std::string with(const std::string& command) const {
    return fmt::format("{} --data {} --model {}", command, data, model);
  }
};

// What --print-config says of a flag.
std::string printed(const std::string& arguments, const std::string& flag) {
  const Output o = run(arguments + " --print-config");
  CAPTURE(o.err);
  CHECK(o.code == 0);
  const std::size_t at = o.out.find("\n" + flag + " = ");
  return at == std::string::npos ? "" : o.out.substr(at + 1, o.out.find("  #", at) - at - 1);
}

std::string config(const TemporaryFolder& folder, const std::string& text) {
  write_file(folder / "c.toml", text);
  return " --config " + (folder / "c.toml");
}

}  // namespace

TEST_SUITE("options") {
  TEST_CASE("numbers of the command line follow one rule") {
    for (const char* ten : {"10", "010", "10.0", "1e1", "+10"})
      CHECK(printed(fmt::format("train --epochs {}", ten), "epochs") == "epochs = 10");
    CHECK(printed("train --lr 1e-3", "lr") == "lr = 0.001");
    for (const char* text : {"0x10", "1.5", "ten", "1_0", "nan"})
      check_refused(fmt::format("train --data x --out y --epochs {}", text), "--epochs: must be a whole number: '");
    for (const char* text : {"4294967306", "18446744073709551626", "-1", "1e30"})
      check_refused(fmt::format("train --data x --out y --epochs {}", text), "--epochs: must be from 0 to 10000: ");
    check_refused("train --data x --out y --lr inf", "--lr: must be a number: 'inf'");
    check_refused("bench --repeats 0", "--repeats: must be from 1 to 1000: 0");
    check_refused("rank --model x --history 0x7", "--history: must be a whole number");
    check_refused("scaling --ranks 1,2.5", "--ranks: must be a whole number: '2.5'");
  }

  TEST_CASE("every flag is a key of the TOML file, in tables or not, with - or _") {
    const TemporaryFolder folder;
    const auto value = [&](const std::string& text, const std::string& command, const std::string& flag) {
      return printed(command + config(folder, text), flag);
    };
    CHECK(value("model = \"sim\"", "train", "model") == "model = \"sim\"");
    CHECK(value("max_memory = \"2G\"", "train", "max-memory") == "max-memory = \"2G\"");
    CHECK(value("checkpoint-every = 0", "train", "checkpoint-every") == "checkpoint-every = 0");
    CHECK(value("hide_query = 1", "train", "hide-query") == "hide-query = 1");
    CHECK(value("[train]\nepochs = 7\n[data]\ndata = \"d\"", "train", "epochs") == "epochs = 7");
    CHECK(value("[data]\ndata = \"d\"", "eval", "data") == "data = \"d\"");
    CHECK(value("[model]\nk = 7.0", "eval", "k") == "k = 7");
    CHECK(value("epochs = 3", "train --epochs 4", "epochs") == "epochs = 4");
    CHECK(value("resume = true", "train", "resume") == "resume = true");
    CHECK(value("lengths = [10, 20]", "study figure2", "lengths") == "lengths = [10, 20]");
    // One file for several commands: each takes what is its own.
    const std::string shared = "[train]\nlr = 0.5\nmodel = \"sim\"\n[eval]\nmodel = \"m\"\neval-seed = 9\n";
    CHECK(value(shared, "train", "model") == "model = \"sim\"");
    CHECK(value(shared, "eval", "model") == "model = \"m\"");
    CHECK(value(shared, "train", "eval-seed") == "eval-seed = 9");
    // A run's own settings, read again, are the same settings.
    const std::string first = run("train --data d --out o --heads 2 --lr 0.01 --print-config").out;
    CHECK(run("train --print-config" + config(folder, first)).out == first);

    const auto refused = [&](const std::string& text, const std::string& command, const std::string& message) {
      check_refused(command + config(folder, text), message);
    };
    refused("\nepoch = 3", "train", "c.toml:2: unknown setting: 'epoch': did you mean 'epochs'?");
    refused("lr = 3", "eval", "c.toml:1: unknown setting: 'lr': eval has no such flag, only pretrain, train");
    refused("[trian]\nlr = 3", "train", "c.toml:1: unknown table: 'trian': did you mean 'train'?");
    refused("[train]\nlearning = 3", "train", "c.toml:2: unknown setting: 'learning'");
    refused("epochs = 0x10", "train", "c.toml:1: 'epochs': must be a decimal number");
    refused("epochs = 1.5", "train --data d --out o", "c.toml:1: --epochs: must be a whole number: '1.5'");
    refused("epochs = \"1\"", "train", "c.toml:1: 'epochs': wrong type: must be a number: '1'");
    refused("epochs = [1]", "train", "c.toml:1: 'epochs': wrong type: must be one value");
    refused("resume = 1", "train", "c.toml:1: 'resume': wrong type: must be true or false");
    refused("text-heads = 2\ntext_heads = 2", "train", "c.toml:2: 'text_heads' is given twice, here and at");
    refused("lambda = nan", "train --data d --out o", "c.toml:1: --lambda: must be a number: 'nan'");
    check_refused("train --config " + (folder / "none"), "none: cannot be opened");
  }

  TEST_CASE("a model's settings are shown with it and refused by the others") {
    const auto shows = [](const std::string& arguments, const std::string& flag) {
      const Output o = run(arguments);
      CHECK(o.code == 0);
      return holds(o.out, "\n  --" + flag + " ");
    };
    const std::pair<const char*, std::vector<std::string>> readers[] = {
        {"k1", {"qin"}},
        {"hash-bits", {"eta", "sdim"}},
        {"hash-width", {"sdim"}},
        {"positions", {"sasrec"}},
        {"form", {"mean_pool", "sim", "eta", "twin", "qin"}},
        {"chunks", {"psu"}},
        {"gsu", {"seminar"}}};
    for (const auto& reader : readers)
      for (const char* kind : {"seminar", "psu", "mean_pool", "din", "sim", "eta", "sdim", "twin", "qin", "sasrec"}) {
        const std::string flag = reader.first;
        CAPTURE(flag);
        CAPTURE(kind);
        const bool reads = std::find(reader.second.begin(), reader.second.end(), kind) != reader.second.end();
        if (flag != "gsu") CHECK(shows(fmt::format("train --model {} --help", kind), flag) == reads);
        const std::string value = flag == "form" ? "authors" : flag == "gsu" ? "int8" : "7";
        if (!reads)
          check_refused(fmt::format("train --model {} --data x --out y --{} {}", kind, flag, value),
                        fmt::format("--{}: {} does not read it: it is a setting of ", flag, kind));
      }
    CHECK(shows("pretrain --help", "align-loss"));
    CHECK(!shows("pretrain --help", "k1"));
    CHECK(shows("train --help-all", "k1"));
    CHECK(!shows("eval --help", "lr"));
    CHECK(shows("help data import", "min-length"));
    check_refused("pretrain --data x --out y --k1 5", "--k1: psu does not read it: it is a setting of qin");
    const TemporaryFolder folder;
    check_refused("train --data x --out y" + config(folder, "\nblocks = 3"),
                  "c.toml:2: --blocks: seminar does not read it: it is a setting of sasrec");
  }

  TEST_CASE("a slip is answered with what was meant") {
    check_refused("trian", "unknown subcommand: 'trian': did you mean 'train'?");
    check_refused("data imprt x", "data: unknown subcommand: 'imprt': did you mean 'import'?");
    check_refused("data", "data: a subcommand is required: ");
    check_refused("fly", "unknown subcommand: 'fly'");
    check_refused("train --data x --out y --epoch 3", "train: unknown flag: '--epoch': did you mean 'epochs'?");
    check_refused("train --data x --out y --negative-querys own", "did you mean 'negative-queries'?");
    check_refused("eval --data x --model y --lr 3", "eval: no flag --lr: it belongs to pretrain, train, ");
    CHECK(holds(run("help").out, "Subcommands:"));
    CHECK(run("help train").out == run("train --help").out);
    check_refused("help trian", "did you mean 'train'?");
    for (const char* command : {"train", "eval", "export", "data import", "compare", "study figure2"})
      CHECK_MESSAGE(holds(run(fmt::format("{} --help", command)).out, "Example"), command);
  }

  TEST_CASE("what a command reads it never writes") {
    const Trained t;
    const std::string before = read_file(t.model), link = t.folder / "link", hard = t.folder / "hard",
                      ranks = t.folder / "a.ranks";
    fs::create_symlink(t.model, link);
    fs::create_hard_link(t.model, hard);
    const std::string manifest = read_file(t.data + "/manifest.json");
    for (const std::string& out : {t.model, link, hard, t.folder / "./model.safetensors"}) {
      check_refused(fmt::format("{} --out {}", t.with("export"), out), "is read by this command: choose another name");
      check_refused(fmt::format("{} --out {}", t.with("quantize"), out), "is read by this command");
      check_refused(fmt::format("{} --json {}", t.with("eval"), out), "--json: ");
      check_refused(fmt::format("train --data {} --init {} --out {}", t.data, t.model, out), "--out: ");
      check_refused(fmt::format("inspect {} --data {} --graph {}", t.model, t.data, out), "--graph: ");
      check_refused(fmt::format("encode --model {} --texts {} --out {}", t.model, t.model, out), "--out: ");
    }
    check_refused(fmt::format("{} --json {}/manifest.json", t.with("eval"), t.data), "belongs to ");
    check_refused(fmt::format("{} --json {} --ranks {}", t.with("eval"), ranks, ranks), "is what --json writes");
    check_refused(fmt::format("report {} --out {}", t.folder / "", t.model), "is read by this command");
    CHECK(read_file(t.model) == before);
    CHECK(read_file(t.data + "/manifest.json") == manifest);
    CHECK(fs::is_symlink(link));

    write_file(t.folder / "real", "old");
    fs::create_symlink("real", t.folder / "out");
    CHECK(run(fmt::format("{} --out {}", t.with("export"), t.folder / "out")).code == 0);
    CHECK(fs::is_symlink(t.folder / "out"));
    CHECK(fs::file_size(t.folder / "real") > 1000);
    const std::string metrics = t.with("eval") + " --eval-negatives 20 --json ";
    CHECK(run(metrics + "/dev/stdout").out.starts_with("{"));
    check_refused(fmt::format("train --data {} --out /dev/null", t.data), "is a pipe or a device");
    CHECK(fs::is_character_file("/dev/null"));
    // A model that is there already is not replaced in silence.
    const Output again = run(fmt::format("train --data {} --out {} {}", t.data, t.model, small));
    CHECK(again.code == 0);
    CHECK(holds(again.err, "model.safetensors: exists and is replaced at the end"));
    CHECK(read_file(t.model) == before);
    check_refused(fmt::format("train --data {} --init {} --out {} --dim 16", t.data, t.model, t.folder / "n"),
                  "was made with 8, and the settings of --init hold");
  }

  TEST_CASE("output that nobody takes: work is done, the exit code is 2, nothing aborts") {
    const Trained t;
    const std::string before = read_file(t.model);
    const auto code_of = [](const std::string& command) {
      const int status = std::system(command.c_str());
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    };
    const std::string error = t.folder / "err";
    for (const char* command : {"--help", "--version", "man", "train --print-config"}) {
      CHECK(code_of(fmt::format("{} {} >/dev/full 2>{}", SEMINAR_BINARY, command, error)) == 2);
      CHECK(read_file(error) == "seminar: standard output: cannot be written: No space left on device\n");
    }
    for (const char* gone : {">/dev/full", ">&-"}) {
      CHECK(code_of(fmt::format("{} inspect {} {} 2>{}", SEMINAR_BINARY, t.model, gone, error)) == 2);
      CHECK(holds(read_file(error), "seminar: standard output: cannot be written: "));
    }
    for (const char* gone : {"2>/dev/full", "2>&-", ">&- 2>&-", "</dev/null >/dev/full 2>/dev/full"}) {
      const std::string out = t.folder / "again";
      CHECK(code_of(fmt::format("{} train --data {} --out {} {} {}", SEMINAR_BINARY, t.data, out, small, gone)) == 2);
      CHECK(read_file(out) == before);
      fs::remove(out);
      CHECK(code_of(fmt::format("{} data info nowhere {}", SEMINAR_BINARY, gone)) == 2);
    }
    // A reader that goes away.
    const std::string code = t.folder / "code", piped = t.folder / "piped";
    CHECK(code_of(fmt::format("({} train --data {} --out {} {} 2>&1; echo $? > {}) | true", SEMINAR_BINARY, t.data,
                              piped, small, code)) == 0);
    CHECK(read_file(code) == "2\n");
    CHECK(read_file(piped) == before);
  }

  TEST_CASE("a model is evaluated as it was trained; the seed of evaluation is its own") {
    const Trained t;
    const std::string as_trained = t.with("eval") + " --eval-negatives 20", ranks = t.folder / "r.ranks";
    const Output plain = run(as_trained), told = run(as_trained + " --history 10 --k 4");
    CHECK(plain.code == 0);
    CHECK(plain.out == told.out);
    CHECK(holds(plain.out, "drawn with seed 42"));
    CHECK(holds(run(as_trained + " --eval-seed 7").out, "drawn with seed 7"));
    const std::string other = t.folder / "other.safetensors";
    const Output trained = run(fmt::format("train --data {} --out {} {} --seed 7", t.data, other, small));
    CHECK(trained.code == 0);
    // The console's epoch line has the mean of the epoch, as the log has it.
    const std::string log = read_file(other + ".log.json");
    const std::size_t at = log.find("\"ctr\": ");
    REQUIRE(at != std::string::npos);
    CHECK(holds(trained.err, fmt::format("  ctr {:.4f}  ", std::stod(log.substr(at + 7)))));
    CHECK(run(fmt::format("{} --ranks {}", as_trained, ranks)).code == 0);
    CHECK(
        run(fmt::format("eval --data {} --model {} --eval-negatives 20 --ranks {}", t.data, other, ranks + "2")).code ==
        0);
    CHECK(run(fmt::format("compare {} {}", ranks, ranks + "2")).code == 0);
    const Output few = run(t.with("eval"));
    CHECK(few.code == 2);
    CHECK(holds(few.err, "or less with --eval-negatives"));
  }

  TEST_CASE("--quick shortens only what was not asked for") {
    const TemporaryFolder folder;
    const Output o = run(fmt::format(
        "study figure2 --out {} --quick --draws 1 --lengths 40 --k 4 --dim 4 --sub-quantizers 2 --centroids 4 --corpus "
        "300 --steps 20",
        folder / "study"));
    CAPTURE(o.err);
    CHECK(o.code == 0);
    CHECK(holds(o.out, "L = 40\n"));
    CHECK(!holds(o.out, "L = 2000\n"));
  }

  TEST_CASE("losses of every step as a TensorBoard event file and as CSV") {
    const Trained t;
    const std::string events = t.folder / "events", csv = t.folder / "steps.csv";
    CHECK(run(fmt::format("train --data {} --out {} {} --tensorboard {} --step-log {}", t.data, t.folder / "m", small,
                          events, csv))
              .code == 0);
    const std::string rows = read_file(csv);
    CHECK(rows.starts_with("step,targets_per_second,loss/loss,loss/ctr,loss/gsu\n1,"));
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(events)) files.push_back(entry.path());
    REQUIRE(files.size() == 1);
    CHECK(holds(files[0], "events.out.tfevents."));
    // TFRecords: a length of 8 bytes, its CRC, the event, its CRC; CRC-32C, rotated and shifted.
    const auto crc = [](const std::string& bytes) {
      uint32_t c = ~0u;
      for (const char b : bytes) {
        c ^= static_cast<unsigned char>(b);
        for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ (0x82f63b78u & (0u - (c & 1u)));
      }
      return ~c;
    };
    CHECK(crc("123456789") == 0xe3069283u);
    const std::string bytes = read_file(files[0]);
    const auto number = [&]<class T>(T, std::size_t at) {
      T value;
      std::memcpy(&value, bytes.data() + at, sizeof value);
      return value;
    };
    const auto masked = [&](const std::string& text) {
      const uint32_t c = crc(text);
      return ((c >> 15) | (c << 17)) + 0xa282ead8u;
    };
    std::size_t records = 0, at = 0;
    std::string all;
    while (at < bytes.size()) {
      REQUIRE(at + 16 <= bytes.size());
      const auto length = static_cast<std::size_t>(number(uint64_t{}, at));
      REQUIRE(at + 16 + length <= bytes.size());
      CHECK(number(uint32_t{}, at + 8) == masked(bytes.substr(at, 8)));
      const std::string event = bytes.substr(at + 12, length);
      CHECK(number(uint32_t{}, at + 12 + length) == masked(event));
      CHECK(event[0] == '\x09');  // field 1, a double: the time
      all += event;
      at += 16 + length;
      ++records;
    }
    CHECK(records ==
          static_cast<std::size_t>(std::count(rows.begin(), rows.end(), '\n')));  // a version, then the steps
    for (const char* tag : {"brain.Event:2", "loss/ctr", "valid/ndcg@10", "epoch_loss/gsu"}) CHECK(holds(all, tag));
  }

  TEST_CASE("completions and the manual page come from the same definitions") {
    const TemporaryFolder folder;
    write_file(folder / "bash", run("completion bash").out);
    const auto completed = [&](const std::string& words, int at) {
      const std::string command =
          fmt::format("bash -c 'source {}; COMP_WORDS=({}); COMP_CWORD={}; _seminar; echo \"${{COMPREPLY[*]}}\"' > {}",
                      folder / "bash", words, at, folder / "out");
      CHECK(std::system(command.c_str()) == 0);
      return read_file(folder / "out");
    };
    CHECK(completed("seminar pretr", 1) == "pretrain\n");
    CHECK(completed("seminar data inf", 2) == "info\n");
    CHECK(completed("seminar data import --min", 3) == "--min-length\n");
    CHECK(completed("seminar train --model sim", 3) == "sim sim_hard\n");
    CHECK(completed("seminar train --fusion g", 3) == "gate\n");
    CHECK(holds(run("completion zsh").out, "bashcompinit"));
    CHECK(holds(run("completion fish").out, "-l fusion -x -a 'lambda gate'"));
    check_refused("completion tcsh", "SHELL: must be one of bash, zsh, fish: 'tcsh'");
    const std::string page = run("man").out;
    for (const char* part : {".TH SEMINAR 1", ".SS seminar data import", "\\-\\-eval\\-seed", "(required)"})
      CHECK(holds(page, part));
    write_file(folder / "seminar.1", page);
    if (std::system("man --version >/dev/null 2>&1") == 0)
      CHECK(std::system(fmt::format("MANPAGER=cat man -l {} > /dev/null", folder / "seminar.1").c_str()) == 0);
  }
}
