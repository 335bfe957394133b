// 'seminar export' and 'seminar rank' as their users run them.
#include <doctest/doctest.h>

#include "apps/serve/ranking.h"
#include "tests/exported_model.h"
#include "tests/program.h"

using namespace seminar;

TEST_SUITE("rank") {
  TEST_CASE("from a data folder to scores: train, quantize, export, rank, eval") {
    const TemporaryFolder folder;
    write_movielens(folder / "ml");
    const std::string data = folder / "data", model = folder / "model.safetensors", codes = folder / "codes",
                      exported = folder / "exported.safetensors";
    REQUIRE(run(fmt::format("data import movielens {} --out {}", folder / "ml", data)).code == 0);
    REQUIRE(run(fmt::format("train --data {} --out {} {}", data, model, small)).code == 0);
    REQUIRE(
        run(fmt::format("quantize --data {} --model {} --out {} --centroids 8 --sub-quantizers 4", data, model, codes))
            .code == 0);
    const Output o = run(fmt::format("export --data {} --model {} --pq {} --out {}", data, model, codes, exported));
    CHECK(o.code == 0);
    CHECK(o.out.find("with codes, f32") != std::string::npos);
    const Output inspected = run("inspect " + exported);
    CHECK(inspected.out.find("format: seminar-runtime-1") != std::string::npos);

    // The exported model ranks users as the trained one does.
    const std::string settings = "--k 4 --history 10 --eval-negatives 20 --json -";
    for (const std::string gsu : {"exact", "pq"}) {
      const std::string index = gsu == "pq" ? " --index " + codes : "";
      const Output trained =
                       run(fmt::format("eval --data {} --model {} --gsu {} {}{}", data, model, gsu, settings, index)),
                   runtime = run(fmt::format("eval --data {} --model {} --gsu {} {}", data, exported, gsu, settings));
      REQUIRE(trained.code == 0);
      REQUIRE(runtime.code == 0);
      const auto ndcg = [](const std::string& json) {
        const std::size_t at = json.find("\"ndcg@10\":");
        REQUIRE(at != std::string::npos);
        return std::strtod(json.c_str() + at + 10, nullptr);
      };
      CHECK(ndcg(trained.out) == doctest::Approx(ndcg(runtime.out)).epsilon(1e-6));
    }
    write_file(
        folder / "requests",
        "{\"id\": 7, \"history\": [\"4\", {\"item\": \"11\", \"query\": \"funny\"}], \"candidates\": [\"5\", \"6\"], "
        "\"explain\": true}\n\n{\"candidates\": [\"5\"]}\n");
    const Output ranked = run(fmt::format("rank --model {} --stats {}", exported, folder / "requests"));
    CHECK(ranked.code == 0);
    CHECK(ranked.out.starts_with("{\"id\":7,\"scores\":["));
    CHECK(ranked.out.find("\"position\":1,\"item\":\"11\",\"attention\":[") != std::string::npos);
    CHECK(std::count(ranked.out.begin(), ranked.out.end(), '\n') == 2);
    CHECK(ranked.err.starts_with("2 requests, 3 candidates; a request is ranked in "));

    check_refused(fmt::format("eval --data {} --model {} --gsu lsh", data, exported),
                  "--gsu: an exported model has exact and pq");
    check_refused(fmt::format("eval --data {} --model {} --index {}", data, exported, codes),
                  "--index: an exported model");
    check_refused(fmt::format("export --data {} --model {} --dtype f16 --out {}", data, model, folder / "x"),
                  "--dtype: must be");
    check_refused(fmt::format("export --data {} --model {} --history 3 --k 4 --out {}", data, model, folder / "x"),
                  "--k: must be at most --history");
    check_refused(fmt::format("rank --model {} {}", model, folder / "requests"), "not a model of 'seminar export'");
    check_refused(fmt::format("rank --model {} {}", folder / "none", folder / "requests"), "cannot open");
    check_refused(fmt::format("rank --model {} {}", exported, folder / "none"), "cannot open");
  }

  TEST_CASE("what is wrong in a request is named with its line and place") {
    const ExportedModel e;
    const auto refused = [&](const std::string& line, const std::string& message) {
      write_file(e.folder / "requests", "{\"candidates\":[\"101\"]}\n" + line + "\n");
      const Output o = run(fmt::format("rank --model {} {}", e.path, e.folder / "requests"));
      CAPTURE(line);
      CAPTURE(o.err);
      CHECK(o.code == 2);
      CHECK(std::count(o.out.begin(), o.out.end(), '\n') == 1);  // what came before is answered
      CHECK(std::count(o.err.begin(), o.err.end(), '\n') == 1);
      CHECK(o.err.find("requests: line 2: " + message) != std::string::npos);
    };
    refused("nonsense", "request: not valid JSON");
    refused("[]", "request: must be an object: array");
    refused("{}", "request: no candidates");
    refused(R"({"candidates":["101"],"candidates":["102"]})", "request: key twice: \"candidates\"");
    refused(R"({"candidates":["101"],"speed":1})", "request: unknown key: \"speed\"");
    refused(R"({"candidates":"101"})", "candidates: must be a list: \"101\"");
    refused(R"({"candidates":[101]})", "candidates[0]: must be a text: 101");
    refused(R"({"candidates":["101","7"]})", "candidates[1]: no item \"7\" in the model");
    refused(R"({"candidates":[{"query":"red"}]})", "candidates[0]: no item");
    refused(R"({"candidates":[{"item":"101","age":3}]})", "candidates[0]: unknown key: \"age\"");
    refused(R"({"candidates":[{"item":"101","query":"zzz"}]})",
            "candidates[0].query: the model knows no word of the text: \"zzz\"");
    refused(R"({"history":[{"item":"101","query":5}],"candidates":[]})", "history[0].query: must be a text: 5");
    refused(R"({"candidates":["101"],"k":0})", "k: must be from 1 to 12: 0");
    refused(R"({"candidates":["101"],"k":1e9})", "k: must be from 1 to 12: 1000000000.0");
    refused(R"({"candidates":["101"],"k":18446744073709551617})", "k: must be from 1 to 12");
    refused(R"({"candidates":["101"],"codes":1})", "codes: must be true or false: 1");
    refused(R"({"candidates":["101"],"weights":[1]})", "weights: must be 3 numbers: [1]");
    refused(R"({"candidates":["101"],"weights":[1,-1,0]})", "weights: must be from 0 to 1: -1");
    refused(R"({"candidates":["101"],"id":{}})", "id: must be a text or a whole number: {}");
    refused(std::string(1000, '[') + std::string(1000, ']'), "request: nested deeper than 8 levels");
    refused(std::string("{\"candidates\":[\"\xff\xfe\"]}"), "request: not valid JSON");
    CHECK(run(fmt::format("rank --model {} - </dev/null", e.path)).code == 0);
  }
}
