// `eval` as its users call it: the L and K of the model, exported or not; what `compare` refuses; settings that decide.
#include "tests/program.h"

using namespace seminar;

TEST_SUITE("eval") {
  TEST_CASE("eval reads the L and keeps the K that the model was trained with, prints and records them") {
    const TinyData tiny;
    const std::string data = tiny.folder / "data", model = tiny.folder / "m.safetensors",
                      exported = tiny.folder / "exported", small = "--dim 8 --heads 2 --text-heads 2 --hidden 8";
    REQUIRE(run(fmt::format("train --data {} --out {} {} --epochs 1 --history 6 --k 2 --eval-negatives 9", data, model,
                            small))
                .code == 0);
    REQUIRE(run(fmt::format("export --data {} --model {} --out {}", data, model, exported)).code == 0);
    const auto eval = [&](const std::string& file, const std::string& rest) {
      return run(fmt::format("eval --data {} --model {} --eval-negatives 9 {}", data, file, rest));
    };
    const Output own = eval(model, fmt::format("--ranks {}", tiny.folder / "own")),
                 same = eval(model, "--history 6 --k 2"),
                 other = eval(model, fmt::format("--history 12 --k 4 --ranks {}", tiny.folder / "other"));
    CHECK(own.out.find("history L = 6, kept K = 2\n") != std::string::npos);
    CHECK(own.out == same.out);
    CHECK(other.out.find("history L = 12, kept K = 4\n") != std::string::npos);
    CHECK(other.out != own.out);
    CHECK(eval(exported, "").out.find("history L = 6, kept K = 2\n") != std::string::npos);
    CHECK(eval(exported, "--history 3").out.find("history L = 3, kept K = 2\n") != std::string::npos);
    CHECK(eval("popularity", "").out.find("history L") == std::string::npos);
    const Output mixed = run(fmt::format("compare {} {}", tiny.folder / "own", tiny.folder / "other"));
    CHECK(mixed.code == 2);
    CHECK(mixed.err.find("history L is '12', not '6'") != std::string::npos);
  }

  TEST_CASE("the seed of evaluation draws candidates") {
    const TinyData tiny;
    const auto eval = [&](const std::string& rest) {
      return run(fmt::format("eval --data {} --model popularity --eval-negatives 9 {}", tiny.folder / "data", rest))
          .out;
    };
    CHECK(eval("") == eval("--eval-seed 42"));
    CHECK(eval("") != eval("--eval-seed 7"));
    CHECK(eval("--seed 7") == eval("--eval-seed 7"));
  }

  TEST_CASE("presets, search ranking and a start from the PSU, as commands") {
    const TinyData tiny;
    const std::string data = tiny.folder / "data", psu = tiny.folder / "psu", model = tiny.folder / "m",
                      small = "--dim 8 --heads 2 --text-heads 2 --hidden 8 --epochs 1 --eval-negatives 9";
    REQUIRE(run(fmt::format("pretrain --data {} --out {} --preset amazon {}", data, psu, small)).code == 0);
    const Output din = run(fmt::format("train --model din --data {} --out {} --init {} --task psr --negatives 2 {}",
                                       data, model, psu, small));
    CAPTURE(din.err);
    CHECK(din.code == 0);
    const Output ranked = run(fmt::format("eval --data {} --model {} --task psr --eval-negatives 9", data, model));
    CHECK(ranked.out.find("target query shown") != std::string::npos);
    const Output wrong = run(fmt::format("train --data {} --out {} --preset netflix", data, model));
    CHECK(wrong.code == 2);
    CHECK(wrong.err.find("--preset: must be one of kuaisar, amazon, alipay: 'netflix'") != std::string::npos);
    const Output sided = run(fmt::format("train --data {} --out {} --side all {}", data, tiny.folder / "side", small));
    REQUIRE(sided.code == 0);
    const Output refused =
        run(fmt::format("export --data {} --model {} --out {}", data, tiny.folder / "side", tiny.folder / "exported"));
    CHECK(refused.code == 2);
    CHECK(refused.err.find("train with --side none, not all") != std::string::npos);
  }
}
