// The program as its users meet it: commands, exit codes, messages, files. SEMINAR_BINARY is the program under test.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/program.h"

using namespace seminar;
namespace fs = std::filesystem;

TEST_SUITE("cli") {
  TEST_CASE("help and version") {
    const Output help = run("--help");
    CHECK(help.code == 0);
    for (const char* name : {"data", "pretrain", "train", "eval", "export", "rank", "bench", "inspect", "demo"})
      CHECK(help.out.find(name) != std::string::npos);
    CHECK(run("--version").out.find("OpenMP") != std::string::npos);
    CHECK(run("train --help").out.find("--lambda") != std::string::npos);
  }

  TEST_CASE("import, info, pretrain, train, eval, inspect") {
    const TemporaryFolder folder;
    write_movielens(folder / "src");
    const std::string data = folder / "data";
    CHECK(run(fmt::format("data import movielens {} --out {}", folder / "src", data)).code == 0);
    CHECK(run(fmt::format("data info {}", data)).out.find('8') != std::string::npos);
    const std::string psu = folder / "psu.safetensors", model = folder / "model.safetensors",
                      json = folder / "metrics.json";
    CHECK(run(fmt::format("pretrain --data {} --out {} {}", data, psu, small)).code == 0);
    const Output trained = run(fmt::format("train --data {} --init {} --out {} {}", data, psu, model, small));
    CAPTURE(trained.err);
    CHECK(trained.code == 0);
    const std::string candidates = "--eval-negatives 20 --k 4 --history 10";
    CHECK(run(fmt::format("eval --data {} --model {} --json {} {}", data, model, json, candidates)).code == 0);
    const nlohmann::json metrics = nlohmann::json::parse(read_file(json));
    CHECK(metrics["users"] == 8);
    CHECK(metrics["candidates"] == 21);
    for (const char* name : {"ndcg@5", "ndcg@10", "ndcg@50", "hr@10", "mrr", "auc"})
      CHECK(metrics["metrics"][name].is_number());
    CHECK(metrics["metrics"]["hr@1"] == metrics["metrics"]["ndcg@1"]);
    CHECK(run(fmt::format("eval --data {} --model popularity --json - {}", data, candidates))
              .out.find("\"popularity\"") != std::string::npos);
    CHECK(metrics["calibration"]["mean_label"].get<double>() == doctest::Approx(1.0 / 21));
    const Output inspected = run("inspect " + model);
    CHECK(inspected.code == 0);
    // The tree: one line a module or tensor; a module's numbers and norm are those of its tensors together.
    CHECK(inspected.out.find("    attention ") != std::string::npos);
    CHECK(inspected.out.find("      wq                                 [2, 8, 8]                   128 ") !=
          std::string::npos);
    int64_t total = 0, stated = 0;
    double square = 0, norm = 0;
    std::istringstream tree(inspected.out.substr(inspected.out.find("\nmodule ") + 1));
    for (std::string line; std::getline(tree, line);) {
      const std::vector<std::string> words = [&] {
        std::istringstream stream(line);
        return std::vector<std::string>{std::istream_iterator<std::string>(stream), {}};
      }();
      if (words[0] == "seminar") {
        stated = std::stoll(words[1]);
        norm = std::stod(words[2]);
      } else if (line.find('[') != std::string::npos) {
        total += std::stoll(words[words.size() - 2]);
        square += std::pow(std::stod(words.back()), 2);
      }
    }
    CHECK(total > 0);
    CHECK(stated == total);
    CHECK(norm == doctest::Approx(std::sqrt(square)).epsilon(1e-3));
    const std::string modules = run("inspect --dot " + model).out;
    for (const char* part : {"digraph modules", "label=\"seminar\\n", "label=\"wq\\n[2, 8, 8]\\n128 numbers, norm "})
      CHECK(modules.find(part) != std::string::npos);
    const std::string graph = folder / "graph.dot";
    CHECK(run(fmt::format("inspect {} --data {} --graph {}", model, data, graph)).code == 0);
    const std::string dot = read_file(graph);
    for (const char* part : {"digraph autograd", "bce_with_logits\\n[]", "esu.attention.wq\\n[2, 8, 8]", "softmax\\n["})
      CHECK(dot.find(part) != std::string::npos);
    check_refused(fmt::format("inspect {} --graph {}", model, graph), "--data");

    SUBCASE("quantize, retrieval by codes, studies") {
      const std::string codes = folder / "codes.safetensors";
      const Output quantized = run(
          fmt::format("quantize --data {} --model {} --out {} --sub-quantizers 4 --centroids 8", data, model, codes));
      CHECK(quantized.code == 0);
      CHECK(quantized.out.find("of the variance kept") != std::string::npos);
      const std::string with = fmt::format("eval --data {} --model {} {}", data, model, candidates);
      const std::string exact = run(with).out;
      // K = 4 of at most 10: codes choose otherwise now and then; int8 with its exact second pass does not.
      CHECK(run(with + " --gsu int8").out == exact);
      CHECK(run(with + " --gsu pq --index " + codes).code == 0);
      CHECK(run(with + " --gsu pq").code == 0);
      check_refused(with + " --gsu pq --index " + model, "not codes of this program");
      check_refused(with + " --gsu magic", "--gsu: must be one of exact");
      check_refused(fmt::format("eval --data {} --model {} {} --gsu int8", data, psu, candidates), "has no GSU");
      check_refused(fmt::format("quantize --data {} --model {} --out {}", data, psu, codes), "has no GSU");
      check_refused(fmt::format("quantize --data {} --model {} --out {} --sub-quantizers 3", data, model, codes),
                    "--sub-quantizers: must divide --dim 8: 3");
      const std::string trained_with = folder / "pq_model.safetensors";
      CHECK(run(fmt::format("train --data {} --init {} --out {} {} --gsu pq", data, psu, trained_with, small)).code ==
            0);
      const std::string out = folder / "study";
      const Output study = run(fmt::format(
          "study figure2 --out {} --draws 1 --lengths 40 --k 4,8 --dim 4 --sub-quantizers 2 --centroids 4 --corpus 300 "
          "--steps 20",
          out));
      CHECK(study.code == 0);
      CHECK(study.out.find("R@8") != std::string::npos);
      CHECK(nlohmann::json::parse(read_file(out + "/figure2.json")).size() > 50);
      CHECK(read_file(out + "/figure2.svg").starts_with("<svg "));
      CHECK(read_file(out + "/figure2.csv").starts_with("setting,length,method,k,recall"));
      CHECK(
          run(fmt::format("study table4 --out {} --data {} --model {} --draws 1 --lengths 20 --k 4 --sub-quantizers 4 "
                          "--centroids 4 --steps 20",
                          out, data, model))
              .code == 0);
      check_refused(fmt::format("study figure2 --out {} --dim 10 --sub-quantizers 3", out), "--sub-quantizers");
      check_refused(fmt::format("study figure2 --out {} --corpus 0", out), "--corpus");
    }
    SUBCASE("ties, users, ranks, comparison, leakage") {
      const std::string a = folder / "a.ranks", b = folder / "b.ranks", c = folder / "c.ranks";
      const auto eval = [&](const std::string& rest) {
        return fmt::format("eval --data {} --eval-negatives 20 {}", data, rest);
      };
      const Output shown = run(eval("--model popularity --ties pessimistic --ranks " + a));
      CAPTURE(shown.err);
      CHECK(shown.code == 0);
      for (const char* text : {"8 users, 21 candidates each: 20 negatives drawn with seed 42; target query hidden",
                               "ties pessimistic: ", "% of the users have one", "95 % interval", "ndcg@10"})
        CHECK(shown.out.find(text) != std::string::npos);
      CHECK(run(eval("--model random --ranks " + b)).out.find("ties expected: 0.00 %") != std::string::npos);
      CHECK(run(eval(fmt::format("--model {} --k 4 --history 10 --users 4", model))).out.find("4 users") == 0);
      CHECK(run(eval(fmt::format("--model {} --k 4 --history 10", model))).out.find("log loss ") != std::string::npos);

      const Output compared = run(fmt::format("compare {} {} {} --json {} --metrics ndcg@10,mrr", a, b, a, json));
      CAPTURE(compared.err);
      CHECK(compared.code == 0);
      CHECK(compared.out.find("Holm for 2 comparisons") != std::string::npos);
      const nlohmann::json rows = nlohmann::json::parse(read_file(json));
      REQUIRE(rows.size() == 2);
      CHECK(rows[1]["metric"] == "mrr");
      const nlohmann::json first = rows[0]["first"], chance = rows[0]["others"][0], same = rows[0]["others"][1];
      CHECK(chance["difference"].get<double>() ==
            doctest::Approx(chance["mean"].get<double>() - first["mean"].get<double>()));
      CHECK(chance["p_holm"].get<double>() >= chance["p"].get<double>());
      CHECK(same["mean"] == first["mean"]);
      CHECK(same["difference"] == 0);
      CHECK(same["p"] == 1);
      CHECK(run(eval("--model random --seed 7 --ranks " + c)).code == 0);
      check_refused(fmt::format("compare {} {}", a, c), "not comparable with");
      check_refused("compare " + a, "needs two files or more");
      check_refused(fmt::format("compare {} {}", a, model), "not ranks of this program");
      check_refused(fmt::format("compare {} {} --metrics ndcg@7", a, b), "metric: must be one of");
      check_refused(eval("--model random --ties lucky"), "--ties: must be one of expected, optimistic, pessimistic");
      check_refused(eval("--model random --users -1"), "--users: must be 0 or more: -1");

      const Output leaks = run(fmt::format("data leakage {} --eval-negatives 20 --json {}", data, json));
      CHECK(leaks.code == 0);
      CHECK(leaks.out.find("item that the user had before") != std::string::npos);
      CHECK(nlohmann::json::parse(read_file(json))["test"]["targets"] == 8);
      check_refused(fmt::format("data leakage {}", data), "99 negatives are needed");
    }
    SUBCASE("the same seed gives the same file with 1 and with 2 threads") {
      const std::string again = folder / "again.safetensors";
      CHECK(run(fmt::format("train --data {} --init {} --out {} {} --threads 1", data, psu, again, small)).code == 0);
      CHECK(read_file(again) == read_file(model));
      CHECK(run(fmt::format("train --data {} --init {} --out {} {} --threads 2", data, psu, again, small)).code == 0);
      CHECK(read_file(again) == read_file(model));
    }
    SUBCASE("settings from a TOML file; flags win; unknown keys are refused with their line") {
      write_file(folder / "a.toml",
                 "# settings\ndim = 8\nheads = 2\ntext-heads = 2\nhidden = 8\nepochs = 1\nhistory = 10\nk = "
                 "4\nnegatives = 2\neval-negatives = 20\nbatch = 16\n");
      const std::string from_file = folder / "toml.safetensors";
      CHECK(run(fmt::format("pretrain --data {} --out {} --config {}", data, from_file, folder / "a.toml")).code == 0);
      CHECK(read_file(from_file) == read_file(psu));
      const std::string out = folder / "never.safetensors";
      write_file(folder / "b.toml", "dim = 8\n\nlearning-rate = 0.1\n");
      check_refused(fmt::format("pretrain --data {} --out {} --config {}", data, out, folder / "b.toml"),
                    "b.toml:3: unknown setting: 'learning-rate'");
      write_file(folder / "c.toml", "dim = \"eight\"\n");
      check_refused(fmt::format("pretrain --data {} --out {} --config {}", data, out, folder / "c.toml"),
                    "c.toml:1: 'dim': wrong type");
      write_file(folder / "d.toml", "dim = \n");
      check_refused(fmt::format("pretrain --data {} --out {} --config {}", data, out, folder / "d.toml"),
                    "d.toml:1: not valid TOML");
      write_file(folder / "e.toml", "dim = 6e61\n");
      check_refused(fmt::format("pretrain --data {} --out {} --config {}", data, out, folder / "e.toml"),
                    "e.toml:1: --dim: must be from 4 to 1024: 6e+61");
      CHECK(nothing_half_written(out));
    }
    SUBCASE("bad input") {
      const std::string out = folder / "never.safetensors";
      const auto train = [&](const std::string& rest) { return fmt::format("train --data {} {}", data, rest); };
      check_refused(train(fmt::format("--out {} --k 0", out)), "--k: must be from 1 to 100000: 0");
      check_refused(train(fmt::format("--out {} --lambda 1.5", out)), "--lambda: must be from 0 to 1: 1.5");
      check_refused(train(fmt::format("--out {} --fusion magic", out)),
                    "--fusion: must be one of lambda, gate: 'magic'");
      check_refused(train(fmt::format("--out {} --epochs many", out)), "epochs");
      CHECK(::setenv("SEMINAR_DEBUG", "loud", 1) == 0);
      check_refused(train(fmt::format("--out {} {}", out, small)), "SEMINAR_DEBUG: must be 0, 1, 2 or 3: 'loud'");
      CHECK(::setenv("SEMINAR_DEBUG", "1", 1) == 0);
      CHECK(run(train(fmt::format("--out {} {}", folder / "told.safetensors", small))).err.find("step 1: loss ") !=
            std::string::npos);
      CHECK(::unsetenv("SEMINAR_DEBUG") == 0);
      check_refused(train(fmt::format("--out {} --frobnicate", out)), "--frobnicate");
      check_refused(train(fmt::format("--out {}/missing/model.safetensors", folder / "x")),
                    "cannot be written: No such file or directory");
      check_refused(train(fmt::format("--out {} {} --init {}", out, small, folder / "none")),
                    "cannot be opened: No such file or directory");
      check_refused(train("--out " + (folder / "src")), "is a folder, a file is needed");
      check_refused("train --data /nowhere --out " + out, "/nowhere");
      check_refused("eval --data " + data + " --model " + folder / "src" + "/movies.csv", "header length");
      check_refused("eval --data " + data + " --model popularity --eval-negatives 40", "negatives: user");
      check_refused("inspect " + folder / "src" + "/movies.csv", "movies.csv");
      check_refused("", "subcommand");
      check_refused("fly", "subcommand");
      // A model whose header lies.
      std::string bytes = read_file(model);
      bytes[0] = '\x7f';
      bytes[5] = '\x7f';
      write_file(folder / "hostile.safetensors", bytes);
      check_refused(fmt::format("eval --data {} --model {}", data, folder / "hostile.safetensors"), "header length");
      CHECK(nothing_half_written(out));
    }
  }

  TEST_CASE("data: synth, info, verify, export, import again, full ranking, exposures") {
    const TemporaryFolder folder;
    const std::string data = folder / "data";
    const Output made = run(fmt::format(
        "data synth --out {} --users 30 --items 200 --topics 4 --min-length 6 --max-length 20 --exposures 4", data));
    CHECK(made.code == 0);
    CHECK(made.out.find("a second") != std::string::npos);
    CHECK(run(fmt::format("data info {} --verify", data)).out.find("every file is as it was written") !=
          std::string::npos);
    CHECK(nlohmann::json::parse(run(fmt::format("data info {} --json", data)).out)["users"] == 30);
    fs::create_directories(folder / "raw");
    CHECK(run(fmt::format("data export {} --out {} --name s", data, folder / "raw")).code == 0);
    CHECK(run(fmt::format("data import recbole {} --out {}", folder / "raw", folder / "back")).code == 0);
    CHECK(run(fmt::format("eval --data {} --model popularity --eval-negatives 0", folder / "back"))
              .out.find("30 users") != std::string::npos);
    const std::string model = folder / "model.safetensors";
    CHECK(run(fmt::format("train --model mean_pool --data {} --out {} {}", data, model, small)).code == 0);
    check_refused(fmt::format("train --model magic --data {} --out {}", data, model),
                  "--model: must be one of seminar, psu, mean_pool, din,");
    check_refused(fmt::format("train --model din --form authors --data {} --out {}", data, model),
                  "--form: din does not read it: it is a setting of mean_pool, sim, eta, twin, qin");
    CHECK(run(fmt::format("eval --data {} --model {} --exposures", data, model)).out.find("120 shown") !=
          std::string::npos);
    const Output popular = run(fmt::format("eval --data {} --model popularity --exposures --json -", data));
    CHECK(nlohmann::json::parse(popular.out)["metrics"]["gauc_by_clicks"].is_number());
    check_refused(fmt::format("eval --data {} --model random --exposures --ranks {}", data, folder / "r"),
                  "--ranks: not");
    check_refused(fmt::format("eval --data {} --model {} --exposures", folder / "back", model),
                  "made for another data set");
    check_refused(fmt::format("data synth --out {} --fit 2", folder / "x"), "--fit: must be from 0 to 1: 2");
    check_refused(fmt::format("data synth --out {} --min-length 9 --max-length 8", folder / "x"), "--min-length");
    std::string bytes = read_file(data + "/pictures.safetensors");
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_file(data + "/pictures.safetensors", bytes);
    CHECK(run(fmt::format("data info {}", data)).code == 0);
    check_refused(fmt::format("data info {} --verify", data), "pictures.safetensors: damaged");
  }

  TEST_CASE("train-clip, encode, vectors as a channel, byte-pair and frozen texts") {
    const TemporaryFolder folder;
    const std::string pictures = SEMINAR_SOURCE_DIR "/tests/clip/pictures", clip = folder / "clip.safetensors";
    std::string table = "image,caption\n";
    for (const char* name : {"rgb", "alpha", "grey", "palette", "wide", "one"})
      table += fmt::format("{}.png,a {} picture\n", name, name);
    write_file(folder / "captions.csv", table);
    const std::string train = fmt::format(
        "train-clip --images {} --captions {} --dim 8 --image-size 16 --image-width 8 --image-heads 2 "
        "--image-layers 1 --text-width 8 --text-heads 2 --text-layers 1 --vocabulary 300 --epochs 2",
        pictures, folder / "captions.csv");
    Output o = run(fmt::format("{} --held-out 2 --batch 2 --out {}", train, clip));
    CAPTURE(o.err);
    CHECK(o.code == 0);
    CHECK(o.out.find("6 pairs (0 skipped), ") == 0);
    CHECK(o.err.find("epoch 2/2  loss ") != std::string::npos);
    CHECK(o.out.find("text to image recall@1 ") != std::string::npos);
    check_refused(fmt::format("{} --held-out 5 --out {}", train, folder / "x.safetensors"),
                  "6 pairs, --held-out 5 leaves fewer than two to train on");
    check_refused(fmt::format("{} --patch 5 --out {}", train, folder / "x.safetensors"), "--patch: must divide");
    write_file(folder / "bad.csv", "image,caption\nnone.png,x\n");
    check_refused(fmt::format("train-clip --images {} --captions {} --out {}", pictures, folder / "bad.csv",
                              folder / "x.safetensors"),
                  "bad.csv:2: ");

    const std::string vectors = folder / "pictures.safetensors";
    o = run(fmt::format("encode --model {} --images {} --out {}", clip, pictures, vectors));
    CHECK(o.code == 0);
    CHECK(o.out.find("12 unit vectors of width 8 written") == 0);
    write_file(folder / "texts.txt", "a grey picture\n\nsomething else\n");
    o = run(fmt::format("encode --model {} --texts {} --out {}", clip, folder / "texts.txt", folder / "t.safetensors"));
    CHECK(o.code == 0);
    CHECK(o.out.find("3 unit vectors of width 8") == 0);
    check_refused(fmt::format("encode --model {} --out {}", clip, vectors), "give either --images or --texts");
    check_refused(fmt::format("encode --model {} --texts x --out x.txt", clip), "--out: must end in .safetensors");
    check_refused(fmt::format("encode --model {} --images {} --out {}", vectors, pictures, folder / "y.safetensors"),
                  "pictures.safetensors: not a CLIP model with a ViT");
    const std::string openai = SEMINAR_SOURCE_DIR "/tests/clip/openai/model.safetensors";
    check_refused(
        fmt::format("encode --model {} --texts {} --out {}", openai, folder / "texts.txt", folder / "y.safetensors"),
        "has no tokenizer: give --merges FILE");

    write_movielens(folder / "ml");
    const std::string data = folder / "data", with = folder / "with";
    REQUIRE(run(fmt::format("data import movielens {} --out {}", folder / "ml", data)).code == 0);
    std::string rows = "item,length,year\n";
    for (int m = 1; m <= 40; ++m) rows += fmt::format("{},{},{}\n", m, 80 + m, 1960 + m);
    write_file(folder / "numbers.csv", rows);
    o = run(
        fmt::format("data features {} --channel numeric --vectors {} --out {}", data, folder / "numbers.csv", with));
    CAPTURE(o.err);
    CHECK(o.code == 0);
    CHECK(o.out.find("items have a vector in channel 'numeric'") != std::string::npos);
    check_refused(
        fmt::format("data features {} --channel numeric --vectors {} --out {}", data, folder / "numbers.csv", with),
        "exists already and is not an empty folder");
    check_refused(fmt::format("data features {} --channel image --vectors {} --out {}", data, vectors, folder / "no"),
                  "no name is an item's id");

    const std::string psu = folder / "psu.safetensors", out = folder / "model.safetensors";
    const std::string settings = fmt::format("{} --tokens bpe --vocabulary 280 --query transformer", small);
    CHECK(run(fmt::format("pretrain --data {} --out {} {}", with, psu, settings)).code == 0);
    o = run(fmt::format("train --data {} --init {} --out {} --freeze text {}", with, psu, out, small));
    CAPTURE(o.err);
    CHECK(o.code == 0);
    CHECK(run(fmt::format("eval --data {} --model {} --eval-negatives 20", with, out)).code == 0);
    check_refused(fmt::format("train --data {} --out {} --freeze text {}", with, out, small),
                  "--freeze text: needs --init");
  }

  TEST_CASE("malformed MovieLens files name file, line and value, and leave nothing behind") {
    const TemporaryFolder folder;
    const std::string src = folder / "src", out = folder / "data";
    const auto import = [&](const char* file, const std::string& text, const std::string& message) {
      write_movielens(src);
      write_file(src + "/" + file, text);
      check_refused(fmt::format("data import movielens {} --out {}", src, out), message);
      CHECK(!fs::exists(out));
    };
    import("ratings.csv", "", "ratings.csv");
    import("ratings.csv", "userId,movieId,rating,timestamp\n", "ratings.csv");
    import("ratings.csv", "userId,movieId,rating,timestamp\n1,2,4.0,1000\n1,x,4.0,1000\n", "ratings.csv:3: ");
    import("ratings.csv", "userId,movieId,rating,timestamp\n1,2,4.0\n", "ratings.csv:2: ");
    import("ratings.csv", "userId,movieId,rating,timestamp\n1,999,4.0,1000\n", "ratings.csv:2: ");
    import("ratings.csv", "userId,movieId,rating,timestamp\n1,2,4.0,1000\n", "no user");
    import("movies.csv", "movieId,title,genres\n1,\"unbalanced,Drama\n", "movies.csv:2: ");
    check_refused(fmt::format("data import movielens {} --out {}", folder / "nowhere", out), "nowhere");
    write_movielens(src);
    check_refused(fmt::format("data import movielens {} --out {}/a/b", src, out), "/a");
    check_refused(fmt::format("data import oracle {} --out {}", src, out), "oracle");
  }
}
