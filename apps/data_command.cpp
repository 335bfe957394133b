// seminar data import, seminar data info
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/cli.h"
#include "seminar/data/movielens.h"

namespace seminar {
namespace {

void print_info(const Dataset& data, bool json) {
  std::vector<int64_t> lengths;
  for (int64_t user = 0; user < data.users(); ++user) lengths.push_back(std::ssize(data.user_items(user)));
  std::sort(lengths.begin(), lengths.end());
  const auto quantile = [&](double q) { return lengths[static_cast<std::size_t>(q * static_cast<double>(lengths.size() - 1))]; };
  nlohmann::ordered_json info;
  info["kind"] = data.info().kind;
  info["users"] = data.users();
  info["items"] = data.items();
  info["queries"] = data.queries() - 1;
  info["words"] = data.words() - 1;
  info["attributes"] = data.attributes() - 1;
  info["interactions"] = data.interactions();
  info["query share"] = data.query_share();
  info["history length"] = {{"min", lengths.front()}, {"10 %", quantile(0.1)}, {"median", quantile(0.5)}, {"90 %", quantile(0.9)}, {"max", lengths.back()}};
  info["import"] = data.info().import_counts;
  info["options"] = data.info().options;
  info["seed"] = data.info().seed;
  info["sources"] = data.info().sources;
  info["fingerprint"] = data.fingerprint();
  if (json) {
    fmt::print("{}\n", info.dump(2));
    return;
  }
  for (const auto& [key, value] : info.items()) {
    if (!value.is_object()) {
      fmt::print("{:<18} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
      continue;
    }
    fmt::print("{}\n", key);
    for (const auto& [name, inner] : value.items()) fmt::print("  {:<36} {}\n", name, inner.is_string() ? inner.get<std::string>() : inner.dump());
  }
}

struct ImportArguments {
  std::string kind, source, out;
  MovielensOptions options;
};

void import(const ImportArguments& a) {
  check(a.kind == "movielens", "data import: unknown kind '{}': movielens", a.kind);
  check_new_folder(a.out);
  write_dataset(import_movielens(a.source, a.options), a.out);
  print_info(Dataset::open(a.out), false);
}

}  // namespace

void add_data_command(CLI::App& app) {
  CLI::App* data = app.add_subcommand("data", "Import data sets and look at them");
  data->require_subcommand(1);
  auto a = std::make_shared<ImportArguments>();
  CLI::App* import_command = data->add_subcommand("import", "Read published files into a data set folder");
  import_command->add_option("kind", a->kind, "layout of the files: movielens")->required();
  import_command->add_option("source", a->source, "folder of the files")->required();
  import_command->add_option("--out", a->out, "data set folder to create")->required();
  import_command->add_option("--seed", a->options.seed, "seed of the made queries")->capture_default_str();
  import_command->add_option("--query-share", a->options.query_share, "share of behaviours that get a query")->capture_default_str();
  import_command->callback([a] { import(*a); });
  auto dir = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  CLI::App* info = data->add_subcommand("info", "Print what a data set holds");
  info->add_option("folder", *dir, "data set folder")->required();
  info->add_flag("--json", *json, "as JSON");
  info->callback([dir, json] { print_info(Dataset::open(*dir), *json); });
}

}  // namespace seminar
