// Lines of text files read forward through a small buffer, plain or gzip, and what to do with bad rows.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "seminar/data/unpacked_file.h"
#include "tensor/io/text.h"

namespace seminar {

/// A row that cannot be used; the file as a whole is still readable.
struct BadRow : Error {
  using Error::Error;
};

/// How importers read: how many bad rows are tolerated, and who is told about progress.
class ReadPolicy {
 public:
  /// Up to `skip_bad` bad rows are left out and counted; the next one is thrown on.
  explicit ReadPolicy(int64_t skip_bad = 0) : skip_bad_(skip_bad) {}
  /// Calls f(); true if it did not throw BadRow.
  template <class F>
  bool accept(F&& f) {
    try {
      f();
      return true;
    } catch (const BadRow& e) {
      if (skipped_ >= skip_bad_) {
        if (skip_bad_ == 0) throw;
        fail("{} (and {} rows skipped before it, all that --skip-bad allows)", e.what(), skipped_);
      }
      ++skipped_;
      if (skipped_row) skipped_row(e);
      return false;
    }
  }
  int64_t skipped() const { return skipped_; }

  /// Called now and then with the file, rows read so far and the share of the file that is read. May throw to stop.
  std::function<void(const std::string& path, int64_t rows, double share)> progress;
  /// Hears of every row that is left out.
  std::function<void(const BadRow&)> skipped_row;

 private:
  int64_t skip_bad_, skipped_ = 0;
};

/// The lines of a text file, without "\n" or "\r\n"; a UTF-8 byte order mark at the start is dropped. Plain or packed
/// (unpacked_file.h), by content. Memory does not grow with the file.
class LineReader {
 public:
  struct Options {
    std::size_t max_line = std::size_t{1} << 20;  ///< bytes
    bool maybe_latin1 = false;  ///< the first line that is not ASCII tells whether the file is UTF-8 or Windows-1252
  };
  /// Throws Error if the file cannot be read, is empty or UTF-16.
  LineReader(const std::string& path, ReadPolicy& policy, Options options);
  LineReader(const std::string& path, ReadPolicy& policy);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// Moves to the next line; false at the end. Throws BadRow for a NUL byte, a line too long or not UTF-8 (the next
  /// call goes on behind it), Error for a damaged stream.
  bool next();
  /// The same, past lines that are empty or hold spaces only.
  bool next_filled();
  /// The line, valid until the next call.
  std::string_view line() const { return line_; }
  /// Its number from 1.
  int64_t number() const { return number_; }
  const std::string& path() const { return path_; }
  /// True if a line was read as Windows-1252.
  bool latin1() const { return encoding_ == Encoding::latin1; }
  /// Puts lines back, to be read again; the first becomes the next one. They were the last ones read.
  void put_back(std::deque<std::string> lines);
  /// Throws BadRow `path:line: what: 'value'`.
  [[noreturn]] void reject(int64_t line, std::string_view what, std::string_view value) const;

 private:
  bool fill();
  void decode();
  std::string path_;
  ReadPolicy& policy_;
  Options options_;
  UnpackedFile file_;
  std::string_view left_;  // of the bytes that file_ gave last
  enum class Encoding { unknown, utf8, latin1 } encoding_;
  std::string line_;
  std::deque<std::string> again_;
  int64_t number_ = 0;
};

}  // namespace seminar
