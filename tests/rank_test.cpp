// 'seminar export' and 'seminar rank' as their users run them.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "apps/serve/ranking.h"
#include "tests/exported_model.h"
#include "tests/program.h"
#include "tests/ranking_requests.h"

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

  TEST_CASE("no request changes the answer to another: each is what a program of its own answers") {
    const ExportedModel e;
    Rng rng(31);
    std::string lines, expected;
    for (int i = 0; i < 300; ++i) {
      const std::string request = random_ranking_request(rng, ExportedModel::history);
      lines += request + "\n";
      expected += Ranking(e.runtime.get(), 0, {}).answer(request) + "\n";
    }
    write_file(e.folder / "requests", lines);
    const Output together = run(fmt::format("rank --model {} {}", e.path, e.folder / "requests"));
    CHECK(together.code == 0);
    CHECK(together.out == expected);
  }

  TEST_CASE("a history longer than what is kept: the newest count, positions are those of the request") {
    const ExportedModel e;
    Ranking ranking(e.runtime.get(), 2, {});  // fewer than the model's k: k is 2 then
    const auto answer = [&](const std::string& history) {
      return nlohmann::json::parse(
          ranking.answer(fmt::format(R"({{"history":[{}],"candidates":["105","109"],"explain":true}})", history)));
    };
    const auto longer = answer(R"("101","103","nobody","107","111")"), newest = answer(R"("107","111")");
    CHECK(longer["scores"] == newest["scores"]);
    for (std::size_t c = 0; c < 2; ++c) {
      REQUIRE(longer["retrieved"][c].size() == 2);
      for (std::size_t i = 0; i < 2; ++i) {
        CHECK(longer["retrieved"][c][i]["item"] == newest["retrieved"][c][i]["item"]);
        CHECK(longer["retrieved"][c][i]["position"] == newest["retrieved"][c][i]["position"].get<int>() + 3);
      }
    }
  }

  TEST_CASE("an id or a text that is not known is an error of its pair; the others are ranked") {
    const ExportedModel e;
    Ranking ranking(e.runtime.get(), 0, {}), silent(e.runtime.get(), 0, {}, true);
    const std::string known = ranking.answer(R"({"history":["103"],"candidates":["101","105"],"explain":true})");
    const auto whole = nlohmann::json::parse(known);
    const std::string request =
        R"({"id":"x","history":["7",{"item":"103"},{"item":"104","query":"zzz"}],)"
        R"("candidates":["101","8",{"item":"9"},"105",{"item":"101","query":"zzz"}],"explain":true})";
    const auto parts = nlohmann::json::parse(ranking.answer(request));
    CHECK(parts["id"] == "x");
    CHECK(parts["scores"] == nlohmann::json{whole["scores"][0], nullptr, nullptr, whole["scores"][1], nullptr});
    CHECK(parts["retrieved"].size() == 5);
    CHECK(parts["retrieved"][1].empty());
    CHECK(parts["retrieved"][3][0]["position"] == 1);
    std::string places;
    for (const auto& error : parts["errors"]) places += error["at"].get<std::string>() + " ";
    CHECK(places == "candidates[1] candidates[2] candidates[4].query history[0] history[2].query ");
    CHECK(parts["errors"][0]["error"] == "no item \"8\" in the model");
    CHECK(parts["errors"][2]["error"].get<std::string>().find("\"zzz\"") != std::string::npos);
    const auto quiet = nlohmann::json::parse(silent.answer(R"({"history":["7","103"],"candidates":["101","8"]})"));
    CHECK(quiet["scores"] == nlohmann::json{whole["scores"][0], nullptr});
    CHECK_FALSE(quiet.contains("errors"));
    // Many of them do not make a long answer.
    std::string many = R"({"candidates":["8")";
    for (int i = 0; i < 999; ++i) many += R"(,"8")";
    const auto told = nlohmann::json::parse(ranking.answer(many + "]}"));
    CHECK(told["errors"].size() == 101);
    CHECK(told["errors"].back()["error"] == "and 900 more");
  }

  TEST_CASE("top finds in the whole catalogue what ranking all of it gives") {
    const ExportedModel e;
    Ranking ranking(e.runtime.get(), 0, {});
    std::string all;
    for (int i = 101; i <= 130; ++i)
      if (i != 103) all += fmt::format("{}\"{}\"", i == 101 ? "" : ",", i);
    const auto ranked = nlohmann::json::parse(
        ranking.answer(fmt::format(R"({{"history":["103"],"candidates":[{}],"query":"red"}})", all)));
    std::vector<std::pair<float, int>> order;
    for (std::size_t i = 0; i < 29; ++i)
      order.emplace_back(-ranked["scores"][i].get<float>(), static_cast<int>(i) + (i < 2 ? 101 : 102));
    std::sort(order.begin(), order.end());
    const auto top = nlohmann::json::parse(
        ranking.answer(R"({"history":["103"],"top":4,"query":"red","explain":true,"deny":["nobody"]})"));
    REQUIRE(top["items"].size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(top["items"][i] == std::to_string(order[i].second));
      CHECK(top["scores"][i].get<float>() == -order[i].first);
      CHECK(top["retrieved"][i][0]["item"] == "103");
    }
    CHECK(top["errors"][0]["at"] == "deny[0]");
    CHECK(ranking.answer(R"({"top":3,"allow":["105"]})").starts_with(R"({"items":["105"],"scores":[)"));
    CHECK(ranking.answer(R"({"top":3,"allow":[]})") == R"({"items":[],"scores":[]})");
    CHECK(ranking.answer(R"({"history":["103"],"top":3,"allow":["103"]})") == R"({"items":[],"scores":[]})");
    CHECK(ranking.answer(R"({"history":["103"],"top":3,"allow":["103"],"seen":true})")
              .starts_with(R"({"items":["103"])"));
    CHECK_THROWS_WITH_AS(ranking.answer(R"({"top":0})"), "top: must be from 1 to 30: 0", Error);
    CHECK_THROWS_WITH_AS(ranking.answer(R"({"top":31})"), "top: must be from 1 to 30: 31", Error);
    CHECK_THROWS_WITH_AS(ranking.answer(R"({"top":3,"candidates":[]})"),
                         "request: candidates and top: only one of them", Error);
    CHECK_THROWS_WITH_AS(ranking.answer(R"({"candidates":[],"deny":[]})"), "deny: only with top", Error);
  }

  TEST_CASE("what a request costs is limited, and the deadline counts") {
    const ExportedModel e;
    RankingLimits limits;
    limits.work = 2 * 4 * 2;  // candidates × k × heads
    limits.explained = 8;
    limits.answer_bytes = 80;
    Ranking ranking(e.runtime.get(), 0, limits);
    const auto request = [](int behaviours, int candidates, const char* more) {
      const std::vector<std::string> history(static_cast<std::size_t>(behaviours), "\"103\""),
          asked(static_cast<std::size_t>(candidates), "\"105\"");
      return fmt::format(R"({{"history":[{}],"candidates":[{}]{}}})", fmt::join(history, ","), fmt::join(asked, ","),
                         more);
    };
    CHECK(ranking.answer(request(4, 2, "")).find("scores") != std::string::npos);
    CHECK(ranking.answer(request(1, 3, "")).find("scores") !=
          std::string::npos);  // k counts as far as there are behaviours
    CHECK_THROWS_WITH_AS(ranking.answer(request(4, 3, "")), "candidates × k × heads: at most 16: 3 × 4 × 2", Error);
    CHECK_THROWS_WITH_AS(ranking.answer(request(4, 2, R"(,"explain":true)")),
                         "explain: candidates × k × heads: at most 8: 2 × 4 × 2", Error);
    CHECK_THROWS_WITH_AS(ranking.answer(request(2, 2, R"(,"explain":true)")), "answer: more than 80 bytes", Error);
    CHECK_THROWS_WITH_AS(ranking.answer(request(0, 40, "")), "answer: more than 80 bytes", Error);
    Ranking free(e.runtime.get(), 0, {});
    const Deadline passed{std::chrono::steady_clock::time_point::min()};
    CHECK_THROWS_AS(free.answer(request(4, 2, ""), passed), TooLate);
    CHECK_THROWS_AS(free.answer(request(4, 0, ""), passed), TooLate);
    std::atomic<bool> given_up{false};
    const Deadline unwanted{std::chrono::steady_clock::time_point::max(), &given_up};
    CHECK(free.answer(request(4, 2, ""), unwanted) == free.answer(request(4, 2, "")));
    given_up = true;
    CHECK_THROWS_AS(free.answer(request(4, 2, ""), unwanted), TooLate);
  }

  TEST_CASE("a line that is no request has its answer, and the others too") {
    const ExportedModel e;
    const std::string good = R"({"candidates":["101"]})", answer = Ranking(e.runtime.get(), 0, {}).answer(good);
    write_file(e.folder / "requests", good + "\r\n\r\n \t\r\n{\n" + R"({"id":5,"speed":1})" + "\n" + good + "\n");
    const Output o = run(fmt::format("rank --model {} {}", e.path, e.folder / "requests"));
    CHECK(o.code == 2);
    CHECK(o.out == answer + "\n{\"error\":\"request: not valid JSON at byte 2\"}\n" +
                       R"({"id":5,"error":"request: unknown key: \"speed\""})" + "\n" + answer + "\n");
    CHECK(o.err.find("requests: line 4: request: not valid JSON at byte 2 (2 of 4 requests are wrong)") !=
          std::string::npos);
    write_file(e.folder / "nul", good + std::string(1, '\0') + good + "\n");
    const Output nul = run(fmt::format("rank --model {} {}", e.path, e.folder / "nul"));
    CHECK(nul.code == 2);
    CHECK(nul.err.find("nul: line 1: request: not valid JSON: a NUL at byte 23") != std::string::npos);
  }

  TEST_CASE("what is wrong in a request is named with its line and place") {
    const ExportedModel e;
    const auto refused = [&](const std::string& line, const std::string& message) {
      write_file(e.folder / "requests", "{\"candidates\":[\"101\"]}\n" + line + "\n");
      const Output o = run(fmt::format("rank --model {} {}", e.path, e.folder / "requests"));
      CAPTURE(line);
      CAPTURE(o.err);
      CHECK(o.code == 2);
      CHECK(std::count(o.out.begin(), o.out.end(), '\n') == 2);
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
    refused(R"({"candidates":[{"query":"red"}]})", "candidates[0]: no item");
    refused(R"({"candidates":[{"item":"101","age":3}]})", "candidates[0]: unknown key: \"age\"");
    refused(R"({"candidates":["101"],"query":"zzz"})", "query: the model knows no word of the text: \"zzz\"");
    refused(R"({"candidates":["101"],"k":1.5})", "k: must be a whole number: '1.5'");
    refused(R"({"history":[{"item":"101","query":5}],"candidates":[]})", "history[0].query: must be a text: 5");
    refused(R"({"candidates":["101"],"k":0})", "k: must be from 1 to 12: 0");
    refused(R"({"candidates":["101"],"k":1e9})", "k: must be from 1 to 12: 1000000000.0");
    refused(R"({"candidates":["101"],"k":18446744073709551617})", "k: must be from 1 to 12");
    refused(R"({"candidates":["101"],"k":true})", "k: must be a whole number: boolean");
    refused(R"({"candidates":["101"],"codes":1})", "codes: must be true or false: 1");
    refused(R"({"candidates":["101"],"weights":[1]})", "weights: must be 3 numbers: [1]");
    refused(R"({"candidates":["101"],"weights":[1,-1,0]})", "weights: must be from 0 to 1: -1");
    refused(R"({"candidates":["101"],"id":{}})", "id: must be a text or a whole number: {}");
    refused(std::string(1000, '[') + std::string(1000, ']'), "request: nested deeper than 8 levels");
    refused(std::string("{\"candidates\":[\"\xff\xfe\"]}"), "request: not valid JSON");
    CHECK(run(fmt::format("rank --model {} - </dev/null", e.path)).code == 0);
    Ranking ranking(e.runtime.get(), 0, {});
    CHECK(ranking.answer(R"({"candidates":["101"],"k":2.0})") == ranking.answer(R"({"candidates":["101"],"k":2})"));
  }
}
