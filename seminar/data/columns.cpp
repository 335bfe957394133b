#include "seminar/data/columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "seminar/data/text.h"

namespace seminar {
namespace {

std::string bare(std::string_view name) { return fmt::format("{}", fmt::join(split_words(name), "")); }

const ColumnRole* find_role(std::span<const ColumnRole> roles, std::string_view name) {
  const auto it = std::find_if(roles.begin(), roles.end(), [&](const ColumnRole& r) { return name == r.name; });
  return it == roles.end() ? nullptr : &*it;
}

// "user=uid,item=sku" in its pairs; a comma parts only where a role and '=' follow, for columns may be called anything.
std::vector<std::pair<std::string, std::string>> pairs_in(const std::string& text, std::span<const ColumnRole> roles,
                                                          const std::string& flag) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string_view part : split(text, ",")) {
    const std::size_t equal = part.find('=');
    if (equal != part.npos && (pairs.empty() || find_role(roles, part.substr(0, equal))))
      pairs.emplace_back(part.substr(0, equal), part.substr(equal + 1));
    else if (!pairs.empty())
      pairs.back().second += fmt::format(",{}", part);
    else
      fail("{}: must be like user=uid,item=sku: {}", flag, shown(text));
  }
  return pairs;
}

bool parses(std::span<const std::string> sample, TimeUnit unit) {
  return std::all_of(sample.begin(), sample.end(),
                     [&](const std::string& text) { return text.empty() || parse_time(text, unit).has_value(); });
}

}  // namespace

ColumnMap::ColumnMap(const Table& table, std::span<const ColumnRole> roles, std::span<const std::string> given,
                     const std::string& flag) {
  for (const std::string& text : given)
    for (const auto& [name, column] : pairs_in(text, roles, flag)) {
      const ColumnRole* role = find_role(roles, name);
      std::vector<std::string> names;
      for (const ColumnRole& r : roles) names.emplace_back(r.name);
      check(role, "{}: '{}' is none of {}", flag, name, fmt::join(names, ", "));
      auto& columns = columns_[name];
      check(columns.empty() || role->several, "{}: two columns for '{}'", flag, name);
      columns.push_back(table.column(column));
    }
  for (const ColumnRole& r : roles) {
    if (columns_.count(r.name) != 0) continue;
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < table.columns().size(); ++i)
      if (role(i).empty() && std::find(r.usual.begin(), r.usual.end(), bare(table.columns()[i])) != r.usual.end())
        found.push_back(i);
    std::vector<std::string> names;
    for (const std::size_t i : found) names.push_back(fmt::format("'{}'", table.columns()[i]));
    check(found.size() <= 1 || r.several, "{}:1: {} may all be the {}: say which: {} {}=NAME", table.path(),
          fmt::join(names, " and "), r.name, flag, r.name);
    check(!found.empty() || !r.required,
          "{}:1: no column is known to be the {}: say which: {} {}=NAME; the columns are {}", table.path(), r.name,
          flag, r.name, fmt::join(table.columns(), ", "));
    if (!found.empty()) columns_[r.name] = found;
  }
}

std::optional<std::size_t> ColumnMap::one(const std::string& role) const {
  const auto it = columns_.find(role);
  if (it == columns_.end()) return {};
  return it->second.front();
}

std::vector<std::size_t> ColumnMap::all(const std::string& role) const {
  const auto it = columns_.find(role);
  return it == columns_.end() ? std::vector<std::size_t>() : it->second;
}

std::string ColumnMap::role(std::size_t column) const {
  for (const auto& [name, columns] : columns_)
    if (std::find(columns.begin(), columns.end(), column) != columns.end()) return name;
  return "";
}

RowCondition::RowCondition(const Table& table, const std::string& text) {
  const std::size_t at = text.find('=');
  check(at != text.npos && at > 0, "--where: must be like event=view|buy or event!=view: {}", shown(text));
  equal_ = text[at - 1] != '!';
  column_ = table.column(text.substr(0, equal_ ? at : at - 1));
  for (const std::string_view value : split(std::string_view(text).substr(at + 1), "|")) values_.emplace_back(value);
}

bool RowCondition::holds(const Table& table) const {
  const std::string_view field = table.field(column_);
  return (std::find(values_.begin(), values_.end(), field) != values_.end()) == equal_;
}

