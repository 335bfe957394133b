// Tables in whatever form people have them: fields between commas, semicolons, tabs or bars with a header line, or one
// JSON object a line. The form is found out by the first lines; records come one by one.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "seminar/data/csv.h"

namespace seminar {

class Table {
 public:
  /// Opens a file ("-": standard input); `separator` 0 is found out. Throws Error if the file cannot be read or has no
  /// records.
  Table(const std::string& path, ReadPolicy& policy, char separator = 0);
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  /// Columns of a header; of JSON lines the members of the first records, those of nested objects joined by dots.
  const std::vector<std::string>& columns() const { return columns_; }
  /// Place of a column; throws Error naming the nearest and all columns if it is not there.
  std::size_t column(const std::string& name) const;
  /// What the file was taken for: "fields between semicolons, Windows-1252".
  std::string form() const;
  char separator() const { return separator_; }
  const std::string& path() const { return path_; }

  /// Moves to the next record; false at the end. Unusable records go to the policy.
  bool next();
  /// The field without spaces around it, valid until the next call; a JSON text as it is, other values as JSON writes
  /// them, nothing for null and what is missing.
  std::string_view field(std::size_t column) const { return record_.fields[column]; }
  int64_t line() const { return record_.line; }
  /// Throws BadRow `path:line: what: 'value'`.
  [[noreturn]] void reject(std::string_view what, std::string_view value) const;

  /// A column's fields in the first records, which are read again by next().
  std::vector<std::string> sample(std::size_t column) const;
  /// How many records sample() looks at.
  std::size_t sample_size() const { return first_.size(); }

 private:
  struct Record {
    int64_t line = 0;
    std::vector<std::string> fields;
  };
  bool read(Record& record);
  bool read_object(nlohmann::json& object, int64_t& line);
  std::string path_;
  ReadPolicy& policy_;
  char separator_;
  std::unique_ptr<LineReader> lines_;  // of JSON
  std::unique_ptr<CsvReader> csv_;
  std::vector<std::string> columns_;
  std::deque<Record> first_;  // records read ahead
  std::size_t at_ = 0;        // of first_
  Record record_;
};

/// The line as a JSON object, by the strict reader of tensor/io/json.h; throws BadRow for anything else.
nlohmann::json object_of(const LineReader& lines);

/// The names most like `name`, the nearest first, none that is quite different.
std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& names);
/// The parts of a list as people write them: [1, 2], ['a', "b"], a|b, a;b or a,b; `spaces` part it if nothing else
/// does.
std::vector<std::string> list_parts(std::string_view text, bool spaces);

}  // namespace seminar
