// What training does, step by step, for other programs to draw: TensorBoard's event files and CSV.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace seminar {

using Scalars = std::vector<std::pair<std::string, double>>;

/// An event file of TensorBoard: records of a length, its CRC, a protocol buffer `Event` and its CRC.
class EventFile {
 public:
  /// Makes a new file in `folder`, which is made if it is not there. Throws Error if it cannot be written.
  explicit EventFile(const std::string& folder);
  /// One value per tag at a step. Throws Error if it cannot be written.
  void add(int64_t step, const Scalars& values);

 private:
  void write_event(const std::string& event);
  std::string path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

/// A CSV file with a column per value. The columns are those of the first row.
class CsvLog {
 public:
  /// Goes on with an older file if `resume`. Throws Error if it cannot be written.
  CsvLog(const std::string& path, bool resume);
  void add(int64_t step, const Scalars& values);

 private:
  std::string path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  bool has_header_;
};

}  // namespace seminar
