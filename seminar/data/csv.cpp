// The CSV state machine and the field conversions.
#include "seminar/data/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace seminar {
namespace {

constexpr std::size_t max_record = std::size_t{1} << 20;

std::string_view without_spaces(std::string_view text) {
  const std::size_t first = std::min(text.find_first_not_of(' '), text.size());
  return text.substr(first, text.find_last_not_of(' ') + 1 - first);
}

// What a header holds, and what may be wrong with it.
std::string described_columns(const std::vector<std::string>& header, char separator) {
  std::vector<std::string> names;
  for (const std::string& name : header) names.push_back(shown(name));
  const auto called = [](char c) { return c == '\t' ? "tabs" : c == ',' ? "commas" : "semicolons"; };
  for (const char other : {',', ';', '\t'})
    if (header.size() == 1 && other != separator && header[0].find(other) != std::string::npos)
      return fmt::format("the fields must stand between {}, here they stand between {}", called(separator),
                         called(other));
  return fmt::format("the columns are {}", fmt::join(names, ", "));
}

}  // namespace

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

float parse_single(std::string_view text, const std::string& name, const LineReader& lines, int64_t line) {
  const double value = parse_number(text, name, lines, line);
  if (!std::isfinite(static_cast<float>(value))) lines.reject(line, name + " is too large for single precision", text);
  return static_cast<float>(value);
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

CsvReader::CsvReader(const std::string& path, std::vector<std::string> columns, ReadPolicy& policy, CsvFormat format)
    : CsvReader(std::make_unique<LineReader>(path, policy), std::move(columns), policy, format) {}

CsvReader::CsvReader(std::unique_ptr<LineReader> lines, std::vector<std::string> columns, ReadPolicy& policy,
                     CsvFormat format)
    : policy_(policy), lines_(std::move(lines)), format_(format), names_(std::move(columns)) {
  check(read_record(), "{}:1: no header", path());
  any_ = false;
  width_ = ends_.size();
  std::vector<std::string> types;
  for (std::size_t i = 0; i < width_; ++i) {
    const std::string_view name = without_spaces(raw_field(i)),
                           plain = name.substr(0, format_.typed ? name.find(':') : name.npos);
    header_.emplace_back(plain);
    types.emplace_back(name.substr(std::min(name.size(), plain.size() + 1)));
  }
  const bool all = names_.empty();
  if (all) names_ = header_;
  for (std::string& name : names_) {
    if (all && !printable(name)) fail("{}:{}: column name not printable: {}", path(), line_, shown(name));
    const bool optional = !all && name.ends_with('?');
    if (optional) name.pop_back();
    const auto found = std::find(header_.begin(), header_.end(), name);
    if (!optional && found == header_.end()) refuse_column(name);
    const bool twice = found != header_.end() && std::find(found + 1, header_.end(), name) != header_.end();
    check(!twice || name.empty(), "{}:{}: column twice: '{}'", path(), line_, name);
    columns_.push_back(found == header_.end() ? missing : static_cast<std::size_t>(found - header_.begin()));
    types_.push_back(found == header_.end() ? "" : types[columns_.back()]);
  }
}

void CsvReader::check_named() const {
  for (std::size_t i = 0; i < header_.size(); ++i)
    check(!header_[i].empty() && !header_[i].starts_with("Unnamed"),
          "{}:1: column {} has no name; pandas writes its row numbers so: save with index=False", path(), i + 1);
}

void CsvReader::refuse_column(const std::string& name) const {
  fail("{}:1: column missing: '{}'; {}", path(), name, described_columns(header_, format_.separator));
}

std::optional<std::size_t> CsvReader::find(const std::string& name) const {
  const auto it = std::find(names_.begin(), names_.end(), name);
  if (it == names_.end()) return {};
  return static_cast<std::size_t>(it - names_.begin());
}

std::size_t CsvReader::column(const std::string& name) const {
  const auto found = find(name);
  if (!found) refuse_column(name);
  return *found;
}

bool CsvReader::next() {
  for (bool more = true; more;) {
    const bool good = policy_.accept([&] {
      more = read_record();
      if (more && ends_.size() != width_)
        lines_->reject(line_, fmt::format("wrong number of fields: expected {}, found {}", width_, ends_.size()),
                       lines_->line());
    });
    if (good && more) return true;
  }
  check(any_, "{}:1: only a header: no rows", lines_->path());
  return false;
}

bool CsvReader::read_record() {
  text_.clear();
  ends_.clear();
  line_ = lines_->number() + 1;
  if (!lines_->next_filled()) return false;
  line_ = lines_->number();
  any_ = true;
  State state = parse(lines_->line(), State::start);
  if (state != State::quoted) return true;
  // A quote is open: the record goes on in the next lines. If it never closes, only its first line is bad.
  const std::string first(lines_->line());
  std::deque<std::string> following;
  const auto next_part = [&] {
    try {
      text_ += '\n';
      if (text_.size() > max_record || !lines_->next()) return false;
      following.emplace_back(lines_->line());
      state = parse(lines_->line(), State::quoted);
      return true;
    } catch (const BadRow&) {
      return false;
    }
  };
  while (state == State::quoted) {
    if (next_part()) continue;
    lines_->put_back(std::move(following));
    lines_->reject(line_, "unbalanced quote", first);
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
    } else if (c == format_.separator) {
      ends_.push_back(text_.size());
      state = State::start;
    } else if (c == '"' && format_.quotes && !(state == State::plain && format_.stray_quotes)) {
      if (state == State::plain) lines_->reject(line_, "quote inside an unquoted field", line);
      if (state == State::closed) text_ += c;
      state = State::quoted;
    } else {
      if (state == State::closed) lines_->reject(line_, "text after a closing quote", line);
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
