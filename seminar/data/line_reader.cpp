#include "seminar/data/line_reader.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "tensor/io/file.h"

namespace seminar {
namespace {

constexpr int64_t progress_every = 8192;  // lines
constexpr unsigned char gzip_magic[] = {0x1f, 0x8b};

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

// The file's text, unpacked if it is gzip.
struct LineReader::Stream {
  explicit Stream(const std::string& path) : file(path) {}
  ~Stream() {
    if (packed) inflateEnd(&zlib);
  }
  void refill();
  const char* unpack();

  FileReader file;
  double done = 0;  // bytes of the file as it is on disk
  bool packed = false, in_member = true;
  z_stream zlib{};
  std::array<std::byte, 1 << 16> input{};
  std::size_t input_size = 0;
  std::array<char, 1 << 16> text{};
  const char *at = nullptr, *end = nullptr;
};

void LineReader::Stream::refill() {
  input_size = file.read(input);
  done += static_cast<double>(input_size);
  zlib.next_in = reinterpret_cast<Bytef*>(input.data());
  zlib.avail_in = static_cast<uInt>(input_size);
}

// Fills `text` from one gzip member after the other, nothing at the end; returns what is wrong with them, or null.
// Whatever follows a member and is none is left out, as gzip does.
const char* LineReader::Stream::unpack() {
  zlib.next_out = reinterpret_cast<Bytef*>(text.data());
  zlib.avail_out = static_cast<uInt>(text.size());
  while (zlib.avail_out == text.size()) {
    if (zlib.avail_in == 0) refill();
    if (!in_member) {
      if (zlib.avail_in == 0 || *zlib.next_in != gzip_magic[0]) break;
      inflateReset(&zlib);
      in_member = true;
    }
    if (zlib.avail_in == 0) return "the gzip stream is cut short";
    const int code = inflate(&zlib, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END) return zlib.msg ? zlib.msg : zError(code);
    in_member = code == Z_OK;
  }
  at = text.data();
  end = at + (text.size() - zlib.avail_out);
  return nullptr;
}

LineReader::LineReader(const std::string& path, ReadPolicy& policy) : LineReader(path, policy, Options()) {}

LineReader::LineReader(const std::string& path, ReadPolicy& policy, Options options)
    : path_(path), policy_(policy), options_(options), stream_(std::make_unique<Stream>(path)) {
  Stream& s = *stream_;
  s.refill();
  s.packed = s.input_size >= 2 && std::memcmp(s.input.data(), gzip_magic, 2) == 0;
  if (s.packed && inflateInit2(&s.zlib, 16 + MAX_WBITS) != Z_OK) throw std::bad_alloc();
  check(fill(), "{}:1: empty file: 0 bytes", path);
  if (std::string_view(s.at, s.end).starts_with("\xef\xbb\xbf")) s.at += 3;
}

LineReader::~LineReader() = default;

bool LineReader::fill() {
  Stream& s = *stream_;
  if (s.packed) {
    const char* problem = s.unpack();
    check(!problem, "{}:{}: cannot be read: {}", path_, number_ + 1, problem ? problem : "");
  } else {
    if (s.at) s.refill();
    s.at = reinterpret_cast<const char*>(s.input.data());
    s.end = s.at + s.input_size;
  }
  return s.at != s.end;
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
    policy_.progress(path_, number_, std::min(1.0, s.done / std::max(1.0, static_cast<double>(s.file.size()))));
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
