// RecBole atomic files: NAME.inter, NAME.item, NAME.user, tab-separated with typed headers (token, token_seq, float,
// float_seq). user_id, item_id and timestamp are behaviours; a column `query` is the query. Of items, a column called
// title, name, or like that is the text; other tokens are attributes `column:value` (those of a
// column `attributes` just `value`); numbers (float) are the item's numeric attributes. And the way back.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "seminar/data/features.h"
#include "seminar/data/import.h"
#include "tensor/io/file.h"

namespace fs = std::filesystem;

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr const char* title_columns[] = {"title", "movie_title", "name", "item_name", "product_title"};

std::string base_path(const std::string& source) {
  if (!fs::is_directory(source)) {
    check(source.ends_with(".inter"), "{}: must be a NAME.inter file or the folder of one", source);
    return source.substr(0, source.size() - 6);
  }
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(source))
    for (const char* ending : {".inter", ".inter.gz"})
      if (const std::string path = entry.path().string(); path.ends_with(ending))
        found.push_back(path.substr(0, path.size() - std::char_traits<char>::length(ending)));
  std::sort(found.begin(), found.end());
  check(found.size() == 1, "{}: {} NAME.inter files: name one of them: {}", source, found.size(),
        fmt::join(found, ", "));
  return found[0];
}

std::string existing(Import& in, const std::string& path) {
  for (const char* ending : {"", ".gz"})
    if (fs::is_regular_file(path + ending)) return in.note(path + ending);
  return "";
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

// Numbers of the items, collected row by row; what a row leaves out becomes the column's mean.
class NumericAttributes {
 public:
  explicit NumericAttributes(const CsvReader& csv) {
    for (std::size_t i = 0; i < csv.names().size(); ++i)
      if (csv.type(i) == "float") columns_.push_back(i);
    total_.resize(columns_.size());
    count_.resize(columns_.size());
  }
  void add(const CsvReader& csv, int32_t item) {
    std::vector<float> values;
    for (const std::size_t column : columns_)
      values.push_back(csv.field(column).empty() ? NAN : static_cast<float>(csv.number(column)));
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!std::isnan(values[i])) {
        total_[i] += values[i];
        ++count_[i];
      }
    if (!values.empty()) rows_.emplace_back(item, std::move(values));
  }
  void give_to(DatasetBuilder& builder) {
    for (auto& [item, values] : rows_) {
      for (std::size_t i = 0; i < values.size(); ++i)
        if (std::isnan(values[i]))
          values[i] = count_[i] > 0 ? static_cast<float>(total_[i] / static_cast<double>(count_[i])) : 0;
      builder.add_features(numeric_channel, item, values);
    }
  }

 private:
  std::vector<std::size_t> columns_;
  std::vector<double> total_;
  std::vector<int64_t> count_;
  std::vector<std::pair<int32_t, std::vector<float>>> rows_;
};

std::size_t column(const CsvReader& csv, const std::string& path, const std::string& name) {
  const auto it = std::find(csv.names().begin(), csv.names().end(), name);
  check(it != csv.names().end(), "{}:1: column missing: '{}'", path, name);
  return static_cast<std::size_t>(it - csv.names().begin());
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
  const std::string base = base_path(in.source);
  const std::string inter = existing(in, base + ".inter");
  check(!inter.empty(), "{}.inter: cannot be opened: No such file or directory", base);
  {
    CsvReader csv(inter, {"user_id", "item_id", "timestamp?", "query?"}, in.policy, '\t');
    while (csv.next())
      in.policy.accept([&] {
        if (csv.field(0).empty() || csv.field(1).empty()) csv.reject("user_id or item_id is empty", csv.field(0));
        // Without times the order of the file is the order of behaviours.
        const int64_t time = csv.has(2) ? checked_time(csv.number(2), csv, 2) : csv.line();
        b.add_event(b.user(csv.field(0)), b.item(csv.field(1)), b.queries.id(csv.field(3)), time, csv.line());
      });
  }
  b.filter(in.options.filter);
  if (const std::string path = existing(in, base + ".item"); !path.empty()) {
    CsvReader csv(path, {}, in.policy, '\t');
    const std::size_t id = column(csv, path, "item_id");
    const auto named =
        std::find_first_of(csv.names().begin(), csv.names().end(), std::begin(title_columns), std::end(title_columns));
    const std::size_t title = static_cast<std::size_t>(named - csv.names().begin());
    NumericAttributes numbers(csv);
    while (csv.next())
      in.policy.accept([&] {
        const int32_t item = b.find_item(csv.field(id));
        if (item < 0) return in.count("rows_of_items_never_used");
        const std::string_view text = title < csv.names().size() ? csv.field(title) : "";
        if (!b.describe_item(item, text, text, row_attributes(csv, {id, title})))
          csv.reject("second row for an item_id", csv.field(id));
        numbers.add(csv, item);
      });
    numbers.give_to(b);
  }
  if (const std::string path = existing(in, base + ".user"); !path.empty()) {
    CsvReader csv(path, {}, in.policy, '\t');
    const std::size_t id = column(csv, path, "user_id");
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
  write("inter", "user_id:token\titem_id:token\ttimestamp:float\tquery:token_seq\n", data.users(),
        [&](int64_t user, std::string& out) {
          const auto items = data.user_items(user), queries = data.user_queries(user);
          const auto times = data.user_times(user);
          for (std::size_t i = 0; i < items.size(); ++i)
            fmt::format_to(std::back_inserter(out), "{}\t{}\t{}\t{}\n", cell(data.original_user(user)),
                           cell(data.original_item(items[i])), times[i], cell(data.query_text(queries[i])));
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