TimeUnit find_time_unit(std::span<const std::string> sample, const std::string& given, const std::string& place) {
  constexpr std::array names{"seconds", "milliseconds", "microseconds", "nanoseconds",
                             "iso",     "day-first",    "month-first"};
  if (!given.empty()) {
    const auto it = std::find(names.begin(), names.end(), given);
    check(it != names.end(), "--time-form: must be one of {}: {}", fmt::join(names, ", "), shown(given));
    return static_cast<TimeUnit>(it - names.begin());
  }
  const auto first = std::find_if(sample.begin(), sample.end(), [](const std::string& s) { return !s.empty(); });
  check(first != sample.end(), "{}: no times: the column is empty", place);
  if (const auto unit = time_unit(*first)) {
    // Eight digits that are a day of our time may be that day.
    const std::string& t = *first;
    if (unit == TimeUnit::seconds && t.size() == 8 && t.find('.') == t.npos)
      if (const auto day =
              parse_time(fmt::format("{}-{}-{}", t.substr(0, 4), t.substr(4, 2), t.substr(6)), TimeUnit::date);
          day && *day > 0)
        fail("{}: '{}' may be {} (seconds) or {} (a day): say --time-form seconds, or write it as {}", place, t,
             shown_time(*parse_time(t, TimeUnit::seconds)), shown_time(*day).substr(0, 10),
             shown_time(*day).substr(0, 10));
    return *unit;
  }
  const bool day = parses(sample, TimeUnit::day_first), month = parses(sample, TimeUnit::month_first);
  if (day && month && first->find('.') == first->npos)
    fail("{}: '{}' may be {} or {}: say --time-form day-first or month-first", place, *first,
         shown_time(*parse_time(*first, TimeUnit::day_first)), shown_time(*parse_time(*first, TimeUnit::month_first)));
  check(day || month, "{}: neither a number nor a date like 2023-05-22T15:53:20Z, 22.05.2023 or 5/22/2023: {}", place,
        shown(*first));
  return day ? TimeUnit::day_first : TimeUnit::month_first;
}

NumberForm find_number_form(std::span<const std::string> sample, const std::string& given, const std::string& place) {
  check(given.empty() || given == "point" || given == "comma", "--decimal: must be point or comma: {}", shown(given));
  if (!given.empty()) return given == "comma" ? NumberForm::comma : NumberForm::point;
  const std::string* doubtful = nullptr;
  for (const std::string& text : sample) {
    const std::size_t comma = text.rfind(','), point = text.rfind('.');
    if (comma == text.npos) continue;
    if (point != text.npos) return point > comma ? NumberForm::point : NumberForm::comma;
    const bool several = text.find(',') != comma;
    const std::size_t behind = static_cast<std::size_t>(std::count_if(
        text.begin() + static_cast<std::ptrdiff_t>(comma), text.end(), [](char c) { return c >= '0' && c <= '9'; }));
    if (several) return NumberForm::point;
    if (behind != 3) return NumberForm::comma;
    if (!doubtful) doubtful = &text;
  }
  if (doubtful)
    fail("{}: '{}' may be {} or {}: say --decimal point or --decimal comma", place, *doubtful,
         number_in(*doubtful, NumberForm::point).value_or(NAN), number_in(*doubtful, NumberForm::comma).value_or(NAN));
  return NumberForm::point;
}

std::optional<double> number_in(std::string_view text, NumberForm form) {
  const char point = form == NumberForm::comma ? ',' : '.', thousands = form == NumberForm::comma ? '.' : ',';
  std::string plain;
  bool fraction = false;
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, next] = code_point(text, at);
    at = next;
    const bool sign_of_money = c == '$' || c == 0xa3 || c == 0xa5 || c == 0x20ac,
               space = c == ' ' || c == 0xa0 || c == 0x202f;
    if (sign_of_money || space || c == '\'') continue;
    if (c == thousands && !fraction) continue;
    if (c < 0 || c >= 0x80) return {};
    fraction = fraction || c == point;
    plain += c == point ? '.' : static_cast<char>(c);
  }
  const auto number = parse_decimal(plain);
  if (!number) return {};
  const double value = std::strtod(plain.c_str(), nullptr);
  if (!std::isfinite(value)) return {};
  return value;
}

}  // namespace seminar
