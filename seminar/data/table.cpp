#include "seminar/data/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "seminar/data/text.h"
#include "tensor/io/json.h"

using nlohmann::json;

namespace seminar {
namespace {

constexpr std::size_t looked_at = 1000;  // records
constexpr std::size_t max_table_line = std::size_t{16} << 20;
constexpr const char* standard_input = "/dev/stdin";

std::string_view trimmed(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

// The separator that stands most often in a header, outside quotes; a comma if there is none.
char separator_of(std::string_view header) {
  char best = ',';
  std::ptrdiff_t most = 0;
  for (const char candidate : {',', ';', '\t', '|'}) {
    bool quoted = false;
    const auto count = std::count_if(header.begin(), header.end(), [&](char c) {
      quoted ^= c == '"';
      return !quoted && c == candidate;
    });
    if (count > most) best = candidate;
    most = std::max(most, count);
  }
  return best;
}

// Names of an object's members that are no objects, those of nested ones joined by dots.
void add_names(const json& object, const std::string& prefix, std::vector<std::string>& names) {
  for (const auto& [key, value] : object.items()) {
    const std::string name = prefix + key;
    if (value.is_object())
      add_names(value, name + ".", names);
    else if (std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
  }
}

// The member `name` of an object, by its own name or along its dots; null if it is not there.
const json* member(const json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  if (const auto it = object.find(name); it != object.end()) return &*it;
  for (std::size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1))
    if (const auto it = object.find(name.substr(0, dot)); it != object.end())
      if (const json* found = member(*it, name.substr(dot + 1))) return found;
  return nullptr;
}

// True if a number of the value is so large that it was rounded: ids would be mixed up.
bool rounded(const json& value) {
  if (value.is_number_float()) return std::abs(value.get<double>()) >= 0x1p63;
  return value.is_structured() && std::any_of(value.begin(), value.end(), rounded);
}

std::string text_of(const json* value) {
  if (!value || value->is_null()) return "";
  return value->is_string() ? value->get<std::string>() : value->dump();
}

LineReader::Options table_lines() {
  LineReader::Options options;
  options.max_line = max_table_line;
  options.maybe_latin1 = true;
  return options;
}

}  // namespace

Table::Table(const std::string& path, ReadPolicy& policy, char separator)
    : path_(path == "-" ? "standard input" : path),
      policy_(policy),
      separator_(separator),
      lines_(std::make_unique<LineReader>(path == "-" ? standard_input : path, policy, table_lines())) {
  check(lines_->next_filled(), "{}:1: no header", path_);
  const std::string first(lines_->line());
  const std::string_view start = trimmed(first);
  check(!start.starts_with('['), "{}:1: a JSON list: write one object a line, like jq -c '.[]'", path_);
  if (first.size() == 5 && first.starts_with("sep="))  // a spreadsheet's hint
    separator_ = separator_ ? separator_ : first[4];
  else
    lines_->put_back({first});
  if (start.starts_with('{')) {
    separator_ = 0;
    std::vector<std::pair<int64_t, json>> objects;
    for (json object; objects.size() < looked_at;) {
      int64_t line = 0;
      if (!read_object(object, line)) break;
      add_names(object, "", columns_);
      objects.emplace_back(line, std::move(object));
    }
    for (const auto& [line, object] : objects) {
      Record& record = first_.emplace_back();
      record.line = line;
      for (const std::string& name : columns_) record.fields.emplace_back(trimmed(text_of(member(object, name))));
    }
  } else {
    if (!separator_) separator_ = separator_of(first);
    CsvFormat format(separator_, true);
    format.typed = false;
    format.stray_quotes = true;
    csv_ = std::make_unique<CsvReader>(std::move(lines_), std::vector<std::string>(), policy, format);
    columns_ = csv_->names();
    for (Record record; first_.size() < looked_at && read(record);) first_.push_back(record);
  }
  check(!first_.empty(), "{}:1: no records", path_);
}

Table::~Table() = default;

bool Table::read_object(json& object, int64_t& line) {
  for (bool more = true; more;) {
    const bool good = policy_.accept([&] {
      more = lines_->next_filled();
      if (!more) return;
      object = object_of(*lines_);
      if (rounded(object)) lines_->reject(lines_->number(), "a number that 64 bits do not hold", lines_->line());
      line = lines_->number();
    });
    if (good && more) return true;
  }
  return false;
}

bool Table::read(Record& record) {
  record.fields.resize(columns_.size());
  if (csv_) {
    if (!csv_->next()) return false;
    record.line = csv_->line();
    for (std::size_t i = 0; i < columns_.size(); ++i) record.fields[i] = trimmed(csv_->field(i));
    return true;
  }
  json object;
  if (!read_object(object, record.line)) return false;
  for (std::size_t i = 0; i < columns_.size(); ++i) record.fields[i] = trimmed(text_of(member(object, columns_[i])));
  return true;
}

bool Table::next() {
  if (at_ == first_.size()) return read(record_);
  record_ = std::move(first_[at_++]);
  if (at_ == first_.size()) first_.clear(), at_ = 0;
  return true;
}

std::vector<std::string> Table::sample(std::size_t column) const {
  std::vector<std::string> fields;
  for (const Record& record : first_) fields.push_back(record.fields[column]);
  return fields;
}

void Table::reject(std::string_view what, std::string_view value) const {
  throw BadRow(fmt::format("{}:{}: {}: {}", path_, record_.line, what, shown(value)));
}

std::size_t Table::column(const std::string& name) const {
  const auto it = std::find(columns_.begin(), columns_.end(), name);
  if (it != columns_.end()) return static_cast<std::size_t>(it - columns_.begin());
  const std::vector<std::string> near = nearest_names(name, columns_);
  fail("{}:1: column missing: '{}'{}{}; the columns are {}", path_, name, near.empty() ? "" : "; do you mean ",
       fmt::join(near, " or "), fmt::join(columns_, ", "));
}

std::string Table::form() const {
  if (!csv_) return "one JSON object a line";
  const char* between = separator_ == ','    ? "commas"
                        : separator_ == ';'  ? "semicolons"
                        : separator_ == '\t' ? "tabs"
                                             : "bars";
  return fmt::format("fields between {}{}", between, csv_->lines().latin1() ? ", Windows-1252" : "");
}

json object_of(const LineReader& lines) {
  json object;
  std::string why = "JSON of another kind";
  try {
    object = parse_json(lines.line(), "JSON");
  } catch (const Error& e) {
    why = e.what();
  }
  if (!object.is_object())
    throw BadRow(
        fmt::format("{}:{}: not a JSON object: {} ({})", lines.path(), lines.number(), shown(lines.line()), why));
  return object;
}

std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& names) {
  // Levenshtein's distance of the texts without case and signs between words.
  const auto bare = [](std::string_view text) { return fmt::format("{}", fmt::join(split_words(text), "")); };
  const auto distance = [](const std::string& a, const std::string& b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
      std::size_t before = row[0]++;
      for (std::size_t j = 0; j < b.size(); ++j) {
        const std::size_t kept = before + (a[i] != b[j]);
        before = row[j + 1];
        row[j + 1] = std::min({kept, row[j] + 1, row[j + 1] + 1});
      }
    }
    return row.back();
  };
  const auto abbreviates = [](const std::string& part, const std::string& whole) {
    std::size_t at = 0;
    for (const char c : whole) at += at < part.size() && part[at] == c;
    return at == part.size();
  };
  const std::string wanted = bare(name);
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const std::string& other : names) {
    const std::string text = bare(other);
    const bool part = wanted.size() > 2 && text.size() > 2 && (abbreviates(wanted, text) || abbreviates(text, wanted));
    const std::size_t d = part ? 1 : distance(wanted, text);
    if (d <= std::max<std::size_t>(1, wanted.size() / 3)) near.emplace_back(d, other);
  }
  std::sort(near.begin(), near.end());
  if (near.size() > 3) near.resize(3);
  std::vector<std::string> found;
  for (const auto& [d, other] : near) found.push_back(fmt::format("'{}'", other));
  return found;
}

std::vector<std::string> list_parts(std::string_view text, bool spaces) {
  std::vector<std::string> parts;
  text = trimmed(text);
  if (text.starts_with('[') && text.ends_with(']')) {
    if (const json list = json::parse(text, nullptr, false); list.is_array()) {
      for (const json& value : list) parts.push_back(text_of(&value));
      return parts;
    }
    text = text.substr(1, text.size() - 2);
  }
  std::string_view between;
  for (const std::string_view candidate : {"|", ";", ","})
    if (between.empty() && text.find(candidate) != text.npos) between = candidate;
  if (between.empty() && spaces) between = " ";
  for (std::string_view part : between.empty() ? std::vector{text} : split(text, between)) {
    part = trimmed(part);
    if (part.size() >= 2 && (part[0] == '\'' || part[0] == '"') && part.back() == part[0])
      part = part.substr(1, part.size() - 2);
    if (!part.empty()) parts.emplace_back(part);
  }
  return parts;
}

}  // namespace seminar
