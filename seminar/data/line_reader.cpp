#include "seminar/data/line_reader.h"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace seminar {
namespace {

constexpr int max_shown = 60;
constexpr int64_t progress_every = 8192;  // lines

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

std::string from_latin1(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const unsigned char u = static_cast<unsigned char>(c);
    if (u < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xc0 | (u >> 6));
      out += static_cast<char>(0x80 | (u & 0x3f));
    }
  }
  return out;
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

struct LineReader::Stream {
  gzFile file = nullptr;
  double size = 0;  // of the file as it is on disk
  std::array<char, 1 << 16> buffer{};
  const char *at = nullptr, *end = nullptr;
  ~Stream() {
    if (file) gzclose_r(file);
  }
};

LineReader::LineReader(const std::string& path, ReadPolicy& policy) : LineReader(path, policy, Options()) {}

LineReader::LineReader(const std::string& path, ReadPolicy& policy, Options options)
    : path_(path), policy_(policy), options_(options), stream_(std::make_unique<Stream>()) {
  struct stat st {};
  check(::stat(path.c_str(), &st) == 0, "{}: cannot be opened: {}", path, errno_text(errno));
  check(!S_ISDIR(st.st_mode), "{}: cannot be read: it is a folder", path);
  stream_->file = gzopen(path.c_str(), "rb");
  check(stream_->file, "{}: cannot be opened: {}", path, errno_text(errno));
  stream_->size = static_cast<double>(st.st_size);
  check(fill(), "{}:1: empty file: 0 bytes", path);
  if (std::string_view(stream_->at, stream_->end).starts_with("\xef\xbb\xbf")) stream_->at += 3;
}

LineReader::~LineReader() = default;

bool LineReader::fill() {
  Stream& s = *stream_;
  const int n = gzread(s.file, s.buffer.data(), static_cast<unsigned>(s.buffer.size()));
  int code = Z_OK;
  const char* message = gzerror(s.file, &code);
  check(n >= 0 && (code == Z_OK || code == Z_STREAM_END), "{}:{}: cannot be read: {}", path_, number_ + 1,
        code == Z_ERRNO       ? errno_text(errno)
        : code == Z_BUF_ERROR ? "the gzip stream is cut short"
                              : message);
  s.at = s.buffer.data();
  s.end = s.at + n;
  return n > 0;
}

bool LineReader::next() {
  if (!again_.empty()) {
    line_ = std::move(again_.front());
    again_.pop_front();
    ++number_;
    return true;
  }
  Stream& s = *stream_;
  if (s.at == s.end && !fill()) return false;
  line_.clear();
  ++number_;
  bool too_long = false, ended = false;
  while (!ended) {
    const char* newline = static_cast<const char*>(std::memchr(s.at, '\n', static_cast<std::size_t>(s.end - s.at)));
    const char* stop = newline ? newline : s.end;
    if (line_.size() + static_cast<std::size_t>(stop - s.at) > options_.max_line) too_long = true;
    if (!too_long) line_.append(s.at, stop);
    s.at = newline ? newline + 1 : stop;
    ended = newline || !fill();
  }
  if (policy_.progress && number_ % progress_every == 0)
    policy_.progress(path_, number_, std::min(1.0, static_cast<double>(gzoffset(s.file)) / std::max(1.0, s.size)));
  if (too_long) reject(number_, fmt::format("line longer than {} MiB", options_.max_line >> 20), line_);
  if (line_.ends_with('\r')) line_.pop_back();
  if (line_.find('\0') != std::string::npos) reject(number_, "NUL byte", line_);
  if (options_.latin1)
    line_ = from_latin1(line_);
  else if (!valid_utf8(line_))
    reject(number_, "not UTF-8", line_);
  return true;
}

void LineReader::put_back(std::deque<std::string> lines) {
  number_ -= static_cast<int64_t>(lines.size());
  again_.insert(again_.begin(), std::make_move_iterator(lines.begin()), std::make_move_iterator(lines.end()));
}

void LineReader::reject(int64_t line, std::string_view what, std::string_view value) const {
  throw BadRow(fmt::format("{}:{}: {}: {}", path_, line, what, shown(value)));
}

}  // namespace seminar
