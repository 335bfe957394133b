// seminar report: what a folder of models learned, as one page to look at.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/cli.h"
#include "apps/commands/retrieval_example.h"
#include "apps/commands/training_log.h"
#include "apps/pages/report_page.h"
#include "seminar/evaluation/attention_profile.h"
#include "seminar/retrieval/batch_retriever.h"
#include "seminar/training/model_file.h"
#include "tensor/gemm.h"
#include "tensor/io/file.h"
#include "tensor/io/json.h"
#include "tensor/io/print.h"
#include "tensor/kernels.h"
#include "tensor/parallel.h"

namespace seminar {
namespace {

namespace fs = std::filesystem;

constexpr int64_t shown_behaviours = 20;

// A row of the table of models.
struct Ranked {
  std::string name;
  UserRanks ranks;
  RankingMetrics metrics;
  Interval ndcg10;
};

// A model file of the folder.
struct RunModel {
  std::string name, path;
  std::unique_ptr<Model> model;
  std::string settings, run;
  std::vector<EpochRecord> epochs;
};

Ranked ranked(const std::string& name, UserRanks ranks) {
  Ranked r{name, std::move(ranks), {}, {}};
  r.metrics = ranking_metrics(r.ranks);
  check_identities(r.metrics);
  r.ndcg10 = bootstrap(gains(metric_named("ndcg@10"), r.ranks.ranks), interval_seed);
  return r;
}

std::vector<RunModel> models_of(const std::string& folder, const Dataset& data) {
  std::vector<std::string> paths;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().extension() == ".safetensors") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<RunModel> models;
  for (const std::string& path : paths) {
    const SafetensorsFile file(path);
    const auto format = file.metadata().find("format");
    if (format == file.metadata().end() || format->second != model_format) continue;
    RunModel m{fs::path(path).stem(), path, load_model(path, data), file.meta("settings"), file.meta("run"), {}};
    if (const std::string log = training_log_path(path); file_exists(log)) m.epochs = read_training_log(log);
    models.push_back(std::move(m));
  }
  check(!models.empty(), "{}: no model files in it: train into it, or give the folder of a run", folder);
  return models;
}

std::string machine() {
  std::string model = "unknown processor", line;
  std::ifstream cpu("/proc/cpuinfo");
  while (std::getline(cpu, line))
    if (line.starts_with("model name")) {
      model = line.substr(line.find(':') + 2);
      break;
    }
  return fmt::format("{}, {} threads", model, threads());
}

std::vector<std::vector<std::string>> settings_rows(const std::string& settings) {
  std::vector<std::vector<std::string>> rows;
  const auto json = parse_ordered_json(settings, "settings");
  for (const auto& [name, value] : json.items())
    rows.push_back({name, value.is_string() ? value.get<std::string>() : value.dump()});
  return rows;
}

// Each model's paired NDCG@10 difference to the first with its interval, and its p; dashes for the first, and for
// models that ranked other candidates.
std::vector<std::pair<std::string, std::string>> differences_to_first(const std::vector<Ranked>& table) {
  const auto values = [](const Ranked& r) { return gains(metric_named("ndcg@10"), r.ranks.ranks); };
  const std::vector<double> first = values(table[0]);
  std::vector<std::pair<std::string, std::string>> rows(table.size(), {"-", "-"});
  std::vector<double> p;
  std::vector<std::size_t> compared;
  for (std::size_t i = 1; i < table.size(); ++i) {
    if (table[i].ranks.users != table[0].ranks.users ||
        table[i].ranks.protocol.at("candidates") != table[0].ranks.protocol.at("candidates"))
      continue;
    const Interval d = bootstrap_difference(values(table[i]), first, interval_seed);
    rows[i].first = fmt::format("{:+.4f} [{:+.4f}, {:+.4f}]", d.mean, d.low, d.high);
    p.push_back(sign_flip_test(values(table[i]), first, interval_seed));
    compared.push_back(i);
  }
  const std::vector<double> corrected = holm(p);
  for (std::size_t i = 0; i < compared.size(); ++i) rows[compared[i]].second = fmt::format("{:.4f}", corrected[i]);
  return rows;
}

void add_models(ReportPage& page, const std::vector<Ranked>& table) {
  page.section("Which model ranks best");
  const RankingMetrics& first = table[0].metrics;
  page.paragraph(
      fmt::format("{} users; each one's last action among {} candidates. Intervals are 95 % over users (bootstrap, "
                  "seed {}). Whether a model is worse than the best one is told by the paired difference over the same "
                  "users, not by how two intervals overlap; p is by random signs, corrected by Holm.",
                  first.users, first.candidates, interval_seed));
  const std::vector<std::pair<std::string, std::string>> differences = differences_to_first(table);
  std::vector<std::vector<std::string>> rows;
  IntervalPanel panel;
  for (const Ranked& r : table) {
    const RankingMetrics& m = r.metrics;
    rows.push_back({r.name, fmt::format("{:.4f}", m.ndcg5), fmt::format("{:.4f}", m.ndcg10),
                    fmt::format("[{:.4f}, {:.4f}]", r.ndcg10.low, r.ndcg10.high), differences[rows.size()].first,
                    differences[rows.size()].second, fmt::format("{:.4f}", m.hr10), fmt::format("{:.4f}", m.mrr),
                    fmt::format("{:.4f}", m.auc), fmt::format("{:.3f}", m.tie_rate)});
    panel.rows.push_back({r.name, r.ndcg10.mean, r.ndcg10.low, r.ndcg10.high});
  }
  page.charts({interval_charts("NDCG@10", "NDCG@10, 95 % interval over users", {panel}, ReportPage::colours())});
  page.table("", {"model", "NDCG@5", "NDCG@10", "95 % interval", "to the best", "p", "HR@10", "MRR", "AUC", "ties"},
             rows);
}

// A chart over the epochs, from 0 to a round number above all of it.
std::string epoch_chart(const std::string& title, const std::string& y_label, ChartPanel panel) {
  double most = 0;
  for (const ChartLine& line : panel.lines) most = std::max(most, *std::max_element(line.y.begin(), line.y.end()));
  const double step = std::pow(10, std::floor(std::log10(std::max(most, 1e-9))));
  return line_charts(title, "epoch", y_label, {std::move(panel)}, std::ceil(most / step + 1e-9) * step,
                     ReportPage::colours());
}

void add_training(ReportPage& page, const std::vector<RunModel>& models) {
  page.section("How training went");
  std::vector<std::string> charts;
  std::vector<std::vector<std::string>> rows;
  for (const RunModel& m : models) {
    if (m.epochs.empty()) continue;
    ChartPanel losses{"", {}, {}}, valid{"", {}, {{"validation NDCG@10", {}}}};
    for (const auto& [name, value] : m.epochs[0].loss) losses.lines.push_back({name, {}});
    for (const EpochRecord& e : m.epochs) {
      std::string parts;
      for (std::size_t i = 0; i < std::min(e.loss.size(), losses.lines.size()); ++i) {
        losses.lines[i].y.push_back(e.loss[i].second);
        parts += fmt::format("{}{} {:.4f}", i == 0 ? "" : ", ", e.loss[i].first, e.loss[i].second);
      }
      valid.lines[0].y.push_back(e.valid_ndcg10);
      losses.x.push_back(static_cast<double>(e.epoch));
      rows.push_back(
          {m.name, fmt::format("{}", e.epoch), parts, fmt::format("{:.4f}", e.valid_ndcg10), duration(e.seconds)});
    }
    valid.x = losses.x;
    charts.push_back(epoch_chart(m.name + ": loss, mean of the epoch", "loss", std::move(losses)));
    charts.push_back(epoch_chart(m.name + ": validation", "NDCG@10", std::move(valid)));
  }
  if (rows.empty()) {
    page.paragraph("No logs of training (MODEL.log.json) stand beside the models.");
    return;
  }
  page.charts(charts);
  page.folded_table("All epochs", {"model", "epoch", "loss", "validation NDCG@10", "time"}, rows);
}

std::string ages_name(const AgeProfile& a) {
  return a.youngest == a.oldest ? fmt::format("{} ago", a.youngest) : fmt::format("{} to {} ago", a.youngest, a.oldest);
}

void add_attention(ReportPage& page, const SeminarModel& model, const AttentionProfile& p) {
  page.section("Where attention goes");
  page.paragraph(
      fmt::format("Over {} held-out actions and {} behaviours. If the model looked at all behaviours alike, the two "
                  "shares would be equal.",
                  p.users, p.behaviours));
  std::vector<ReportPage::Bar> ages,
      kinds{{"search", p.search_share, p.search_attended}, {"browse", 1 - p.search_share, 1 - p.search_attended}};
  for (const AgeProfile& a : p.ages) ages.push_back({ages_name(a), a.share, a.attended});
  page.bars("By age of the behaviour", "of behaviours", "of attention", ages);
  page.bars("Search or browse", "of behaviours", "of attention", kinds);
  page.section("Channels: weights and norms");
  page.paragraph(model.fusion.item_logits
                     ? fmt::format("λ = {}: the query's weight is fixed, the others are learned.", model.fusion.lambda)
                     : "The weights come from a gate on the pair.");
  std::vector<std::vector<std::string>> rows;
  for (const ChannelProfile& c : p.channels)
    rows.push_back({c.name, fmt::format("{:.3f}", c.weight), fmt::format("{:.3f}", c.attended),
                    fmt::format("{:.3f}", c.norm), fmt::format("{:.3f}", c.deviation),
                    fmt::format("{:.3f}", c.weight * c.norm)});
  page.table("A channel's say in the scores grows with weight times norm",
             {"channel", "mean weight γ", "by attention", "mean norm", "deviation", "weight × norm"}, rows);
}

std::string behaviour_text(const std::vector<RetrievedBehaviour>& list, std::size_t i) {
  if (i >= list.size()) return "";
  const RetrievedBehaviour& b = list[i];
  return fmt::format("{}, {} ago{}", b.title, b.ago, b.query.empty() ? "" : fmt::format(" (query: {})", b.query));
}

void add_example(ReportPage& page, const RetrievalExample& exact, const RetrievalExample& pq) {
  page.section("One user's history, exact and by product quantization");
  std::size_t common = 0;
  for (const RetrievedBehaviour& b : exact.retrieved)
    common +=
        std::any_of(pq.retrieved.begin(), pq.retrieved.end(), [&](const auto& other) { return other.ago == b.ago; });
  page.paragraph(fmt::format("User {} with {} behaviours; target: {}. {} of the {} behaviours are in both lists.",
                             exact.user, exact.behaviours, exact.target, common, exact.retrieved.size()));
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < std::max(exact.retrieved.size(), pq.retrieved.size()); ++i)
    rows.push_back({fmt::format("{}", i + 1), behaviour_text(exact.retrieved, i), behaviour_text(pq.retrieved, i)});
  page.table("Retrieved by the GSU, best first", {"", "exact scores", "product quantization"}, rows);
}

