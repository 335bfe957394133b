// RecBole atomic files: NAME.inter, NAME.item, NAME.user, tab-separated with typed headers (token, token_seq, float,
// float_seq). user_id, item_id and timestamp are behaviours; a column `query` is the query. Of items, a column called
// title, name, or like that is the text; other tokens are attributes `column:value` (those of a
// column `attributes` just `value`); numbers (float) are the item's numeric attributes. And the way back.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "seminar/data/import.h"
#include "tensor/io/file.h"

namespace fs = std::filesystem;

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr const char* title_columns[] = {"title", "movie_title", "name", "item_name", "product_title"};

// The NAME.inter file that is given, or the only one of the folder that is given.
std::string inter_file(const Import& in) {
  const auto wanted = [](std::string_view name) { return name.ends_with(".inter"); };
  if (fs::is_directory(in.source)) return in.only_file("NAME.inter", "NAME.inter", "name", wanted);
  check(wanted(without_packed_ending(in.source)),
        "{}: must be a NAME.inter file, plain or packed, or the folder of one", in.source);
  return in.source;
}

// The column of times, called timestamp or as such columns are elsewhere. What stands for it is told.
std::optional<std::size_t> time_column(const Import& in, const CsvReader& csv) {
  if (const auto exact = csv.find("timestamp")) return exact;
  std::vector<std::string> names;
  for (const std::string& name : csv.names())
    if (names_time(name)) names.push_back(name);
  check(names.size() <= 1, "{}:1: column missing: 'timestamp'; several may be meant: {}: rename one", csv.path(),
        fmt::join(names, ", "));
  if (names.empty()) {
    in.tell("no column timestamp: the order of the file is the order of each user's actions");
    return {};
  }
  in.tell("no column timestamp: the column {} is taken for it", names[0]);
  return csv.find(names[0]);
}

// Attributes of the current row: `column:value` of its tokens, without the given columns.
std::vector<std::string> row_attributes(const CsvReader& csv, std::initializer_list<std::size_t> without) {
  std::vector<std::string> attributes;
  for (std::size_t i = 0; i < csv.names().size(); ++i) {
    if (std::find(without.begin(), without.end(), i) != without.end() || csv.field(i).empty()) continue;
    if (csv.type(i) == "token") attributes.push_back(fmt::format("{}:{}", csv.names()[i], csv.field(i)));
    if (csv.type(i) == "token_seq")
      for (const std::string_view part : split(csv.field(i), " "))
        if (!part.empty())
          attributes.push_back(csv.names()[i] == "attributes" ? std::string(part)
                                                              : fmt::format("{}:{}", csv.names()[i], part));
  }
  return attributes;
}

// Numbers of the current row; NaN for an empty field.
std::vector<float> row_numbers(const CsvReader& csv) {
  std::vector<float> values;
  for (std::size_t i = 0; i < csv.names().size(); ++i)
    if (csv.type(i) == "float") values.push_back(csv.field(i).empty() ? NAN : csv.single(i));
  return values;
}

