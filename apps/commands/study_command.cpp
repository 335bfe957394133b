// seminar study: the paper's experiments as commands. Each prints a table and writes it as CSV, JSON and SVG.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/cli.h"
#include "apps/pages/chart.h"
#include "seminar/studies/recall_study.h"
#include "seminar/training/model_file.h"
#include "tensor/io/file.h"
#include "tensor/io/print.h"

namespace seminar {
namespace {

struct Figure2Arguments {
  std::string out;
  bool quick = false;
  Figure2Settings settings;
};

struct Table4Arguments {
  std::string out, data, model;
  bool quick = false;
  Table4Settings settings;
};

void check_codes(int64_t dim, int64_t sub_quantizers, int64_t centroids) {
  check(dim >= 1 && sub_quantizers >= 1 && dim % sub_quantizers == 0, "--sub-quantizers: must divide the width {}: {}",
        dim, sub_quantizers);
  check(centroids >= 1 && centroids <= ProductQuantizer::max_centroids, "--centroids: must be from 1 to {}: {}",
        ProductQuantizer::max_centroids, centroids);
}

// One line a method with the recalls at every K, grouped by setting and length.
struct Table {
  explicit Table(const std::vector<RecallRow>& rows) {
    for (const RecallRow& r : rows) {
      const auto key = std::pair(r.setting, r.length);
      if (groups.empty() || groups.back().first != key) groups.push_back({key, {}});
      auto& lines = groups.back().second;
      if (lines.empty() || lines.back()[0].method != r.method) lines.push_back({});
      lines.back().push_back(r);
    }
  }
  std::vector<std::pair<std::pair<std::string, int64_t>, std::vector<std::vector<RecallRow>>>> groups;
};

void print(const Table& table) {
  for (const auto& [key, lines] : table.groups) {
    print_out("\n{}, L = {}\n{:<36}", key.first, key.second, "method");
    for (const RecallRow& r : lines[0]) print_out("  {:>12}", fmt::format("R@{}", r.k));
    print_out("  {:>9}  {:>9}\n", "µs", "bytes/key");
    for (const auto& line : lines) {
      print_out("{:<36}", line[0].method);
      for (const RecallRow& r : line) print_out("  {:>12}", fmt::format("{:.3f} ±{:.3f}", r.recall, r.error));
      print_out("  {:>9.0f}  {:>9.1f}\n", line.back().microseconds, line[0].bytes);
    }
  }
}

void write_results(const std::string& out, const std::string& name, const std::string& title,
                   const std::vector<RecallRow>& rows) {
  std::string csv = "setting,length,method,k,recall,standard_error,microseconds,bytes_per_key\n";
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const RecallRow& r : rows) {
    csv += fmt::format("\"{}\",{},\"{}\",{},{:.6f},{:.6f},{:.1f},{:.2f}\n", r.setting, r.length, r.method, r.k,
                       r.recall, r.error, r.microseconds, r.bytes);
    json.push_back({{"setting", r.setting},
                    {"length", r.length},
                    {"method", r.method},
                    {"k", r.k},
                    {"recall", r.recall},
                    {"standard_error", r.error},
                    {"microseconds", r.microseconds},
                    {"bytes_per_key", r.bytes}});
  }
  std::vector<ChartPanel> panels;
  for (const auto& [key, lines] : Table(rows).groups) {
    ChartPanel& panel = panels.emplace_back();
    panel.title = fmt::format("{}, L = {}", key.first, key.second);
    for (const RecallRow& r : lines[0]) panel.x.push_back(static_cast<double>(r.k));
    for (const auto& line : lines) {
      panel.lines.push_back({line[0].method, {}});
      for (const RecallRow& r : line) panel.lines.back().y.push_back(r.recall);
    }
  }
  write_file(fmt::format("{}/{}.csv", out, name), csv);
  write_file(fmt::format("{}/{}.json", out, name), json.dump(2) + "\n");
  write_file(fmt::format("{}/{}.svg", out, name), line_charts(title, "K", "recall", panels));
  print_out("\nwritten to {}/{}.csv, .json, .svg\n", out, name);
}

StudyProgress shown(Progress& progress) {
  return [&](int64_t done, int64_t total) {
    if (interrupted()) throw Interrupted{};
    progress.update(done, total, done, "");
  };
}

void add_common(CLI::App& command, RecallSettings& s, std::string& out, bool& quick) {
  add_option(command, "--out", out, "folder for the CSV, JSON and SVG files")->required();
  command.add_flag("--quick", quick, "few draws of L = 2000 only, unless --draws or --lengths are given");
  add_option(command, "--draws", s.draws, "histories drawn per setting", from_1);
  add_option(command, "--lengths", s.lengths, "history lengths L", from_1);
  add_option(command, "--k", s.ks, "numbers K retrieved", from_1);
  add_option(command, "--corpus", s.corpus, "vectors that codebooks are trained on", from_1);
  add_option(command, "--steps", s.steps, "training steps of RQ-VAE", from_0);
  add_option(command, "--seed", s.seed, "seed of every draw", from_0);
  add_threads(command);
}

// What --quick makes smaller, unless it was asked for.
void shorten(RecallSettings& s, const CLI::App& command) {
  if (!is_given(command, "--draws")) s.draws = std::min<int64_t>(s.draws, 3);
  if (!is_given(command, "--lengths")) s.lengths = {2000};
}

void run_figure2(Figure2Arguments& a, const CLI::App& command) {
  if (a.quick) shorten(a.settings, command);
  check_codes(a.settings.dim, a.settings.sub_quantizers, a.settings.centroids);
  std::filesystem::create_directories(a.out);
  check_writable(a.out + "/figure2.csv");
  Progress progress("figure2", "histories");
  const std::vector<RecallRow> rows = study_figure2(a.settings, shown(progress));
  print(Table(rows));
  write_results(a.out, "figure2",
                fmt::format("Figure 2: recall of the exact top K, i.i.d. vectors, d = {}, PQ {} x {}", a.settings.dim,
                            a.settings.sub_quantizers, a.settings.centroids),
                rows);
}

void run_table4(Table4Arguments& a, const CLI::App& command) {
  if (a.quick) shorten(a.settings, command);
  check(a.settings.candidates >= 1, "--candidates: must be 1 or more: {}", a.settings.candidates);
  std::filesystem::create_directories(a.out);
  check_writable(a.out + "/table4.csv");
  const Dataset data = Dataset::open(a.data);
  const std::unique_ptr<Model> model = load_model(a.model, data);
  const SeminarModel* seminar = dynamic_cast<const SeminarModel*>(model.get());
  check(seminar, "{}: a {} model has no GSU", a.model, model->kind());
  check_codes(seminar->settings().dim, a.settings.sub_quantizers, a.settings.centroids);
  Progress progress("table4", "histories");
  const std::vector<RecallRow> rows = study_table4(*seminar, data, a.settings, shown(progress));
  print(Table(rows));
  write_results(a.out, "table4", "Table 4: recall of the exact top K on the vectors of a trained model", rows);
}

}  // namespace