void add_codebooks(ReportPage& page, const SeminarModel& model, const QuantizedChannels& q) {
  page.section("Codebooks");
  page.paragraph(
      "Used: centroids that at least one query or item has. Perplexity: how many equally used centroids would be as "
      "evenly spread. Both are means over the channel's sub-quantizers.");
  const std::vector<std::string> names = channel_names(model);
  std::vector<std::vector<std::string>> rows;
  for (std::size_t c = 0; c < names.size(); ++c) {
    const auto& codes = c == 0 ? q.query : q.item[c - 1];
    const ProductQuantizer& quantizer = q.quantizer->channels()[c];
    const int64_t parts = quantizer.sub_quantizers(), n = std::ssize(codes) / parts;
    double used = 0, perplexity = 0;
    for (int64_t s = 0; s < parts; ++s) {
      std::map<int64_t, int64_t> counts;
      for (int64_t i = 0; i < n; ++i) ++counts[static_cast<int64_t>(codes[static_cast<std::size_t>(i * parts + s)])];
      double entropy = 0;
      for (const auto& [code, count] : counts) {
        const double share = static_cast<double>(count) / static_cast<double>(n);
        entropy -= share * std::log(share);
      }
      used += static_cast<double>(counts.size()) / static_cast<double>(parts);
      perplexity += std::exp(entropy) / static_cast<double>(parts);
    }
    rows.push_back({names[c], fmt::format("{}", n), fmt::format("{}", parts), fmt::format("{}", quantizer.centroids()),
                    fmt::format("{:.1f}", used), fmt::format("{:.1f}", perplexity)});
  }
  page.table("", {"channel", "vectors", "sub-quantizers", "centroids", "used", "perplexity"}, rows);
}

