// The CSV state machine, field conversions and the UTF-8 check.
#include "seminar/data/csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tensor/error.h"

namespace seminar {
namespace {

constexpr std::ptrdiff_t max_line = std::ptrdiff_t{1} << 20;
constexpr int max_shown = 60;

// Bytes of the UTF-8 character at the start of `text` (not empty), 0 if malformed (Unicode 15, table 3-7).
std::size_t character_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned c = byte(0);
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c <= 0xdf) return follows(1) ? 2 : 0;
  if (c >= 0xe0 && c <= 0xef) return follows(1, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf) && follows(2) ? 3 : 0;
  if (c >= 0xf0 && c <= 0xf4)
    return follows(1, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf) && follows(2) && follows(3) ? 4 : 0;
  return 0;
}

}  // namespace

bool valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string shown(std::string_view value) {
  std::string out = "'";
  for (int characters = 0; !value.empty(); ++characters) {
    if (characters == max_shown) return out + "...'";
    const unsigned char c = static_cast<unsigned char>(value[0]);
    const std::size_t size = character_size(value);
    // C1 controls (U+0080 to U+009F) steer terminals just as the ASCII ones do.
    const bool c1 = size == 2 && c == 0xc2 && static_cast<unsigned char>(value[1]) < 0xa0;
    if (size == 0 || c < 0x20 || c == 0x7f || c1) {
      out += fmt::format("\\x{:02x}", c1 ? static_cast<unsigned char>(value[1]) : c);
    } else {
      out += value.substr(0, size);
    }
    value.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out + "'";
}

CsvReader::CsvReader(const std::string& path, std::vector<std::string> columns)
    : file_(path),
      at_(reinterpret_cast<const char*>(file_.bytes().data())),
      end_(at_ + file_.bytes().size()),
      names_(std::move(columns)) {
  if (std::string_view(at_, end_).starts_with("\xef\xbb\xbf")) at_ += 3;
  check(at_ != end_, "{}:1: empty file: {} bytes", path, file_.bytes().size());
  read_record();
  width_ = ends_.size();
  for (const std::string& name : names_) {
    const auto count_before = columns_.size();
    for (std::size_t i = 0; i < width_; ++i)
      if (raw_field(i) == name) columns_.push_back(i);
    const std::size_t found = columns_.size() - count_before;
    check(found == 1, "{}:1: column {}: '{}' (expected {})", path, found ? "twice" : "missing", name,
          fmt::join(names_, ","));
  }
  check(at_ != end_, "{}:1: only a header: no rows", path);
}

bool CsvReader::next() {
  if (at_ == end_) return false;
  read_record();
  check(ends_.size() == width_, "{}:{}: wrong number of fields: expected {}, found {}", file_.path(), line_, width_,
        ends_.size());
  return true;
}

void CsvReader::read_record() {
  enum { start, plain, quoted, closed } state = start;
  const char* const begin = at_;
  const auto stop = [&](std::string_view what) {
    reject(what, std::string_view(begin, std::min<std::ptrdiff_t>(end_ - begin, max_line)));
  };
  line_ = next_line_;
  text_.clear();
  ends_.clear();
  for (bool more = true; more;) {
    const bool at_end = at_ == end_;
    const char c = at_end ? '\n' : *at_++;
    if (state == quoted && (at_end || at_ - begin > max_line)) stop("unbalanced quote");
    if (at_ - begin > max_line) stop("line longer than 1 MiB");
    if (c == '\0') stop("NUL byte");
    if (state == quoted) {
      next_line_ += c == '\n';
      if (c == '"') {
        state = closed;
      } else {
        text_ += c;
      }
    } else if (c == '\r' && (at_ == end_ || *at_ == '\n')) {
      continue;  // the first half of CRLF
    } else if (c == ',' || c == '\n') {
      ends_.push_back(text_.size());
      state = start;
      more = c == ',';
    } else if (c == '"') {
      if (state == plain) stop("quote inside an unquoted field");
      if (state == closed) text_ += c;
      state = quoted;
    } else {
      if (state == closed) stop("text after a closing quote");
      text_ += c;
      state = plain;
    }
  }
  ++next_line_;
  const std::string_view record(begin, at_);
  if (!valid_utf8(record)) stop("not UTF-8");
}

std::string_view CsvReader::raw_field(std::size_t i) const {
  const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::string_view(text_).substr(begin, ends_[i] - begin);
}

std::string_view CsvReader::field(std::size_t i) const { return raw_field(columns_[i]); }

int64_t CsvReader::integer(std::size_t i) const {
  const std::string_view text = field(i);
  int64_t value = 0;
  const auto [rest, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code == std::errc::invalid_argument || rest != text.data() + text.size())
    reject(names_[i] + " is not an integer", text);
  if (code != std::errc()) reject(names_[i] + " does not fit 64 bits", text);
  return value;
}

double CsvReader::number(std::size_t i) const {
  const std::string_view text = field(i);
  double value = 0;
  const auto [rest, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || rest != text.data() + text.size() || !std::isfinite(value))
    reject(names_[i] + " is not a number", text);
  return value;
}

void CsvReader::reject_at(int64_t line, std::string_view what, std::string_view value) const {
  fail("{}:{}: {}: {}", file_.path(), line, what, shown(value));
}

}  // namespace seminar