void add_study_command(CLI::App& app) {
  CLI::App* study = app.add_subcommand("study", "Repeat the paper's experiments");
  study->require_subcommand(1);
  add_model_studies(*study);
  const auto figure2 = std::make_shared<Figure2Arguments>();
  CLI::App* drawn = study->add_subcommand("figure2", "Recall of PQ and its rivals on i.i.d. vectors");
  add_common(*drawn, figure2->settings, figure2->out, figure2->quick);
  add_option(*drawn, "--dim", figure2->settings.dim, "width d; the paper states 64");
  add_option(*drawn, "--sub-quantizers", figure2->settings.sub_quantizers, "the paper states 8");
  add_option(*drawn, "--centroids", figure2->settings.centroids, "the paper states 512");
  drawn->footer("Example:\n  seminar study figure2 --out study --quick");
  drawn->callback([figure2, drawn] { run_figure2(*figure2, *drawn); });

  const auto table4 = std::make_shared<Table4Arguments>();
  CLI::App* trained = study->add_subcommand("table4", "The same on the vectors of a trained model");
  add_common(*trained, table4->settings, table4->out, table4->quick);
  add_input(*trained, "--data", table4->data, "data set folder", "FOLDER")->required();
  add_input(*trained, "--model", table4->model, "SEMINAR model file")->required();
  add_option(*trained, "--sub-quantizers", table4->settings.sub_quantizers, "sub-quantizers S a channel");
  add_option(*trained, "--centroids", table4->settings.centroids, "centroids a sub-quantizer");
  add_option(*trained, "--candidates", table4->settings.candidates, "candidates of the exact second pass, times K");
  trained->footer("Example:\n  seminar study table4 --data data --model model.safetensors --out study");
  trained->callback([table4, trained] { run_table4(*table4, *trained); });
}

}  // namespace seminar
