// Tables in text: comma-separated files (RFC 4180) and plain ones cut at a separator, record by record, with errors
// that name file, line and value.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "seminar/data/line_reader.h"

namespace seminar {

/// Whole number in `text`; throws BadRow through `reject(what, value)` otherwise.
int64_t parse_integer(std::string_view text, const std::string& name, const LineReader& lines, int64_t line);
/// Finite number in `text`.
double parse_number(std::string_view text, const std::string& name, const LineReader& lines, int64_t line);
/// The same in single precision; refused if it is too large for that.
float parse_single(std::string_view text, const std::string& name, const LineReader& lines, int64_t line);
/// The parts of `text` between occurrences of `separator`.
std::vector<std::string_view> split(std::string_view text, std::string_view separator);

/// How the fields of a table are kept apart. Where quotes count, a quoted field may hold separators, doubled quotes and
/// newlines. Names of typed headers end at ':', behind which the type stands. Stray quotes
/// are those inside a field that does not begin with one: text, or refused.
struct CsvFormat {
  char separator;
  bool quotes, typed = true, stray_quotes = false;
  CsvFormat(char between = ',') : CsvFormat(between, between == ',') {}
  CsvFormat(char between, bool with_quotes) : separator(between), quotes(with_quotes) {}
};

/// A table with a header line; blank lines between its records are skipped. Every complaint is `path:line: what:
/// value`: an Error if the file is unusable, a BadRow if the record is.
class CsvReader {
 public:
  /// Opens `path` and finds the named columns in its header, in any order; other columns are skipped. A name may end in
  /// '?': the column may be missing and its fields are empty then. No names: all columns.
  /// Throws Error if the file cannot be read, a column is missing or stands twice, or there are no rows.
  CsvReader(const std::string& path, std::vector<std::string> columns, ReadPolicy& policy, CsvFormat format = {});
  /// The same from lines that are open already.
  CsvReader(std::unique_ptr<LineReader> lines, std::vector<std::string> columns, ReadPolicy& policy, CsvFormat format);

  /// Moves to the next record; false at the end. Malformed records go to the policy.
  bool next();

  /// Field of the i-th named column, unquoted; valid until the next call of next().
  std::string_view field(std::size_t i) const;
  bool has(std::size_t i) const { return columns_[i] != missing; }
  /// The field as a whole number; throws BadRow if it is not one or does not fit 64 bits.
  int64_t integer(std::size_t i) const { return parse_integer(field(i), names_[i], *lines_, line_); }
  /// The field as a finite number.
  double number(std::size_t i) const { return parse_number(field(i), names_[i], *lines_, line_); }
  /// The same in single precision; throws BadRow if it is too large for that.
  float single(std::size_t i) const { return parse_single(field(i), names_[i], *lines_, line_); }
  /// Names of the columns read, and the type behind ':' in the header, if any.
  const std::vector<std::string>& names() const { return names_; }
  const std::string& type(std::size_t i) const { return types_[i]; }
  /// Place of a column among those read; throws Error naming all columns if it is not there.
  std::size_t column(const std::string& name) const;
  std::optional<std::size_t> find(const std::string& name) const;
  /// Throws Error if a column has no name: pandas writes its row numbers so.
  void check_named() const;
  const std::string& path() const { return lines_->path(); }
  const LineReader& lines() const { return *lines_; }

  /// Line on which the record starts, from 1.
  int64_t line() const { return line_; }
  /// Throws BadRow about the current record: `path:line: what: 'value'`.
  [[noreturn]] void reject(std::string_view what, std::string_view value) const { lines_->reject(line_, what, value); }

 private:
  static constexpr std::size_t missing = static_cast<std::size_t>(-1);
  [[noreturn]] void refuse_column(const std::string& name) const;
  bool read_record();
  enum class State { start, plain, quoted, closed };
  State parse(std::string_view line, State state);
  std::string_view raw_field(std::size_t i) const;

  ReadPolicy& policy_;
  std::unique_ptr<LineReader> lines_;
  CsvFormat format_;
  bool any_ = false;  // a record was read
  int64_t line_ = 1;
  std::string text_;               // the record's fields, unquoted, one after the other
  std::vector<std::size_t> ends_;  // where each field ends in text_
  std::vector<std::string> header_, names_, types_;
  std::vector<std::size_t> columns_;  // position in the record of each named column
  std::size_t width_ = 0;
};

}  // namespace seminar