// A time in seconds, with as many digits as it needs.
std::string seconds(int64_t us) {
  std::string text = fmt::format("{}.{:06}", us / us_per_second, us % us_per_second);
  text.resize(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

// On one line and in one column.
std::string cell(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return out;
}

}  // namespace

void import_recbole(Import& in) {
  DatasetBuilder& b = in.builder;
  const std::string inter = in.note(inter_file(in)), plain(without_packed_ending(inter)),
                    base = plain.substr(0, plain.size() - std::string_view(".inter").size());
  {
    CsvReader csv(inter, {}, in.policy, '\t');
    csv.check_named();
    const std::size_t user = csv.column("user_id"), item = csv.column("item_id");
    const auto time = time_column(in, csv), query = csv.find("query");
    std::optional<TimeUnit> unit;  // the first time's
    b.info.has_times = time.has_value();
    while (csv.next())
      in.policy.accept([&] {
        if (csv.field(user).empty() || csv.field(item).empty())
          csv.reject("user_id or item_id is empty", csv.field(user));
        if (time && !unit) unit = time_unit(csv.field(*time));
        if (time && !unit) csv.reject(csv.names()[*time] + " is neither a number nor a date", csv.field(*time));
        const int64_t at = time ? checked_time(csv, *time, *unit) : csv.line();
        b.add_event(b.user(csv.field(user)), b.item(csv.field(item)), query ? b.queries.id(csv.field(*query)) : 0, at,
                    csv.line());
      });
    if (unit && unit != TimeUnit::seconds) in.tell("times are {}", name_of(*unit));
  }
  b.filter(in.options.filter);
  if (const std::string path = in.optional_path(base + ".item"); !path.empty()) {
    CsvReader csv(path, {}, in.policy, '\t');
    csv.check_named();
    const std::size_t id = csv.column("item_id");
    const auto named =
        std::find_first_of(csv.names().begin(), csv.names().end(), std::begin(title_columns), std::end(title_columns));
    const std::size_t title = static_cast<std::size_t>(named - csv.names().begin());
    NumericAttributes numbers;
    while (csv.next())
      in.policy.accept([&] {
        const int32_t item = b.find_item(csv.field(id));
        if (item < 0) return in.count("rows_of_items_never_used");
        const std::string_view text = title < csv.names().size() ? csv.field(title) : "";
        if (!b.describe_item(item, text, text, row_attributes(csv, {id, title})))
          csv.reject("second row for an item_id", csv.field(id));
        numbers.add(item, row_numbers(csv));
      });
    numbers.give_to(b);
  }
  if (const std::string path = in.optional_path(base + ".user"); !path.empty()) {
    CsvReader csv(path, {}, in.policy, '\t');
    csv.check_named();
    const std::size_t id = csv.column("user_id");
    while (csv.next())
      in.policy.accept([&] {
        const int32_t user = b.find_user(csv.field(id));
        if (user < 0) return in.count("rows_of_users_without_behaviour");
        if (!b.describe_user(user, row_attributes(csv, {id}))) csv.reject("second row for a user_id", csv.field(id));
      });
  }
}

void export_recbole(const Dataset& data, const std::string& dir, const std::string& name) {
  check(fs::is_directory(dir), "{}: must be an existing folder", dir);
  const auto write = [&](const std::string& ending, const std::string& header, int64_t rows, const auto& row) {
    AtomicFile file(fmt::format("{}/{}.{}", dir, name, ending));
    std::string buffer = header;
    for (int64_t i = 0; i < rows; ++i) {
      row(i, buffer);
      if (buffer.size() < (std::size_t{1} << 16)) continue;
      file.write(buffer);
      buffer.clear();
    }
    file.write(buffer);
    file.commit();
  };
  const bool times = data.info().has_times;
  write("inter", fmt::format("user_id:token\titem_id:token\t{}query:token_seq\n", times ? "timestamp:float\t" : ""),
        data.users(), [&](int64_t user, std::string& out) {
          const auto items = data.user_items(user), queries = data.user_queries(user);
          const auto at = data.user_times(user);
          for (std::size_t i = 0; i < items.size(); ++i)
            fmt::format_to(std::back_inserter(out), "{}\t{}\t{}{}\n", cell(data.original_user(user)),
                           cell(data.original_item(items[i])), times ? seconds(at[i]) + "\t" : "",
                           cell(data.query_text(queries[i])));
        });
  write("item", "item_id:token\ttitle:token_seq\tattributes:token_seq\n", data.items(),
        [&](int64_t i, std::string& out) {
          const int32_t item = static_cast<int32_t>(i) + 1;
          std::vector<std::string> attributes;
          for (const int32_t a : data.item_attributes(item)) {
            attributes.push_back(cell(data.attribute(a)));
            std::replace(attributes.back().begin(), attributes.back().end(), ' ', '_');
          }
          fmt::format_to(std::back_inserter(out), "{}\t{}\t{}\n", cell(data.original_item(item)),
                         cell(data.title(item)), fmt::join(attributes, " "));
        });
  if (data.user_attribute_count() <= 1) return;
  write("user", "user_id:token\tattributes:token_seq\n", data.users(), [&](int64_t user, std::string& out) {
    std::vector<std::string> attributes;
    for (const int32_t a : data.user_attributes(user)) attributes.push_back(cell(data.user_attribute(a)));
    fmt::format_to(std::back_inserter(out), "{}\t{}\n", cell(data.original_user(user)), fmt::join(attributes, " "));
  });
}

}  // namespace seminar::inline SEMINAR_PRECISION
