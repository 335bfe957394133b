// Reading comma-separated files (RFC 4180) record by record, with errors that name file, line and value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/file.h"

namespace seminar {

/// `value` for an error message: in single quotes, on one line, at most 60 characters, control characters and bytes
/// that are not UTF-8 escaped.
std::string shown(std::string_view value);

/// True if `text` is well-formed UTF-8.
bool valid_utf8(std::string_view text);

/// A CSV file with a header line. Quoted fields may hold commas, doubled quotes and newlines; a UTF-8 byte order mark,
/// CRLF and a missing final newline are accepted. Every complaint is an Error `path:line: what: value`.
class CsvReader {
 public:
  /// Opens `path` and finds the named columns in its header, in any order; other columns are skipped. Throws Error if
  /// the file cannot be read, a named column is missing or there are no rows.
  CsvReader(const std::string& path, std::vector<std::string> columns);

  /// Moves to the next record; false at the end. Throws Error if the record is malformed.
  bool next();

  /// Field of the i-th named column, unquoted; valid until the next call of next().
  std::string_view field(std::size_t i) const;
  /// The field as a whole number; throws Error if it is not one or does not fit 64 bits.
  int64_t integer(std::size_t i) const;
  /// The field as a finite number; throws Error if it is not one.
  double number(std::size_t i) const;

  /// Line on which the record starts, from 1.
  int64_t line() const { return line_; }
  /// Throws Error about the current record: `path:line: what: 'value'`.
  [[noreturn]] void reject(std::string_view what, std::string_view value) const { reject_at(line_, what, value); }
  /// The same about the record that started on `line`.
  [[noreturn]] void reject_at(int64_t line, std::string_view what, std::string_view value) const;

 private:
  void read_record();
  std::string_view raw_field(std::size_t i) const;

  MappedFile file_;
  const char* at_;
  const char* end_;
  int64_t line_ = 1, next_line_ = 1;
  std::string text_;               // the record's fields, unquoted, one after the other
  std::vector<std::size_t> ends_;  // where each field ends in text_
  std::vector<std::string> names_;
  std::vector<std::size_t> columns_;  // position in the record of each named column
  std::size_t width_ = 0;
};

}  // namespace seminar
