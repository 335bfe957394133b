#include "tests/documents/counts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <sstream>

#include "tensor/error.h"
#include "tests/documents/quotes.h"
#include "tests/documents/references.h"

namespace seminar {
namespace {

namespace fs = std::filesystem;

std::string with_commas(int64_t n) {
  std::string digits = std::to_string(n);
  for (std::ptrdiff_t at = std::ssize(digits) - 3; at > 0; at -= 3) digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

std::vector<std::string> files_of(const std::string& patterns) {
  std::vector<std::string> files;
  for (const std::string& pattern : words_of(patterns)) {
    const std::size_t before = files.size();
    std::copy_if(repository_files().begin(), repository_files().end(), std::back_inserter(files),
                 [&](const std::string& file) { return fits(file, pattern); });
    check(files.size() > before, "count: no file '{}'", pattern);
  }
  return files;
}

std::optional<int64_t> kilobytes(const std::string& program) {
#ifdef SEMINAR_RELEASE
  const fs::path path = program == "seminar.wasm" ? fs::path(SEMINAR_SOURCE_DIR "/build/wasm/bin/seminar.wasm")
                                                  : fs::path(SEMINAR_BIN_DIR) / program;
  if (fs::exists(path)) return (static_cast<int64_t>(fs::file_size(path)) + 500) / 1000;
#else
  (void)program;
#endif
  return {};
}

}  // namespace

int64_t code_lines(const std::string& source) {
  std::istringstream stream(source);
  int64_t lines = 0, depth = 0;
  bool in_row = false;
  for (std::string line; std::getline(stream, line);) {
    in_row = in_row || line.starts_with("OP_ROW(");
    if (in_row) {
      for (const char c : line) depth += c == '(' ? 1 : c == ')' ? -1 : 0;
      in_row = depth > 0;
      continue;
    }
    const std::size_t text = line.find_first_not_of(' ');
    lines += text != std::string::npos && line.compare(text, 2, "//") != 0;
  }
  return lines;
}

std::optional<int64_t> counted(const std::string& kind, const std::string& what) {
  if (kind == "kB") return kilobytes(what);
  const std::vector<std::string> files = files_of(what);
  if (kind == "files") return std::ssize(files);
  check(kind == "lines" || kind == "code lines", "count: no kind '{}'", kind);
  int64_t n = 0;
  for (const std::string& file : files) {
    const std::string text = repository_file(file);
    n += kind == "lines" ? std::count(text.begin(), text.end(), '\n') : code_lines(text);
  }
  return n;
}

std::string with_counts(const std::string& line, double tolerance) {
  static const std::regex marked("([0-9][0-9,]*)<!-- ([^:>]+): ([^>]+) -->");
  std::string out;
  std::string::const_iterator done = line.begin();
  for (std::sregex_iterator m(line.begin(), line.end(), marked), end; m != end; ++m) {
    const std::string kind = (*m)[2];
    std::string written = (*m)[1];
    if (const std::optional<int64_t> n = counted(kind, (*m)[3])) {
      std::string digits = written;
      digits.erase(std::remove(digits.begin(), digits.end(), ','), digits.end());
      const double error = std::abs(std::strtod(digits.c_str(), nullptr) - static_cast<double>(*n));
      if (error > (kind == "files" ? 0 : tolerance) * static_cast<double>(*n)) written = with_commas(*n);
    }
    out.append(done, (*m)[1].first);
    out += written;
    done = (*m)[1].second;
  }
  return out.append(done, line.end());
}

}  // namespace seminar
