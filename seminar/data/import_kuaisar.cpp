// KuaiSAR: rec_inter.csv and src_inter.csv merged in time order (paper §3.1), clicks only; item_features.csv,
// user_features.csv, social_network.csv. Words are the numbers of the source (captions and keywords share one hash).
#include <algorithm>

#include "seminar/data/import.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// "[20, 34, 3]" as "20 34 3"; throws BadRow for anything else.
std::string number_list(const CsvReader& csv, std::size_t column) {
  const std::string_view text = csv.field(column);
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') csv.reject("not a list in brackets", text);
  std::string words;
  bool inside = false;
  for (const char c : text.substr(1, text.size() - 2)) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && c != ',' && c != ' ') csv.reject("not a list of whole numbers", text);
    if (digit && !inside && !words.empty()) words += ' ';
    if (digit) words += c;
    inside = digit;
  }
  return words;
}

std::string id(const CsvReader& csv, std::size_t column) { return fmt::format("{}", csv.integer(column)); }

// The number of milliseconds, unless its digits tell less than the text beside it (1.684742e+12 stands for 1,000 s);
// the text is a Beijing time.
int64_t finer_time(const CsvReader& csv, std::size_t number, std::size_t text) {
  constexpr int64_t beijing_us = 8 * 3600 * us_per_second;
  constexpr int exponent_of_second = 3;
  const int64_t time = checked_time(csv, number, TimeUnit::milliseconds);
  if (csv.field(text).empty() || parse_decimal(csv.field(number))->exponent <= exponent_of_second) return time;
  return checked_time(csv, text, TimeUnit::date) - beijing_us;
}

bool flag(const CsvReader& csv, std::size_t column) {
  const double value = csv.number(column);
  if (value != 0 && value != 1) csv.reject(csv.names()[column] + " is not 0 or 1", csv.field(column));
  return value == 1;
}

// Searches first: on ties they precede what was browsed. Items that are not videos have ids of their own kind.
int64_t read_searches(Import& in) {
  DatasetBuilder& b = in.builder;
  CsvReader csv(
      in.file("src_inter.csv"),
      {"user_id", "search_session_timestamp", "keyword", "item_id", "click_cnt", "item_type?", "search_session_time?"},
      in.policy);
  while (csv.next())
    in.policy.accept([&] {
      const std::string user = id(csv, 0), number = id(csv, 3);
      const int64_t time = finer_time(csv, 1, 6), clicks = csv.integer(4);
      const std::string words = number_list(csv, 2);
      if (clicks < 0) csv.reject("click_cnt is negative", csv.field(4));
      if (clicks == 0 && !in.options.exposures) return;
      const std::string_view type = csv.field(5);
      const int32_t u = b.user(user),
                    item = b.item(type.empty() || type == "VIDEO" ? number : fmt::format("{}:{}", type, number)),
                    query = b.queries.id(words);
      if (clicks > 0) b.add_event(u, item, query, time, csv.line());
      if (in.options.exposures) b.add_exposure(u, item, query, time, clicks > 0);
    });
  return csv.line();
}

void read_browsing(Import& in, int64_t order) {
  DatasetBuilder& b = in.builder;
  CsvReader csv(in.file("rec_inter.csv"), {"user_id", "item_id", "timestamp", "click", "time?"}, in.policy);
  b.next_source(order);
  while (csv.next())
    in.policy.accept([&] {
      const std::string user = id(csv, 0), number = id(csv, 1);
      const int64_t time = finer_time(csv, 2, 4);
      const bool clicked = flag(csv, 3);
      if (!clicked && !in.options.exposures) return;
      const int32_t u = b.user(user), item = b.item(number);
      if (clicked) b.add_event(u, item, 0, time, order + csv.line());
      if (in.options.exposures) b.add_exposure(u, item, 0, time, clicked);
    });
}

void read_items(Import& in, const std::string& path) {
  const char* const levels[] = {"first", "second", "third", "fourth"};
  std::vector<std::string> columns{"item_id", "caption", "author_id?"};
  for (const char* level : levels)
    for (const char* part : {"id", "name_en"}) columns.push_back(fmt::format("{}_level_category_{}?", level, part));
  CsvReader csv(path, columns, in.policy);
  while (csv.next())
    in.policy.accept([&] {
      const int32_t item = in.builder.find_item(id(csv, 0));
      const std::string caption = number_list(csv, 1);
      if (item < 0) return in.count("features_of_items_never_clicked");
      std::vector<std::string> attributes;
      if (!csv.field(2).empty() && csv.integer(2) != 0) attributes.push_back(fmt::format("author:{}", csv.integer(2)));
      for (std::size_t level = 0; level < std::size(levels); ++level) {
        const std::size_t column = 3 + 2 * level;
        if (csv.field(column).empty() || csv.integer(column) == 0) continue;
        const std::string_view name = csv.field(column + 1);
        attributes.push_back(fmt::format("{}:{}", levels[level], name.empty() ? csv.field(column) : name));
      }
      const std::string title = fmt::format("item {}{}{}", csv.field(0), attributes.empty() ? "" : ", ",
                                            attributes.empty() ? "" : attributes.back());
      if (!in.builder.describe_item(item, title, caption, attributes))
        csv.reject("second row for an item_id", csv.field(0));
    });
}

void read_users(Import& in) {
  std::map<int32_t, std::vector<std::string>> attributes;
  if (const std::string path = in.optional_file("user_features.csv"); !path.empty()) {
    CsvReader csv(path, {"user_id", "search_active_level?", "rec_active_level?", "onehot_feat1?", "onehot_feat2?"},
                  in.policy);
    while (csv.next())
      in.policy.accept([&] {
        const int32_t user = in.builder.find_user(id(csv, 0));
        if (user < 0) return in.count("features_of_users_who_never_clicked");
        if (!attributes[user].empty()) csv.reject("second row for a user_id", csv.field(0));
        for (std::size_t i = 1; i < csv.names().size(); ++i)
          if (!csv.field(i).empty()) attributes[user].push_back(fmt::format("{}:{}", csv.names()[i], csv.integer(i)));
      });
  }
  if (const std::string path = in.optional_file("social_network.csv"); !path.empty()) {
    std::map<int32_t, int64_t> follows;
    CsvReader csv(path, {"user_id", "user_follow_id"}, in.policy);
    while (csv.next())
      in.policy.accept([&] {
        const int32_t user = in.builder.find_user(id(csv, 0));
        csv.integer(1);
        if (user >= 0) ++follows[user];
      });
    for (const auto& [user, count] : follows)
      attributes[user].push_back(count < 10 ? "follows:1-9" : count < 100 ? "follows:10-99" : "follows:100+");
  }
  for (const auto& [user, list] : attributes) in.builder.describe_user(user, list);
}

}  // namespace

void import_kuaisar(Import& in) {
  read_browsing(in, read_searches(in));
  if (const std::string path = in.optional_file("item_features.csv"); !path.empty()) read_items(in, path);
  read_users(in);
  in.builder.filter(in.options.filter);
}

}  // namespace seminar::inline SEMINAR_PRECISION