void add_settings(ReportPage& page, const std::vector<RunModel>& models) {
  page.section("Settings, seeds, machine");
  page.paragraph(
      fmt::format("seminar {}, kernels {}, {}; {}.", SEMINAR_VERSION, kernels().isa, blas_description(), machine()));
  for (const RunModel& m : models) {
    std::vector<std::vector<std::string>> rows = settings_rows(m.settings), run = settings_rows(m.run);
    rows.insert(rows.end(), run.begin(), run.end());
    page.folded_table(fmt::format("{}: a {} model of {} parameters", m.name, m.model->kind(), count(m.model->params())),
                      {"setting", "value"}, rows);
  }
}

void run(const std::string& folder, const std::string& data_folder, const std::string& out) {
  check(fs::is_directory(folder), "{}: not a folder", folder);
  const Dataset data = Dataset::open(data_folder.empty() ? folder + "/data" : data_folder);
  std::vector<RunModel> models = models_of(folder, data);
  check_not_input("--out", out, data_folder.empty() ? folder + "/data" : data_folder);
  for (const RunModel& m : models)
    for (const std::string& read : {m.path, training_log_path(m.path)}) check_not_input("--out", out, read);
  const RunSettings first_run = run_settings_from_json(models[0].run, models[0].path);
  Progress progress("report", "models");
  const int64_t steps = std::ssize(models) + 3;
  std::vector<Ranked> table{ranked("popularity", rank_users(Popularity(data, 1), data, first_run, {}))};
  SeminarModel* best = nullptr;
  double best_ndcg10 = -1;
  RunSettings best_run;
  for (std::size_t i = 0; i < models.size(); ++i) {
    const RunSettings settings = run_settings_from_json(models[i].run, models[i].path);
    progress.update(static_cast<int64_t>(i) + 1, steps, static_cast<int64_t>(i), models[i].name);
    table.push_back(ranked(models[i].name, rank_users(*models[i].model, data, settings, {})));
    SeminarModel* seminar = dynamic_cast<SeminarModel*>(models[i].model.get());
    if (!seminar || table.back().metrics.ndcg10 <= best_ndcg10) continue;
    best = seminar;
    best_ndcg10 = table.back().metrics.ndcg10;
    best_run = settings;
  }
  std::stable_sort(table.begin(), table.end(),
                   [](const Ranked& a, const Ranked& b) { return a.metrics.ndcg10 > b.metrics.ndcg10; });
  ReportPage page(fmt::format("seminar: report on {}", fs::path(folder).lexically_normal().string()));
  page.paragraph(fmt::format("{} users, {} items, {} behaviours, {:.1f} % of them with a query.", data.users(),
                             data.items(), data.interactions(), 100 * data.query_share()));
  add_models(page, table);
  add_training(page, models);
  if (best) {
    progress.update(steps - 2, steps, steps - 2, "attention");
    add_attention(page, *best, attention_profile(*best, data, best_run));
    progress.update(steps - 1, steps, steps - 1, "codebooks");
    const int64_t user = example_user(data);
    const RetrievalExample exact = retrieval_example(*best, data, best_run, user, shown_behaviours);
    const auto codes = std::make_shared<QuantizedChannels>(quantize_model(*best, data, {}));
    best->set_retriever(pq_batch_retriever(codes));
    add_example(page, exact, retrieval_example(*best, data, best_run, user, shown_behaviours));
    add_codebooks(page, *best, *codes);
  }
  add_settings(page, models);
  progress.update(steps, steps, steps, "");
  write_file(out, page.html());
  print_out("{} models, written to {}\n", models.size(), out);
}

}  // namespace

void add_report_command(CLI::App& app) {
  struct Arguments {
    std::string folder, data, out;
  };
  auto a = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("report", "A page about the models in a folder: metrics, training, attention, codes");
  add_option(*command, "folder", a->folder, "folder of a run: model files and the data set in data/")->required();
  add_input(*command, "--data", a->data, "data set folder (default: FOLDER/data)", "FOLDER");
  add_output(*command, "--out", a->out, "HTML file to write")->required();
  add_threads(*command);
  command->footer("Example:\n  seminar report seminar-demo --out report.html");
  command->callback([a] { run(a->folder, a->data, a->out); });
}

}  // namespace seminar
