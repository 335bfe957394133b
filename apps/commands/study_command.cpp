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

void check_settings(const RecallSettings& s) {
  check(s.draws >= 1, "--draws: must be 1 or more: {}", s.draws);
  check(!s.lengths.empty() && !s.ks.empty(), "--lengths and --k: need a number each");
  for (const int64_t length : s.lengths) check(length >= 1, "--lengths: must be 1 or more: {}", length);
  for (const int64_t k : s.ks) check(k >= 1, "--k: must be 1 or more: {}", k);
  check(s.corpus >= 1, "--corpus: must be 1 or more: {}", s.corpus);
  check(s.steps >= 0, "--steps: must be 0 or more: {}", s.steps);
}

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
    fmt::print("\n{}, L = {}\n{:<36}", key.first, key.second, "method");
    for (const RecallRow& r : lines[0]) fmt::print("  {:>12}", fmt::format("R@{}", r.k));
    fmt::print("  {:>9}  {:>9}\n", "µs", "bytes/key");
    for (const auto& line : lines) {
      fmt::print("{:<36}", line[0].method);
      for (const RecallRow& r : line) fmt::print("  {:>12}", fmt::format("{:.3f} ±{:.3f}", r.recall, r.error));
      fmt::print("  {:>9.0f}  {:>9.1f}\n", line.back().microseconds, line[0].bytes);
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
  fmt::print("\nwritten to {}/{}.csv, .json, .svg\n", out, name);
}

StudyProgress shown(Progress& progress) {
  return [&](int64_t done, int64_t total) {
    if (interrupted()) throw Interrupted{};
    progress.update(done, total, done, "");
  };
}

void add_common(CLI::App& command, RecallSettings& s, std::string& out, bool& quick) {
  command.add_option("--out", out, "folder for the CSV, JSON and SVG files")->required();
  command.add_flag("--quick", quick, "few draws of L = 2000 only");
  command.add_option("--draws", s.draws, "histories drawn per setting")->capture_default_str();
  command.add_option("--lengths", s.lengths, "history lengths L")->delimiter(',')->capture_default_str();
  command.add_option("--k", s.ks, "numbers K retrieved")->delimiter(',')->capture_default_str();
  command.add_option("--corpus", s.corpus, "vectors that codebooks are trained on")->capture_default_str();
  command.add_option("--steps", s.steps, "training steps of RQ-VAE")->capture_default_str();
  command.add_option("--seed", s.seed, "seed of every draw")->capture_default_str();
}

void shorten(RecallSettings& s) {
  s.draws = std::min<int64_t>(s.draws, 3);
  s.lengths = {2000};
}

void run_figure2(Figure2Arguments& a) {
  if (a.quick) shorten(a.settings);
  check_settings(a.settings);
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

void run_table4(Table4Arguments& a) {
  if (a.quick) shorten(a.settings);
  check_settings(a.settings);
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
  drawn->add_option("--dim", figure2->settings.dim, "width d; the paper states 64")->capture_default_str();
  drawn->add_option("--sub-quantizers", figure2->settings.sub_quantizers, "the paper states 8")->capture_default_str();
  drawn->add_option("--centroids", figure2->settings.centroids, "the paper states 512")->capture_default_str();
  drawn->callback([figure2] { run_figure2(*figure2); });

  const auto table4 = std::make_shared<Table4Arguments>();
  CLI::App* trained = study->add_subcommand("table4", "The same on the vectors of a trained model");
  add_common(*trained, table4->settings, table4->out, table4->quick);
  trained->add_option("--data", table4->data, "data set folder")->required();
  trained->add_option("--model", table4->model, "SEMINAR model file")->required();
  trained->add_option("--sub-quantizers", table4->settings.sub_quantizers, "sub-quantizers S a channel")
      ->capture_default_str();
  trained->add_option("--centroids", table4->settings.centroids, "centroids a sub-quantizer")->capture_default_str();
  trained->add_option("--candidates", table4->settings.candidates, "candidates of the exact second pass, times K")
      ->capture_default_str();
  trained->callback([table4] { run_table4(*table4); });
}

}  // namespace seminar
