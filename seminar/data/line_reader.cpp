#include "seminar/data/line_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "seminar/data/text.h"

namespace seminar {
namespace {

constexpr int64_t progress_every = 8192;  // lines
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

// By its mark, or by the zero byte of an ASCII character.
bool is_utf16(std::string_view start) {
  return start.starts_with("\xff\xfe") || start.starts_with("\xfe\xff") ||
         (start.size() >= 2 && (start[0] == '\0') != (start[1] == '\0'));
}

bool ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

LineReader::LineReader(const std::string& path, ReadPolicy& policy) : LineReader(path, policy, Options()) {}

LineReader::LineReader(const std::string& path, ReadPolicy& policy, Options options)
    : path_(path),
      policy_(policy),
      options_(options),
      file_(path),
      encoding_(options.maybe_latin1 ? Encoding::unknown : Encoding::utf8) {
  check(fill(), "{}:1: empty file: 0 bytes", path);
  check(!is_utf16(left_), "{}:1: is UTF-16 text: convert it first: iconv -f UTF-16 -t UTF-8 FILE > NEW", path);
  if (!left_.starts_with(byte_order_mark)) return;
  left_.remove_prefix(byte_order_mark.size());
  encoding_ = Encoding::utf8;
}

LineReader::~LineReader() = default;

bool LineReader::fill() {
  const std::span<const char> bytes = file_.next(number_ + 1);
  left_ = {bytes.data(), bytes.size()};
  return !left_.empty();
}

bool LineReader::next() {
  if (!again_.empty()) {
    line_ = std::move(again_.front());
    again_.pop_front();
    ++number_;
    return true;
  }
  if (left_.empty() && !fill()) return false;
  line_.clear();
  ++number_;
  bool too_long = false, ended = false;
  while (!ended) {
    const std::size_t newline = left_.find('\n'), count = std::min(newline, left_.size());
    if (line_.size() + count > options_.max_line) too_long = true;
    if (!too_long) line_.append(left_.substr(0, count));
    left_.remove_prefix(newline == left_.npos ? count : count + 1);
    ended = newline != left_.npos || !fill();
  }
  if (policy_.progress && number_ % progress_every == 0) policy_.progress(path_, number_, file_.share());
  if (too_long) reject(number_, fmt::format("line longer than {} MiB", options_.max_line >> 20), line_);
  if (line_.ends_with('\r')) line_.pop_back();
  decode();
  return true;
}

bool LineReader::next_filled() {
  while (next())
    if (line_.find_first_not_of(' ') != line_.npos) return true;
  return false;
}

void LineReader::decode() {
  if (line_.find('\0') != std::string::npos) reject(number_, "NUL byte", line_);
  if (encoding_ == Encoding::utf8) {
    if (!valid_utf8(line_)) reject(number_, "not UTF-8", line_);
  } else if (!ascii(line_)) {
    const bool utf8 = valid_utf8(line_);
    if (encoding_ == Encoding::latin1 && utf8) reject(number_, "UTF-8 in a file that is Latin-1 before", line_);
    encoding_ = utf8 ? Encoding::utf8 : Encoding::latin1;
    if (!utf8) line_ = from_windows_1252(line_);
  }
}

void LineReader::put_back(std::deque<std::string> lines) {
  number_ -= static_cast<int64_t>(lines.size());
  again_.insert(again_.begin(), std::make_move_iterator(lines.begin()), std::make_move_iterator(lines.end()));
}

void LineReader::reject(int64_t line, std::string_view what, std::string_view value) const {
  throw BadRow(fmt::format("{}:{}: {}: {}", path_, line, what, shown(value)));
}

}  // namespace seminar
