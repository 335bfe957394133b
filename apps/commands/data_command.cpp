// Options and printed reports of the command `data`.
#include "apps/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "seminar/data/features.h"
#include "seminar/data/import.h"
#include "seminar/data/synthetic.h"
#include "tensor/io/print.h"

namespace seminar {
namespace {

struct ImportArguments {
  std::string kind, out, queries = "leak-free";
  std::vector<std::string> sources;
  ImportOptions options;
};

struct SynthArguments {
  std::string out;
  SyntheticSettings settings;
};

struct DataExportArguments {
  std::string dir, out, name = "data";
};

struct FeaturesArguments {
  std::string dir, channel, vectors, ids, out;
};

struct InfoArguments {
  std::string dir;
  bool json = false, verify = false;
};

nlohmann::ordered_json history_lengths(const Dataset& data) {
  std::vector<std::size_t> lengths;
  for (int64_t user = 0; user < data.users(); ++user) lengths.push_back(data.user_items(user).size());
  std::sort(lengths.begin(), lengths.end());
  const auto percentile = [&](std::size_t p) { return lengths[(lengths.size() - 1) * p / 100]; };
  return {{"min", percentile(0)},
          {"10 %", percentile(10)},
          {"median", percentile(50)},
          {"90 %", percentile(90)},
          {"max", percentile(100)}};
}

nlohmann::ordered_json summary(const Dataset& data) {
  std::size_t exposures = 0;
  for (int64_t user = 0; data.has_exposures() && user < data.users(); ++user)
    exposures += data.exposures(user).items.size();
  return {{"kind", data.info().kind},
          {"sources", data.info().sources},
          {"seed", data.info().seed},
          {"options", data.info().options},
          {"users", data.users()},
          {"items", data.items()},
          {"queries", data.queries() - 1},
          {"words", data.words() - 1},
          {"attributes", data.attributes() - 1},
          {"interactions", data.interactions()},
          {"times", data.info().has_times ? "microseconds" : "none: only the order of actions"},
          {"exposures", exposures},
          {"pictures", fmt::format("{} x {}", data.picture_size().first, data.picture_size().second)},
          {"features", data.feature_channels()},
          {"history_length", history_lengths(data)},
          {"query_share", data.query_share()},
          {"import_counts", data.info().import_counts},
          {"checksum", data.fingerprint()}};
}

// One line a member, nested members in a row; numbers as JSON writes them.
void print_summary(const nlohmann::ordered_json& members) {
  const auto plain = [](const nlohmann::ordered_json& value) {
    return value.is_string() ? shown(value.get<std::string>()) : value.dump();
  };
  for (const auto& [name, value] : members.items()) {
    std::vector<std::string> parts;
    if (value.is_object())
      for (const auto& [key, part] : value.items()) parts.push_back(fmt::format("{} {}", key, plain(part)));
    else
      parts.push_back(plain(value));
    print_out("{:<15} {}\n", name, fmt::join(parts, ", "));
  }
}

void print_rate(const Dataset& data, double seconds) {
  print_out("{} behaviours in {}: {:.0f} a second\n", data.interactions(), duration(seconds),
            static_cast<double>(data.interactions()) / std::max(seconds, 1e-9));
}

void run_import(ImportArguments& a) {
  const bool dry_run = a.options.table.dry_run;
  check(!dry_run || a.kind == "csv", "--dry-run: only csv can be tried without writing");
  check(dry_run || !a.out.empty(), "--out: needed, unless --dry-run only tries");
  Progress progress("import", "rows");
  a.options.paper_queries = a.queries == "paper";
  a.options.progress = [&](const std::string& path, int64_t rows, double share) {
    if (interrupted()) throw Interrupted{};
    constexpr int64_t whole = 1000;
    progress.update(std::llround(share * static_cast<double>(whole - 1)), whole, rows,
                    std::filesystem::path(path).filename().string());
  };
  std::vector<std::string> told;
  a.options.tell = [&](const std::string& sentence) { told.push_back(sentence); };
  a.options.table.more_files.assign(a.sources.begin() + 1, a.sources.end());
  import_dataset(a.kind, a.sources[0], a.out, a.options);
  for (const std::string& sentence : told) print_out("{}\n", sentence);
  if (dry_run) return;
  const Dataset data = Dataset::open(a.out);
  print_summary(summary(data));
  if (const int64_t tied = data.info().import_counts.at("actions_at_one_time"); tied > 0)
    print_out(
        "{:<15} {} of {} behaviours ({:.1f} %) are at the same time as another of their user: their order is "
        "random, drawn by --seed\n",
        "note", tied, data.interactions(), 100 * static_cast<double>(tied) / static_cast<double>(data.interactions()));
  print_rate(data, progress.seconds());
}

void run_synth(const SynthArguments& a) {
  Progress progress("synth", "users");
  generate_dataset(a.settings, a.out, [&](int64_t done, int64_t total) {
    if (interrupted()) throw Interrupted{};
    progress.update(done, total, done, "");
  });
  const Dataset data = Dataset::open(a.out);
  print_summary(summary(data));
  print_rate(data, progress.seconds());
}

void run_export(const DataExportArguments& a) {
  const Dataset data = Dataset::open(a.dir);
  export_recbole(data, a.out, a.name);
  print_out("{} users, {} items, {} behaviours written to {}/{}.*\n", data.users(), data.items(), data.interactions(),
            a.out, a.name);
}

void run_features(const FeaturesArguments& a) {
  const FeatureCounts counts = add_feature_channel(a.dir, a.channel, read_vectors(a.vectors, a.ids), a.out);
  print_out("{} of {} items have a vector in channel '{}'; {} vectors belong to no item; written to {}\n", counts.items,
            Dataset::open(a.out).items(), a.channel, counts.unknown, a.out);
}

void run_info(const InfoArguments& a) {
  const auto begin = std::chrono::steady_clock::now();
  const Dataset data = Dataset::open(a.dir);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (a.verify) data.verify();
  const nlohmann::ordered_json members = summary(data);
  if (a.json) {
    print_out("{}\n", members.dump(2));
    return;
  }
  print_summary(members);
  print_out("opened in {:.2f} ms{}\n", seconds * 1e3, a.verify ? ", verified: every file is as it was written" : "");
}

// Options of the layout csv.
void add_table_options(CLI::App& importer, TableOptions& table) {
  const auto several = [&](const char* name, std::vector<std::string>& values, const char* text) {
    importer.add_option(name, values, std::string("csv: ") + text)->allow_extra_args(false);
  };
  several("--columns", table.columns,
          "what columns are, like user=uid,item=sku,time=ts,query=search,label=clicked,"
          "impressions=shown; nested JSON by dots");
  several("--where", table.where, "rows that count, like 'event=view|buy' or 'event!=test'");
  add_input(importer, "--items", table.items, "csv: table of the items");
  several("--item-columns", table.item_columns,
          "like item=sku,title=name,text=about,categories=cat,numbers=price,picture=file");
  add_input(importer, "--users", table.users, "csv: table of the users");
  several("--user-columns", table.user_columns, "like user=uid,categories=country");
  importer.add_option("--separator", table.separator,
                      "csv: comma, semicolon, tab or bar (default: as the header says)");
  importer.add_option(
      "--time-form", table.time_form,
      "csv: seconds, milliseconds, microseconds, nanoseconds, iso, day-first or month-first (default: as "
      "the first times say)");
  importer.add_option("--decimal", table.decimal, "csv: point or comma (default: as the first numbers say)");
  importer.add_flag("--dry-run", table.dry_run, "csv: read everything, tell how it is understood, write nothing");
}

}  // namespace

void add_data_command(CLI::App& app) {
  CLI::App* data = app.add_subcommand("data", "Import and generate data sets, write them out, look at them");
  data->require_subcommand(1);

  const auto in = std::make_shared<ImportArguments>();
  CLI::App* importer = data->add_subcommand("import", "Turn published files into a data folder");
  add_option(*importer, "KIND", in->kind, fmt::format("layout of the files: {}", fmt::join(import_kinds(), ", ")))
      ->required()
      ->check(CLI::IsMember(import_kinds()));
  add_input(*importer, "SRC", in->sources,
            "folder of the files (s3rec, recbole: or the main file); csv: files of behaviours, - for standard input",
            "PATH")
      ->required();
  add_option(*importer, "--out", in->out, "data folder to create");
  add_option(*importer, "--min-length", in->options.filter.min_length, "users with fewer behaviours are left out",
             from_0);
  add_option(*importer, "--k-core", in->options.filter.k_core,
             "users and items with fewer behaviours are left out, until nothing changes", from_0);
  add_option(*importer, "--skip-bad", in->options.skip_bad, "rows that may be unusable; they are counted", from_0);
  add_option(*importer, "--seed", in->options.seed,
             "seed of the made queries and of the order of behaviours at one time", from_0);
  add_option(*importer, "--query-share", in->options.query_share,
             "share of behaviours with a query, typed or made, 0 to 1 (default: 0.26 for movielens and amazon, "
             "none made for the others)",
             {0, 1})
      ->default_str("");
  add_choice(*importer, "--queries", in->queries,
             "amazon: from brand and categories, or as in the paper from the item's own description",
             {"leak-free", "paper"});
  importer->add_flag("--exposures", in->options.exposures, "kuaisar: keep what was shown but not clicked as well");
  add_table_options(*importer, in->options.table);
  importer->footer(
      "Examples:\n  seminar data import movielens ml-latest-small --out data\n"
      "  seminar data import csv events.csv --columns user=uid,item=sku,time=ts --out data");
  importer->callback([in] { run_import(*in); });

  const auto made = std::make_shared<SynthArguments>();
  CLI::App* synth = data->add_subcommand("synth", "Generate a data set whose truth is known");
  add_option(*synth, "--out", made->out, "data folder to create")->required();
  add_flags(*synth, made->settings);
  synth->footer("Example:\n  seminar data synth --out data --users 1000");
  synth->callback([made] { run_synth(*made); });

  const auto to = std::make_shared<DataExportArguments>();
  CLI::App* exporter = data->add_subcommand("export", "Write a data folder as RecBole atomic files");
  add_input(*exporter, "DIR", to->dir, "data folder", "FOLDER")->required();
  add_option(*exporter, "--out", to->out, "existing folder for NAME.inter, .item, .user")->required();
  add_option(*exporter, "--name", to->name, "NAME of the files");
  exporter->footer("Example:\n  seminar data export data --out folder");
  exporter->callback([to] { run_export(*to); });

  const auto made_vectors = std::make_shared<FeaturesArguments>();
  CLI::App* features = data->add_subcommand("features", "Write a data folder anew with item vectors as a channel");
  add_input(*features, "DIR", made_vectors->dir, "data folder", "FOLDER")->required();
  add_option(*features, "--channel", made_vectors->channel, "name of the channel; 'numeric' for numeric attributes")
      ->required();
  add_input(*features, "--vectors", made_vectors->vectors,
            ".safetensors from 'encode', .npy [N, width], or .csv with a column item")
      ->required();
  add_input(*features, "--ids", made_vectors->ids, "item ids, one a line, for a file without names");
  add_option(*features, "--out", made_vectors->out, "data folder to create")->required();
  features->footer(
      "Example:\n  seminar data features data --channel image --vectors vectors.safetensors --out with-images");
  features->callback([made_vectors] { run_features(*made_vectors); });

  const auto show = std::make_shared<InfoArguments>();
  CLI::App* info = data->add_subcommand("info", "Show what a data folder holds");
  add_input(*info, "DIR", show->dir, "data folder", "FOLDER")->required();
  info->add_flag("--verify", show->verify, "read everything and compare with the checksums");
  info->add_flag("--json", show->json, "as JSON");
  info->footer("Example:\n  seminar data info data --verify");
  info->callback([show] { run_info(*show); });

  add_leakage_command(*data);
}

}  // namespace seminar
