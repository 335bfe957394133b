// seminar rank
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "apps/cli.h"
#include "apps/serve/ranking.h"
#include "tensor/io/print.h"

namespace seminar {
namespace {

struct RankArguments {
  std::string model, input = "-";
  int64_t history = 0, repeat = 1;
  bool stats = false, skip_unknown = false;
};

void print_stats(std::vector<double>& seconds, int64_t requests, int64_t candidates) {
  if (seconds.empty()) return;
  std::sort(seconds.begin(), seconds.end());
  const auto at = [&](double share) {
    return 1e6 * seconds[static_cast<std::size_t>(share * static_cast<double>(seconds.size() - 1))];
  };
  print_error("{} requests, {} candidates; a request is ranked in {:.0f} µs (p50), {:.0f} µs (p99)\n", requests,
              candidates, at(0.5), at(0.99));
}

bool is_blank(const std::string& line) { return line.find_first_not_of(" \t\r") == std::string::npos; }

void run(const RankArguments& a) {
  const ModelHandle model = open_model(a.model);
  Ranking ranking(model.get(), a.history, {}, a.skip_unknown);
  std::ifstream file;
  if (a.input != "-") {
    file.open(a.input);
    check(file.is_open(), "{}: cannot open", a.input);
  }
  std::istream& in = a.input == "-" ? std::cin : file;
  const std::string name = a.input == "-" ? "standard input" : a.input;
  std::vector<double> seconds;
  std::string first_wrong;
  int64_t number = 0, requests = 0, candidates = 0, wrong = 0;
  for (std::string line; !interrupted() && std::getline(in, line);) {
    ++number;
    if (is_blank(line)) continue;
    ++requests;
    bool answered = false;
    try {
      print_out("{}\n", ranking.answer(line));
      answered = true;
    } catch (const Error& e) {
      print_out("{}\n", error_answer(e));
      if (wrong++ == 0) first_wrong = fmt::format("line {}: {}", number, e.what());
    }
    if (flush_text(stdout) != 0) return;  // main() tells it
    if (!answered) continue;
    candidates += ranking.candidates();
    seconds.push_back(ranking.seconds());
    for (int64_t i = 1; i < a.repeat; ++i) {
      ranking.rank_again();
      seconds.push_back(ranking.seconds());
    }
  }
  check(in.eof() || interrupted(), "{}: line {}: cannot be read", name, number + 1);
  if (a.stats) print_stats(seconds, requests - wrong, candidates);
  if (interrupted()) throw Interrupted{};
  check(wrong == 0, "{}: {}{}", name, first_wrong,
        wrong > 1 ? fmt::format(" ({} of {} requests are wrong)", wrong, requests) : "");
}

}  // namespace

void add_rank_command(CLI::App& app) {
  auto a = std::make_shared<RankArguments>();
  CLI::App* command =
      app.add_subcommand("rank", "Score candidates with an exported model: JSON lines in, JSON lines out");
  add_input(*command, "--model", a->model, "file of 'seminar export'")->required();
  add_input(*command, "input", a->input, "requests, one a line ('-': standard input)");
  add_option(*command, "--history", a->history, "behaviours that are kept of a user (0: as exported)", {0, 1000000});
  command->add_flag("--stats", a->stats, "print at the end how long requests took");
  add_option(*command, "--repeat", a->repeat, "rank every request this many times, for --stats", {1, 1000000});
  command->add_flag("--skip-unknown", a->skip_unknown, "say nothing about items that the model does not know");
  command->footer(
      "Example:\n  seminar rank --model ranking.safetensors requests.jsonl\n"
      "A request: {\"history\": [\"50\", {\"item\": \"318\", \"query\": \"prison\"}], \"candidates\": [\"1\", \"2\"]}\n"
      "and, if wanted, \"query\", \"k\", \"codes\", \"weights\", \"explain\", \"id\": see docs/embedding.md");
  command->callback([a] { run(*a); });
}

}  // namespace seminar
