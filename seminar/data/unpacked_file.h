// Files read forward as what they hold: gzip and zstd streams are unpacked, whatever the file's name.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace seminar {

/// Endings of compressed files that may stand for plain ones, the plain one's first.
inline constexpr const char* packed_endings[] = {"", ".gz", ".zst"};
/// `path` without the ending of a compressed file.
std::string_view without_packed_ending(std::string_view path);

class UnpackedFile {
 public:
  /// Throws Error if the file cannot be read, or is packed in a form that is not read (bzip2, xz, zip, Parquet; zstd
  /// where the program was built without it).
  explicit UnpackedFile(const std::string& path);
  ~UnpackedFile();
  UnpackedFile(const UnpackedFile&) = delete;
  UnpackedFile& operator=(const UnpackedFile&) = delete;

  bool packed() const;
  /// The next bytes, valid until the next call; none at the end. Throws Error `path:line: what` for a damaged or
  /// truncated stream.
  std::span<const char> next(int64_t line);
  /// Share of the file that has been read, in [0, 1].
  double share() const;

 private:
  struct Stream;
  std::string path_;
  std::unique_ptr<Stream> stream_;
};

/// All that the file holds, at most `limit` bytes.
std::string read_unpacked(const std::string& path, uint64_t limit = uint64_t{1} << 30);

}  // namespace seminar
