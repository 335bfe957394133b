// The CSV state machine and the field conversions.
#include "seminar/data/csv.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace seminar {
namespace {
constexpr std::size_t max_record = std::size_t{1} << 20;
}

int64_t parse_integer(std::string_view text, const std::string& name, const LineReader& lines, int64_t line) {
  int64_t value = 0;
  const auto [rest, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code == std::errc::invalid_argument || rest != text.data() + text.size())
    lines.reject(line, name + " is not an integer", text);
  if (code != std::errc()) lines.reject(line, name + " does not fit 64 bits", text);
  return value;
}

double parse_number(std::string_view text, const std::string& name, const LineReader& lines, int64_t line) {
  double value = 0;
  const auto [rest, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || rest != text.data() + text.size() || !std::isfinite(value))
    lines.reject(line, name + " is not a number", text);
  return value;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + separator.size());
  }
}

CsvReader::CsvReader(const std::string& path, std::vector<std::string> columns, ReadPolicy& policy, char separator)
    : policy_(policy), lines_(path, policy), separator_(separator), names_(std::move(columns)) {
  check(read_record(), "{}:1: no header", path);
  width_ = ends_.size();
  const auto name_of = [&](std::size_t i) { return raw_field(i).substr(0, raw_field(i).find(':')); };
  const bool all = names_.empty();
  for (std::size_t i = 0; all && i < width_; ++i) {
    if (!printable(name_of(i))) fail("{}:1: column name not printable: {}", path, shown(name_of(i)));
    names_.emplace_back(name_of(i));
  }
  for (std::string& name : names_) {
    const bool optional = !all && name.ends_with('?');
    if (optional) name.pop_back();
    columns_.push_back(missing);
    for (std::size_t i = 0; i < width_; ++i) {
      if (name_of(i) != name) continue;
      check(columns_.back() == missing, "{}:1: column twice: '{}'", path, name);
      columns_.back() = i;
    }
    check(optional || columns_.back() != missing, "{}:1: column missing: '{}' (expected {})", path, name,
          fmt::join(names_, ","));
    const std::string_view header = columns_.back() == missing ? std::string_view() : raw_field(columns_.back());
    types_.emplace_back(header.find(':') == std::string_view::npos ? "" : header.substr(header.find(':') + 1));
  }
}

bool CsvReader::next() {
  for (bool more = true; more;) {
    const bool good = policy_.accept([&] {
      more = read_record();
      if (more && ends_.size() != width_)
        lines_.reject(line_, fmt::format("wrong number of fields: expected {}, found {}", width_, ends_.size()),
                      lines_.line());
    });
    if (good && more) return true;
  }
  check(lines_.number() > 1, "{}:1: only a header: no rows", lines_.path());
  return false;
}

bool CsvReader::read_record() {
  text_.clear();
  ends_.clear();
  line_ = lines_.number() + 1;
  if (!lines_.next()) return false;
  State state = parse(lines_.line(), State::start);
  if (state != State::quoted) return true;
  // A quote is open: the record goes on in the next lines. If it never closes, only its first line is bad.
  const std::string first(lines_.line());
  std::deque<std::string> following;
  const auto next_part = [&] {
    try {
      text_ += '\n';
      if (text_.size() > max_record || !lines_.next()) return false;
      following.emplace_back(lines_.line());
      state = parse(lines_.line(), State::quoted);
      return true;
    } catch (const BadRow&) {
      return false;
    }
  };
  while (state == State::quoted) {
    if (next_part()) continue;
    lines_.put_back(std::move(following));
    lines_.reject(line_, "unbalanced quote", first);
  }
  return true;
}

CsvReader::State CsvReader::parse(std::string_view line, State state) {
  for (const char c : line) {
    if (state == State::quoted) {
      if (c == '"')
        state = State::closed;
      else
        text_ += c;
    } else if (c == separator_) {
      ends_.push_back(text_.size());
      state = State::start;
    } else if (c == '"' && separator_ == ',') {
      if (state == State::plain) lines_.reject(line_, "quote inside an unquoted field", line);
      if (state == State::closed) text_ += c;
      state = State::quoted;
    } else {
      if (state == State::closed) lines_.reject(line_, "text after a closing quote", line);
      text_ += c;
      state = State::plain;
    }
  }
  if (state != State::quoted) ends_.push_back(text_.size());
  return state;
}

std::string_view CsvReader::raw_field(std::size_t i) const {
  const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::string_view(text_).substr(begin, ends_[i] - begin);
}

std::string_view CsvReader::field(std::size_t i) const {
  return columns_[i] == missing ? std::string_view() : raw_field(columns_[i]);
}

}  // namespace seminar
