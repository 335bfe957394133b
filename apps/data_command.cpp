// Options and printed reports of the command `data`.
#include "apps/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "seminar/data/csv.h"
#include "seminar/data/dataset.h"
#include "seminar/data/movielens.h"

namespace seminar {
namespace {

struct ImportOptions {
  std::string kind, source, out;
  MovielensOptions movielens;
};

struct InfoOptions {
  std::string dir;
  bool json = false;
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
    fmt::print("{:<15} {}\n", name, fmt::join(parts, ", "));
  }
}

void run_import(const ImportOptions& options) {
  check_new_folder(options.out);
  write_dataset(import_movielens(options.source, options.movielens), options.out);
  print_summary(summary(Dataset::open(options.out)));
}

void run_info(const InfoOptions& options) {
  const nlohmann::ordered_json members = summary(Dataset::open(options.dir));
  options.json ? fmt::print("{}\n", members.dump(2)) : print_summary(members);
}

}  // namespace

void add_data_command(CLI::App& app) {
  CLI::App* data = app.add_subcommand("data", "Import data sets and look at them");
  data->require_subcommand(1);

  const auto to_import = std::make_shared<ImportOptions>();
  CLI::App* import = data->add_subcommand("import", "Turn downloaded files into a data folder");
  import->add_option("KIND", to_import->kind, "Layout of the files")->required()->check(CLI::IsMember({"movielens"}));
  import->add_option("SRC", to_import->source, "Folder of the files")->required();
  import->add_option("--out", to_import->out, "Data folder to create")->required();
  import->add_option("--seed", to_import->movielens.seed, "Seed of the made queries")->capture_default_str();
  import->add_option("--query-share", to_import->movielens.query_share, "Share of behaviours with a query, 0 to 1")
      ->capture_default_str();
  import->callback([to_import] { run_import(*to_import);
});

const auto to_show = std::make_shared<InfoOptions>();
CLI::App* info = data->add_subcommand("info", "Show what a data folder holds");
info->add_option("DIR", to_show->dir, "Data folder")->required();
info->add_flag("--json", to_show->json, "As JSON");
info->callback([to_show] { run_info(*to_show); });
}  // namespace seminar

}  // namespace seminar
