// seminar explore
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/cli.h"
#include "apps/pages/explorer_page.h"
#include "apps/serve/runtime_scorer.h"
#include "seminar/evaluation/evaluate.h"
#include "tensor/io/file.h"
#include "tensor/io/json.h"
#include "tensor/io/print.h"

namespace seminar {
namespace {

using nlohmann::json;

struct ExploreArguments {
  std::string data, model, wasm, out;
  int64_t users = 50, candidates = 100;
};

// The held-out actions of `count` users, evenly over the lengths of their histories, shortest first.
std::vector<Target> shown_targets(const Dataset& data, int64_t count) {
  std::vector<Target> all = held_out_targets(data, Split::test), shown;
  check(!all.empty(), "explore: no user has a held-out action with a history before it");
  std::stable_sort(all.begin(), all.end(), [](const Target& a, const Target& b) { return a.position < b.position; });
  const int64_t n = std::ssize(all), most = std::min(count, n);
  for (int64_t i = 0; i < most; ++i)
    shown.push_back(all[static_cast<std::size_t>(most == 1 ? n / 2 : i * (n - 1) / (most - 1))]);
  return shown;
}

// {"data", "model", "channels": names, "users": [{"name", "behaviours": how many, "history": the newest [[item, query],
// ..], oldest first, "candidates": [items], the true next one first}]}; items and queries by their numbers in the
// model.
std::string page_data(const ExploreArguments& a, const Dataset& data, const SafetensorsFile& file, int64_t history) {
  const std::vector<Target> targets = shown_targets(data, a.users);
  RunSettings run;
  run.eval_negatives = a.candidates - 1;
  const Candidates candidates = sampled_candidates(data, run, {}, targets);
  json users = json::array();
  for (std::size_t t = 0; t < targets.size(); ++t) {
    const auto items = data.user_items(targets[t].user), queries = data.user_queries(targets[t].user);
    json behaviours = json::array();
    for (int64_t p = std::max<int64_t>(0, targets[t].position - history); p < targets[t].position; ++p)
      behaviours.push_back({items[p], queries[p]});
    const auto own = std::span(candidates.items).subspan(t * a.candidates, static_cast<std::size_t>(a.candidates));
    users.push_back({{"name", data.original_user(targets[t].user)},
                     {"behaviours", targets[t].position},
                     {"history", std::move(behaviours)},
                     {"candidates", std::vector<int32_t>(own.begin(), own.end())}});
  }
  return json{{"data", data.info().kind},
              {"model", std::filesystem::path(a.model).filename().string()},
              {"channels", parse_json(file.meta("channels"), a.model + ": channels")},
              {"users", std::move(users)}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string wasm_module(const std::string& path) {
  std::string bytes = read_file(path);
  check(bytes.starts_with(std::string_view("\0asm", 4)) && bytes.find("seminar_rank") != std::string::npos,
        "{}: not the runtime in WebAssembly: make it with 'cmake --preset wasm && cmake --build --preset wasm'", path);
  return bytes;
}

void run(const ExploreArguments& a) {
  const std::string wasm = wasm_module(a.wasm);
  const Dataset data = Dataset::open(a.data);
  const ModelHandle model = open_model(a.model, data);
  seminar_model_info info;
  check_runtime(seminar_model_describe(model.get(), &info));
  const MappedFile bytes(a.model);
  const std::string page = explorer_page(page_data(a, data, SafetensorsFile(a.model), info.history), bytes.bytes(),
                                         std::as_bytes(std::span(wasm)));
  write_file(a.out, page);
  print_out("{} users, {} candidates each, {:.1f} MB, written to {}\n",
            std::min<int64_t>(a.users, std::ssize(held_out_targets(data, Split::test))), a.candidates,
            static_cast<double>(page.size()) / 1e6, a.out);
}

}  // namespace

void add_explore_command(CLI::App& app) {
  auto a = std::make_shared<ExploreArguments>();
  CLI::App* command =
      app.add_subcommand("explore", "A page that ranks in the browser: move λ, γ, K and see what changes");
  add_input(*command, "--data", a->data, "data set folder", "FOLDER")->required();
  add_input(*command, "--model", a->model, "file of 'seminar export'")->required();
  add_input(*command, "--wasm", a->wasm, "seminar.wasm of the preset wasm")->required();
  add_option(*command, "--users", a->users, "users to choose from, from short histories to long ones", {1, 10000});
  add_option(*command, "--candidates", a->candidates, "items ranked for each: the held-out one and sampled others",
             {2, 10000});
  add_output(*command, "--out", a->out, "HTML file to write")->required();
  command->callback([a] { run(*a); });
  command->footer(
      "Example:\n  seminar explore --data data --model ranking.safetensors --wasm seminar.wasm --out page.html");
}

}  // namespace seminar
