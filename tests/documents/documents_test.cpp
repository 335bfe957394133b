// The documents say what is there: quotes, outputs, paths, names, commands, and the map of the paper.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <regex>

#include "tensor/error.h"
#include "tests/documents/counts.h"
#include "tests/documents/floors.h"
#include "tests/documents/quotes.h"
#include "tests/documents/references.h"

using namespace seminar;

namespace {

bool is_source_file(const std::string& word) {
  static const std::regex file("[\\w*]+\\.(cpp|h|sh|py|md)");
  return std::regex_match(word, file);
}

// A word as a path of the repository: punctuation and a leading program folder taken off; empty if it is none.
std::string as_path(std::string word) {
  while (!word.empty() && std::string("(\"'").find(word.front()) != std::string::npos) word.erase(0, 1);
  while (!word.empty() && std::string(".,:;)\"'").find(word.back()) != std::string::npos) word.pop_back();
  static const std::regex path("(apps|autograd|docs|nn|pq|seminar|tensor|tests)/.*");
  return std::regex_match(word, path) || is_source_file(word) ? word : "";
}

// Identifiers of a code span that can only be names of the sources: with _, ::, ( or capitals inside, and in no path.
std::vector<std::string> names_in(const std::string& span) {
  if (!as_path(span).empty()) return {};
  static const std::regex identifier("\\b[A-Za-z_][A-Za-z0-9_]*");
  std::vector<std::string> names;
  for (std::sregex_iterator m(span.begin(), span.end(), identifier), end; m != end; ++m) {
    const std::string name = m->str(), next = m->suffix().str().substr(0, 2), before = m->prefix().str();
    const bool camel = std::any_of(name.begin() + 1, name.end(), [](char c) { return std::isupper(c); }) &&
                       std::any_of(name.begin(), name.end(), [](char c) { return std::islower(c); });
    const bool called = next.starts_with('(') || next == "::" || before.ends_with("::");
    const bool written = name.size() > 3 && (name.find('_') != std::string::npos || camel);
    const bool placeholder = name.rfind("NAME", 0) == 0;
    if (!placeholder && (written || (name.size() > 2 && called))) names.push_back(name);
  }
  return names;
}

// The row's cells, `|` at both ends taken off.
std::vector<std::string> cells_of(const std::string& row) {
  std::vector<std::string> cells;
  std::size_t begin = 1;
  for (std::size_t end; (end = row.find(" |", begin)) != std::string::npos; begin = end + 2)
    cells.push_back(row.substr(begin, end - begin));
  return cells;
}

}  // namespace

