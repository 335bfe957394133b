// seminar explore: what the page holds, and what is refused. What it does in a browser: tests/browser.
#include <nlohmann/json.hpp>

#include "tests/program.h"

using namespace seminar;
using nlohmann::json;

namespace {

std::string decoded(const std::string& base64) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : base64.substr(0, base64.find('='))) {
    const std::size_t digit = digits.find(c);
    REQUIRE(digit != std::string::npos);
    bits = bits << 6 | static_cast<uint32_t>(digit);
    if ((count += 6) >= 8) out += static_cast<char>(bits >> (count -= 8) & 255);
  }
  REQUIRE(base64.size() % 4 == 0);
  return out;
}

// The text of a script element of the page.
std::string script(const std::string& html, const std::string& id) {
  const std::size_t begin = html.find("id=\"" + id + "\">") + id.size() + 6;
  return html.substr(begin, html.find("</script>", begin) - begin);
}

}  // namespace

TEST_SUITE("explorer") {
  TEST_CASE("the page holds the model, the runtime and users from short histories to long ones, and loads nothing") {
    const TemporaryFolder folder;
    const std::string data = folder / "data", model = folder / "model.safetensors", exported = folder / "x.safetensors",
                      wasm = folder / "seminar.wasm", page = folder / "explorer.html";
    write_movielens(folder / "source");
    write_file(folder / "source/tags.csv", "userId,movieId,tag,timestamp\n1,4,</script><b>,1003\n");
    REQUIRE(run(fmt::format("data import movielens {} --out {}", folder / "source", data)).code == 0);
    REQUIRE(run(fmt::format("train --data {} --out {} {}", data, model, small)).code == 0);
    REQUIRE(run(fmt::format("export --data {} --model {} --out {}", data, model, exported)).code == 0);
    const auto explore = [&](const std::string& more) {
      return fmt::format("explore --data {} --model {} --wasm {} --out {} {}", data, exported, wasm, page, more);
    };

    for (const char* end : {"", ".", ".."}) {  // all lengths of base64's last group
      const std::string module = std::string("\0asm\1\0\0\0 seminar_rank", 21) + end;
      write_file(wasm, module);
      const Output o = run(explore("--users 3 --candidates 7"));
      CAPTURE(o.err);
      REQUIRE(o.code == 0);
      CHECK(o.out.starts_with("3 users, 7 candidates each"));
      CHECK(decoded(script(read_file(page), "page-wasm")) == module);
    }
    const std::string html = read_file(page);
    CHECK(decoded(script(html, "page-model")) == read_file(exported));
    CHECK(html.find("{{") == std::string::npos);
    for (const char* loaded : {"http:", "https:", " src=", "@import", "url("})
      CHECK_MESSAGE(html.find(loaded) == std::string::npos, loaded);
    const json held = json::parse(script(html, "page-data"));
    CHECK(held["channels"] == json({"query", "text", "attributes"}));
    REQUIRE(held["users"].size() == 3);
    const Dataset set = Dataset::open(data);
    for (const json& user : held["users"]) {
      const int64_t u = std::stoi(user["name"].get<std::string>()) - 1, n = std::ssize(set.user_items(u)) - 1;
      CHECK(user["behaviours"] == n);
      CHECK(user["candidates"].size() == 7);
      CHECK(user["candidates"][0] == set.user_items(u)[static_cast<std::size_t>(n)]);
      const std::size_t kept = std::min<std::size_t>(10, static_cast<std::size_t>(n));
      REQUIRE(user["history"].size() == kept);
      for (std::size_t i = 0; i < kept; ++i) {
        const std::size_t at = static_cast<std::size_t>(n) - kept + i;
        CHECK(user["history"][i] == json({set.user_items(u)[at], set.user_queries(u)[at]}));
      }
    }
    CHECK(held["users"][0]["behaviours"] == 6);
    CHECK(held["users"][2]["behaviours"] == 13);

    check_refused(explore("--candidates 1"), "--candidates");
    check_refused(explore("--users 3 --candidates 40"), "39 negatives are needed");
    write_file(wasm, "not one");
    check_refused(explore(""), "not the runtime in WebAssembly");
    fs::remove(wasm);
    check_refused(explore(""), wasm);
    write_file(wasm, std::string("\0asm seminar_rank", 17));
    check_refused(fmt::format("explore --data {} --model {} --wasm {} --out {}", data, model, wasm, page),
                  "not a model of 'seminar export'");
    const std::string other = folder / "other";
    REQUIRE(run(fmt::format("data import movielens {} --seed 2 --out {}", folder / "source", other)).code == 0);
    check_refused(fmt::format("explore --data {} --model {} --wasm {} --out {}", other, exported, wasm, page),
                  "made for another data set");
    CHECK(read_file(page) == html);
  }
}
