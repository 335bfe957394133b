// Amazon reviews 2018: one JSON object a line, reviews (reviewerID, asin, unixReviewTime) and metadata (asin, title,
// description, brand, category). A review is a behaviour. Queries are made: by default from categories and brand, with
// no word of the title, for a share of the behaviours; with ImportOptions::paper_queries every behaviour gets the first
// five words of its own item's description, as the authors' code does, which tells the item.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "seminar/data/import.h"
#include "seminar/data/table.h"

namespace fs = std::filesystem;

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr std::size_t max_json_line = std::size_t{16} << 20;
constexpr int description_words = 5;

// The review or the metadata file of the folder.
std::string only_file(Import& in, bool metadata) {
  return in.note(in.only_file(
      metadata ? "metadata" : "review", metadata ? "meta_NAME.json" : "NAME.json", "leave",
      [&](std::string_view name) { return name.ends_with(".json") && name.starts_with("meta_") == metadata; }));
}

// Calls row(json, lines) for every line that is a JSON object; others go to the policy.
template <class Row>
void each_object(Import& in, const std::string& path, const Row& row) {
  each_line(in, path, {.max_line = max_json_line}, [&](const LineReader& lines) { row(object_of(lines), lines); });
}

const std::string& text_member(const nlohmann::json& object, const char* name, const LineReader& lines) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_string() || it->template get_ref<const std::string&>().empty())
    lines.reject(lines.number(), fmt::format("member missing or not a text: {}", name), lines.line());
  return it->template get_ref<const std::string&>();
}

// A text or a list of texts as a list.
std::vector<std::string> texts(const nlohmann::json& object, const char* name) {
  std::vector<std::string> all;
  const auto it = object.find(name);
  if (it == object.end()) return all;
  const auto add = [&](const nlohmann::json& value) {
    if (!value.is_string()) return;
    std::string text = plain_text(value.template get_ref<const std::string&>());
    if (!text.empty()) all.push_back(std::move(text));
  };
  if (it->is_array())
    for (const nlohmann::json& value : *it) add(value);
  else
    add(*it);
  return all;
}

std::string first_words(const std::string& text, int count) {
  std::string out;
  for (const std::string_view word : split(text, " ")) {
    if (word.empty() || count-- == 0) continue;
    if (count < 0) break;
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

}  // namespace

void import_amazon(Import& in) {
  check(fs::is_directory(in.source), "{}: must be a folder with a review and a metadata file", in.source);
  DatasetBuilder& b = in.builder;
  each_object(in, only_file(in, false), [&](const nlohmann::json& review, const LineReader& lines) {
    const std::string &user = text_member(review, "reviewerID", lines), &item = text_member(review, "asin", lines);
    const auto time = review.find("unixReviewTime");
    if (time == review.end() || !time->is_number_integer() || *time < 0)
      lines.reject(lines.number(), "unixReviewTime is missing or not a time in s", lines.line());
    const int64_t us = checked_time(time->dump(), TimeUnit::seconds, "unixReviewTime", lines, lines.number());
    b.add_event(b.user(user), b.item(item), 0, us, lines.number());
  });
  b.filter(in.options.filter);
  std::vector<QueryPhrases> phrases(static_cast<std::size_t>(b.items()));
  std::vector<std::string> descriptions(static_cast<std::size_t>(b.items()));
  each_object(in, only_file(in, true), [&](const nlohmann::json& meta, const LineReader& lines) {
    const int32_t item = b.find_item(text_member(meta, "asin", lines));
    if (item < 0) return in.count("metadata_without_review");
    if (b.described(item)) return in.count("repeated_metadata");
    std::string title;
    if (const auto all = texts(meta, "title"); !all.empty()) title = all[0];
    if (title.find("getTime()") != std::string::npos) title.clear();  // page source by mistake
    std::vector<std::string> attributes;
    QueryPhrases& p = phrases[item];
    for (const std::string& brand : texts(meta, "brand")) {
      attributes.push_back("brand:" + brand);
      p.fixed = query_phrase(brand, title);
    }
    for (const std::string& category : texts(meta, "category")) {
      attributes.push_back("category:" + category);
      if (const std::string phrase = query_phrase(category, title); !phrase.empty()) p.choice.push_back(phrase);
    }
    if (const auto all = texts(meta, "description"); !all.empty())
      descriptions[item] = first_words(all[0], description_words);
    b.describe_item(item, title, title, attributes);
  });
  if (in.options.paper_queries) {
    b.info.options["paper_queries"] = 1;
    b.each_user([&](int32_t, std::span<DatasetBuilder::Event> events) {
      for (auto& e : events) e.query = b.queries.id(descriptions[e.item]);
    });
  } else {
    make_queries(in, in.options.query_share < 0 ? default_query_share : in.options.query_share,
                 [&](int32_t item) -> const QueryPhrases& { return phrases[item]; });
  }
}

}  // namespace seminar::inline SEMINAR_PRECISION
