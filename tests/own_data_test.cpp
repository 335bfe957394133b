// The page "Your own data", as it stands: every command of its blocks runs.
#include <sstream>

#include "tests/program.h"

using namespace seminar;

TEST_SUITE("your own data") {
  TEST_CASE("the commands of docs/your-own-data.md run one after the other and say what the page says") {
    const TemporaryFolder folder;
    std::istringstream page(read_file(SEMINAR_SOURCE_DIR "/docs/your-own-data.md"));
    const std::string own = folder / "own";
    fs::create_directories(own);
    bool block = false;
    std::string all;
    int commands = 0;
    for (std::string line; std::getline(page, line);) {
      if (line.starts_with("```")) block = line == "```sh";
      if (!block || !line.starts_with("seminar ")) continue;
      std::string arguments = line.substr(8);
      for (const std::string ending : {"/", " "})
        for (std::size_t at = 0; (at = arguments.find(" own" + ending, at)) != std::string::npos; at += own.size())
          arguments.replace(at, 4, " " + own);
      const Output o = run_under("cd " SEMINAR_SOURCE_DIR " &&", arguments);
      CAPTURE(line);
      CAPTURE(o.err);
      CHECK(o.code == 0);
      all += o.out;
      ++commands;
    }
    CHECK(commands == 8);
    for (const char* said :
         {"column 'visitor': user; texts like 'u11'", "fields between semicolons", "times are ISO 8601 dates",
          "column 'price': numbers", "users           50", "held-out targets", "popularity"})
      CHECK(all.find(said) != std::string::npos);
  }

  TEST_CASE("standard input is a table, too; nothing is written without --out") {
    const TemporaryFolder folder;
    const std::string rows = "printf 'user,item,ts\\nu,a,1\\nu,b,2\\nu,c,3\\n' |";
    const Output o = run_under(rows, fmt::format("data import csv - --out {}", folder / "data"));
    CAPTURE(o.err);
    CHECK(o.code == 0);
    CHECK(o.out.find("interactions    3") != std::string::npos);
    check_refused("data import csv " SEMINAR_SOURCE_DIR "/apps/demo/shop/events.csv", "--out: needed");
    check_refused(fmt::format("data import movielens {} --dry-run", folder / ""), "--dry-run: only csv");
  }
}
