// S3-Rec: NAME.txt (one user a line: user item item ... in time order), NAME_item2attributes.json and, if there,
// NAME_sample.txt (user and 99 negatives of the test target). No times: the place in the line stands for them. No
// texts; with --query-share, queries are made of attributes.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "seminar/data/import.h"
#include "tensor/io/json.h"

namespace fs = std::filesystem;

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr std::size_t max_user_line = std::size_t{16} << 20;

// The given NAME.txt, or the only one in the given folder.
std::string sequences_path(const Import& in) {
  const auto wanted = [](std::string_view name) { return name.ends_with(".txt") && !name.ends_with("_sample.txt"); };
  if (fs::is_directory(in.source)) return in.only_file("NAME.txt", "NAME.txt", "name", wanted);
  check(wanted(without_packed_ending(in.source)), "{}: must be a NAME.txt file, plain or packed, or the folder of one",
        in.source);
  return in.source;
}

// Calls row(user, items, lines) for "user item item ...".
template <class Row>
void each_user_line(Import& in, const std::string& path, const Row& row) {
  each_line(in, path, {.max_line = max_user_line}, [&](const LineReader& lines) {
    std::vector<std::string> ids;
    for (const std::string_view part : split(lines.line(), " "))
      if (!part.empty()) ids.push_back(fmt::format("{}", parse_integer(part, "id", lines, lines.number())));
    if (ids.size() < 2) lines.reject(lines.number(), "a user without items", lines.line());
    row(ids[0], std::span(ids).subspan(1), lines);
  });
}

}  // namespace

void import_s3rec(Import& in) {
  DatasetBuilder& b = in.builder;
  const std::string path = sequences_path(in), plain(without_packed_ending(path)),
                    base = plain.substr(0, plain.size() - std::string_view(".txt").size());
  b.info.has_times = false;
  each_user_line(in, in.note(path),
                 [&](const std::string& user, std::span<const std::string> items, const LineReader& lines) {
                   if (b.find_user(user) >= 0) lines.reject(lines.number(), "second line of a user", user);
                   const int32_t u = b.user(user);
                   for (std::size_t i = 0; i < items.size(); ++i)
                     b.add_event(u, b.item(items[i]), 0, static_cast<int64_t>(i), lines.number());
                 });
  b.filter(in.options.filter);

  const std::string attribute_path = in.optional_path(base + "_item2attributes.json");
  std::vector<QueryPhrases> phrases(static_cast<std::size_t>(b.items()));
  if (!attribute_path.empty()) {
    const nlohmann::json all = parse_json(read_unpacked(attribute_path), attribute_path);
    check(all.is_object(), "{}: not a JSON object", attribute_path);
    for (const auto& [id, list] : all.items()) {
      check(list.is_array(), "{}: '{}': not a list", attribute_path, id);
      const int32_t item = b.find_item(id);
      if (item < 0) {
        in.count("attributes_without_item");
        continue;
      }
      std::vector<std::string> attributes;  // LastFM's lists repeat themselves
      for (const nlohmann::json& value : list) {
        check(value.is_number_integer(), "{}: '{}': not whole numbers", attribute_path, id);
        std::string attribute = fmt::format("a{}", value.template get<int64_t>());
        if (std::find(attributes.begin(), attributes.end(), attribute) == attributes.end())
          attributes.push_back(std::move(attribute));
      }
      phrases[item].choice = attributes;
      b.describe_item(item, "item " + id, "", attributes);
    }
  }
  if (const std::string negatives = in.optional_path(base + "_sample.txt"); !negatives.empty())
    each_user_line(in, negatives,
                   [&](const std::string& user, std::span<const std::string> items, const LineReader& lines) {
                     std::vector<int32_t> ids;
                     for (const std::string& item : items) {
                       ids.push_back(b.find_item(item));
                       if (ids.back() < 0) lines.reject(lines.number(), "a negative that nobody has", item);
                     }
                     const int32_t u = b.find_user(user);
                     if (u < 0) lines.reject(lines.number(), "negatives of an unknown user", user);
                     b.set_negatives(u, ids);
                   });
  if (in.options.query_share > 0)
    make_queries(in, in.options.query_share, [&](int32_t item) -> const QueryPhrases& { return phrases[item]; });
}

}  // namespace seminar::inline SEMINAR_PRECISION
