#include "seminar/data/unpacked_file.h"

#include <zlib.h>
#ifdef SEMINAR_ZSTD
#include <zstd.h>
#endif

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "tensor/error.h"
#include "tensor/io/file.h"

namespace seminar {
namespace {

constexpr std::string_view gzip_magic = "\x1f\x8b", zstd_magic = "\x28\xb5\x2f\xfd";

// Other forms by their first bytes, and what to do with them.
struct OtherForm {
  std::string_view magic;
  const char* what;
};
constexpr OtherForm other_forms[] = {
    {"BZh", "compressed with bzip2: unpack it first (bunzip2), or pack it with gzip"},
    {"\xfd\x37zXZ", "compressed with xz: unpack it first (unxz), or pack it with gzip"},
    {"PK\x03\x04", "a zip archive (spreadsheets are, too): unpack it, or save it as CSV"},
    {"PAR1",
     "a Parquet file: save it as CSV, like pandas.read_parquet(\"in.parquet\").to_csv(\"out.csv\", index=False)"},
#ifndef SEMINAR_ZSTD
    {zstd_magic, "compressed with zstd, which this program was built without: unpack it first (unzstd)"},
#endif
};

}  // namespace

std::string_view without_packed_ending(std::string_view path) {
  for (const std::string_view ending : packed_endings)
    if (!ending.empty() && path.ends_with(ending)) return path.substr(0, path.size() - ending.size());
  return path;
}

// The bytes of the file, and what unpacks them.
struct UnpackedFile::Stream {
  enum class Form { plain, gzip, zstd };

  explicit Stream(const std::string& path) : file(path) {
    refill();
    const std::string_view start(reinterpret_cast<const char*>(input.data()), size);
    for (const OtherForm& other : other_forms) check(!start.starts_with(other.magic), "{}: is {}", path, other.what);
    form = start.starts_with(gzip_magic) ? Form::gzip : start.starts_with(zstd_magic) ? Form::zstd : Form::plain;
    if (form == Form::gzip && inflateInit2(&zlib, 16 + MAX_WBITS) != Z_OK) throw std::bad_alloc();
#ifdef SEMINAR_ZSTD
    if (form == Form::zstd && !(zstd = ZSTD_createDStream())) throw std::bad_alloc();
#endif
  }
  ~Stream() {
    if (form == Form::gzip) inflateEnd(&zlib);
#ifdef SEMINAR_ZSTD
    ZSTD_freeDStream(zstd);
#endif
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void refill() {
    size = file.read(input);
    at = 0;
    done += static_cast<double>(size);
  }

  // Each fills `text` and returns how much, 0 at the end; `problem` tells of a damaged stream.
  std::size_t copy() {
    if (at == size) refill();
    const std::size_t count = size - at;
    std::memcpy(text.data(), input.data() + at, count);
    at = size;
    return count;
  }
  // One gzip member after the other. Whatever follows a member and is none is left out, as gzip does.
  std::size_t unpack_gzip() {
    zlib.next_out = reinterpret_cast<Bytef*>(text.data());
    zlib.avail_out = static_cast<uInt>(text.size());
    while (zlib.avail_out == text.size()) {
      if (at == size) refill();
      if (!open) {
        if (at == size || std::to_integer<char>(input[at]) != gzip_magic[0]) break;
        inflateReset(&zlib);
      }
      if (at == size) {
        problem = "the gzip stream is cut short";
        break;
      }
      zlib.next_in = reinterpret_cast<Bytef*>(input.data() + at);
      zlib.avail_in = static_cast<uInt>(size - at);
      const int code = inflate(&zlib, Z_NO_FLUSH);
      at = size - zlib.avail_in;
      open = code == Z_OK;
      if (code == Z_OK || code == Z_STREAM_END) continue;
      problem = zlib.msg ? zlib.msg : zError(code);
      break;
    }
    return text.size() - zlib.avail_out;
  }
#ifdef SEMINAR_ZSTD
  std::size_t unpack_zstd() {
    ZSTD_outBuffer out{text.data(), text.size(), 0};
    while (out.pos == 0) {
      if (at == size) refill();
      if (at == size && !open) break;
      ZSTD_inBuffer in{input.data(), size, at};
      const std::size_t code = ZSTD_decompressStream(zstd, &out, &in);
      if (ZSTD_isError(code)) problem = ZSTD_getErrorName(code);
      if (size == 0 && out.pos == 0) problem = "the zstd stream is cut short";
      if (problem) break;
      at = in.pos;
      open = code != 0;
    }
    return out.pos;
  }
#endif
  std::size_t unpack() {
    if (form == Form::gzip) return unpack_gzip();
#ifdef SEMINAR_ZSTD
    if (form == Form::zstd) return unpack_zstd();
#endif
    return copy();
  }

  FileReader file;
  Form form = Form::plain;
  double done = 0;  // bytes of the file as it is on disk
  std::array<std::byte, 1 << 16> input{};
  std::size_t at = 0, size = 0;  // what is left of `input`
  std::array<char, 1 << 16> text{};
  bool open = true;  // a member or frame has begun and not ended
  const char* problem = nullptr;
  z_stream zlib{};
#ifdef SEMINAR_ZSTD
  ZSTD_DStream* zstd = nullptr;
#endif
};

UnpackedFile::UnpackedFile(const std::string& path) : path_(path), stream_(std::make_unique<Stream>(path)) {}
UnpackedFile::~UnpackedFile() = default;

bool UnpackedFile::packed() const { return stream_->form != Stream::Form::plain; }

std::span<const char> UnpackedFile::next(int64_t line) {
  const std::size_t count = stream_->unpack();
  check(!stream_->problem, "{}:{}: cannot be read: {}", path_, line, stream_->problem ? stream_->problem : "");
  return std::span(stream_->text).first(count);
}

double UnpackedFile::share() const {
  return std::min(1.0, stream_->done / std::max(1.0, static_cast<double>(stream_->file.size())));
}

std::string read_unpacked(const std::string& path, uint64_t limit) {
  UnpackedFile file(path);
  std::string text;
  for (auto part = file.next(1); !part.empty(); part = file.next(1)) {
    text.append(part.data(), part.size());
    check(text.size() <= limit, "{}: too large: more than {} bytes", path, limit);
  }
  return text;
}

}  // namespace seminar