TEST_SUITE("documents") {
  TEST_CASE("quoted blocks are what the sources say and what the programs print") {
    for (const std::string& path : documents()) {
      CAPTURE(path);
      const std::string text = repository_file(path), fresh = refreshed(text, 0.05);
      const auto differ = std::mismatch(text.begin(), text.end(), fresh.begin(), fresh.end());
      INFO("after line " << std::count(text.begin(), differ.first, '\n') << "; mend with build/release/bin/quote");
      CHECK(std::string(differ.first, text.end()) == std::string(differ.second, fresh.end()));
    }
  }

  TEST_CASE("a quote ends where its brackets close; a name that is gone, or there twice, is an error") {
    const std::string source =
        "int f() {  // {\n  return g(\"}\", '}');\n}\n\nstruct S {\n  int a;\n  void h(int x,\n         int y) { a = "
        "x; }\n"
        "};\nint f2();\n";
    CHECK(quoted_block(source, "int f()") == "int f() {  // {\n  return g(\"}\", '}');\n}\n");
    CHECK(quoted_block(source, "void h(") == "void h(int x,\n       int y) { a = x; }\n");
    CHECK(quoted_block(source, "int f2") == "int f2();\n");
    CHECK_THROWS_WITH_AS(quoted_block(source, "int g"), "0 lines begin with 'int g', not one", Error);
    CHECK_THROWS_WITH_AS(quoted_block(source, "int f"), "2 lines begin with 'int f', not one", Error);
    const std::string document =
        "<!-- quote: nn/attention.cpp: Var target_scores( -->\n```cpp\n```\n<!-- output: tour_01_tensors "
        "-->\n```text\nx\n```\n";
    const std::string fresh = refreshed(document, 0);
    CHECK(fresh != document);
    CHECK(fresh.find("matmul_transposed(wq, wk)") != std::string::npos);
    CHECK(refreshed(fresh, 0) == fresh);
    CHECK_THROWS_AS(refreshed("<!-- quote: nn/attention.cpp: Var no_such( -->\n```cpp\n```\n", 0), Error);
    CHECK_THROWS_AS(refreshed("<!-- output: tour_01_tensors -->\nno block\n", 0), Error);
    CHECK_THROWS_AS(refreshed("<!-- output: tour_00_nothing 2>&1 -->\n```text\n```\n", 0), Error);
  }

  TEST_CASE("numbers that a command counts: lines, code, files, sizes") {
    CHECK(code_lines("int a;\n\n  // why\nOP_ROW(f,\n       {.samples = g(1)});\nint b;  // what\n") == 2);
    const std::string quote = repository_file("tests/documents/quote.cpp");
    const std::string lines = std::to_string(std::count(quote.begin(), quote.end(), '\n'));
    CHECK(with_counts("It has 7<!-- lines: tests/documents/quote.cpp --> lines.", 0) ==
          "It has " + lines + "<!-- lines: tests/documents/quote.cpp --> lines.");
    CHECK(with_counts("3<!-- lines: tests/documents/quote.cpp -->", 0.05).starts_with(lines));
    const std::string near = std::to_string(std::stol(lines) + 1) + "<!-- lines: tests/documents/quote.cpp -->";
    CHECK(with_counts(near, 0.1) == near);
    CHECK(counted("lines", "docs/*.md docs/tour/*.md") > 1000);
    CHECK(with_counts("1<!-- lines: docs/*.md docs/tour/*.md -->", 0).substr(1, 1) == ",");
    CHECK(counted("files", "docs/tour/[0-9]-*.md") == 8);
    CHECK(counted("code lines", "autograd/engine.cpp") < counted("lines", "autograd/engine.cpp"));
    CHECK(with_counts("12 and 3<!-- kB: no_such_program -->", 0) == "12 and 3<!-- kB: no_such_program -->");
    CHECK_THROWS_WITH_AS(with_counts("1<!-- lines: nn/engine.cpp -->", 0), "count: no file 'nn/engine.cpp'", Error);
    CHECK_THROWS_WITH_AS(with_counts("1<!-- words: README.md -->", 0), "count: no kind 'words'", Error);
    CHECK(refreshed("1<!-- files: README.md --> file, 2<!-- files: CONTRIBUTING.md --> files\n", 0.9) ==
          "1<!-- files: README.md --> file, 1<!-- files: CONTRIBUTING.md --> files\n");
  }

  TEST_CASE("the list of rooms: lines of three parts, names once, includes downward") {
    const std::vector<Room> house = rooms("# comment\n\ntop | a | and b | mid low\nmid | c | low\nlow | d | nothing\n");
    REQUIRE(house.size() == 3);
    CHECK(house[0].holds == "a | and b");
    CHECK(house[0].may_include == std::vector<std::string>{"mid", "low"});
    CHECK(house[2].may_include.empty());
    CHECK(floors_picture(house).find("mid    c           low\n") != std::string::npos);
    CHECK_THROWS_AS(rooms("top | a\n"), Error);
    CHECK_THROWS_AS(rooms("top | a | low\n"), Error);
    CHECK_THROWS_AS(rooms("low | a | nothing\nlow | a | nothing\n"), Error);
    CHECK_THROWS_AS(rooms("low | a | top\ntop | b | nothing\ntop2 | b | low\n"), Error);
    for (const Room& room : rooms(repository_file("docs/floors.txt")))
      CHECK((in_repository(room.name) || in_repository(room.name + ".h")));
  }

  TEST_CASE("a document that gives measured times says on which machine and when") {
    static const std::regex time("[0-9] (ms|µs|s)\\b"), machine("(AMD|Intel|ARM)[^|]*20[0-9][0-9]");
    const auto dated = [&](const std::string& text) {
      return !std::regex_search(text, time) || std::regex_search(text, machine);
    };
    for (const std::string& document : documents()) {
      CAPTURE(document);
      CHECK(dated(repository_file(document)));
    }
    CHECK_FALSE(dated("It takes 12 ms."));
    CHECK(dated("It takes about 20 minutes to read."));
    CHECK(dated("On an AMD EPYC in November 2026 it took 12 ms."));
  }

  TEST_CASE("paths exist") {
    for (const std::string& document : documents()) {
      const References r = references(repository_file(document));
      std::vector<std::string> words;
      for (const auto* texts : {&r.spans, &r.commands})
        for (const std::string& text : *texts)
          for (const std::string& word : words_of(text)) words.push_back(as_path(word));
      for (const std::string& link : r.links)
        words.push_back((std::filesystem::path(document).parent_path() / link).lexically_normal().string());
      for (const std::string& path : words) {
        if (path.empty()) continue;
        INFO(document << ": " << path);
        CHECK(in_repository(path));
      }
    }
    CHECK(in_repository("tests/golden"));
    CHECK(in_repository("ops_*.cpp"));
    CHECK_FALSE(in_repository("nn/engine.cpp"));
  }

  TEST_CASE("names stand in the sources") {
    for (const std::string& document : documents())
      for (const std::string& span : references(repository_file(document)).spans)
        for (const std::string& name : names_in(span)) {
          INFO(document << ": " << span << ": " << name);
          CHECK(source_words().count(name) == 1);
        }
    CHECK(names_in("Gsu::project, clip_loss, dim") == std::vector<std::string>{"Gsu", "project", "clip_loss"});
  }

  TEST_CASE("commands and flags exist") {
    const Command& program = program_commands();
    std::set<std::string> all_flags;
    const auto collect = [&](const auto& self, const Command& command) -> void {
      all_flags.insert(command.flags.begin(), command.flags.end());
      for (const auto& [name, below] : command.below) self(self, below);
    };
    collect(collect, program);
    std::string scripts;
    for (const std::string& path : repository_files())
      if (path.starts_with("tests/") && (path.ends_with(".sh") || path.ends_with(".cpp")))
        scripts += repository_file(path);
    for (const std::string& document : documents()) {
      const References r = references(repository_file(document));
      std::vector<std::string> texts = r.commands;
      texts.insert(texts.end(), r.spans.begin(), r.spans.end());
      for (const std::string& text : texts) {
        INFO(document << ": " << text);
        std::vector<std::string> words = words_of(text);
        if (words.size() < 2 && !text.starts_with("--")) continue;
        const bool named = words[0] == "seminar", partial = program.below.count(words[0]) && words[1].starts_with("--");
        if (named) words.erase(words.begin());
        if (named || partial) CHECK(complaint(words) == "");
        for (const std::string& word : words)
          if (text.starts_with("--") && word.starts_with("--"))
            CHECK((all_flags.count(word.substr(0, word.find_first_of("=/"))) || has_word(scripts, word)));
      }
    }
    CHECK(complaint({"train", "--data", "x", "--lambda=0.3"}) == "");
    CHECK(complaint({"train", "--lamda", "0.3"}) == "no flag '--lamda'");
    CHECK(complaint({"data", "fly"}) == "no command 'fly'");
  }

  TEST_CASE("tests that documents name exist") {
    std::vector<std::string> names;
    for (const std::string& path : repository_files())
      if (path.starts_with("tests/") && path.ends_with("_test.cpp"))
        for (const std::string& name : test_cases(path)) names.push_back(name);
    std::string programs;
    for (const char* folder : {"tests", "tests/fuzz", "tests/runtime"})
      programs += repository_file(fmt::format("{}/CMakeLists.txt", folder));
    for (const std::string& document : documents())
      for (const std::string& test : references(repository_file(document)).tests) {
        INFO(document << ": " << test);
        const bool is_case = std::any_of(names.begin(), names.end(),
                                         [&](const std::string& name) { return name.find(test) != std::string::npos; });
        CHECK((is_case || has_word(programs, test)));
      }
  }

  TEST_CASE("the map of the paper: each row names a symbol of a file, and a test of a test file that there is") {
    static const std::regex place("`([^`]+)` `([^`]+)`"), test("`([^`]+)` \\*([^*]+)\\*"),
        golden("`(tests/golden/cases/[^`]+)`");
    int64_t rows = 0;
    std::istringstream map(repository_file("docs/paper-map.md"));
    for (std::string line; std::getline(map, line);) {
      if (!line.starts_with("| ") || line.starts_with("| paper |")) continue;
      CAPTURE(line);
      const std::vector<std::string> cells = cells_of(line);
      REQUIRE(cells.size() == 3);
      ++rows;
      int64_t places = 0, tests = 0;
      for (std::sregex_iterator m(cells[1].begin(), cells[1].end(), place), end; m != end; ++m, ++places) {
        const std::string symbol = (*m)[2], last = symbol.substr(symbol.rfind(':') + 1);
        CAPTURE(symbol);
        CHECK(has_word(without_comments(repository_file((*m)[1])), last));
      }
      for (std::sregex_iterator m(cells[2].begin(), cells[2].end(), golden), end; m != end; ++m, ++tests)
        CHECK(in_repository((*m)[1]));
      for (std::sregex_iterator m(cells[2].begin(), cells[2].end(), test), end; m != end; ++m, ++tests) {
        const std::vector<std::string> names = test_cases((*m)[1]);
        const std::string name = (*m)[2];
        CAPTURE(name);
        CHECK(std::find(names.begin(), names.end(), name) != names.end());
      }
      CHECK(places > 0);
      CHECK(tests > 0);
    }
    CHECK(rows > 20);
  }

  TEST_CASE("every chapter of the tour has its formula, picture, quote, output and exercise; programs are short") {
    int64_t chapters = 0;
    for (const std::string& path : documents()) {
      if (!fits(path, "docs/tour/[0-9]-*.md")) continue;
      CAPTURE(path);
      ++chapters;
      const std::string text = repository_file(path), number = path.substr(std::string("docs/tour/").size(), 1);
      for (const std::string& part :
           {std::string("## The formula"), std::string("## The picture"), std::string("<!-- quote: "),
            "<!-- output: tour_0" + number, std::string("## Exercise"), "[*exercise " + number,
            std::string("## Write "), "apps/tour/write/" + number, "bash apps/tour/check.sh " + number,
            "solutions.md#" + number}) {
        CAPTURE(part);
        CHECK(text.find(part) != std::string::npos);
      }
    }
    CHECK(chapters == 8);
    for (const std::string& path : repository_files()) {
      if (!fits(path, "apps/tour/0*.cpp")) continue;
      const std::string text = repository_file(path);
      INFO(path);
      CHECK(std::count(text.begin(), text.end(), '\n') < 80);
    }
  }
}
