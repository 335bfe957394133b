#include "tests/documents/quotes.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <sstream>

#include "tensor/error.h"
#include "tensor/io/file.h"
#include "tests/documents/counts.h"
#include "tests/documents/floors.h"

namespace seminar {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// How many more brackets a line of C++ opens than it closes, outside strings and comments; and its last character.
std::pair<int, char> nesting(const std::string& line) {
  int depth = 0;
  char quote = 0, last = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote) {
      if (c == '\\') ++i;
      if (c == quote) quote = 0;
    } else if (c == '/' && line.compare(i, 2, "//") == 0) {
      break;
    } else if (c == '"' || (c == '\'' && !(i > 0 && std::isdigit(static_cast<unsigned char>(line[i - 1]))))) {
      quote = c;
    } else if (c == '{' || c == '(' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ')' || c == ']') {
      --depth;
    }
    if (c != ' ') last = c;
  }
  return {depth, last};
}

// The text between a marker's "<!-- kind: " and " -->" if the line is one.
std::string marked(const std::string& line, const std::string& kind) {
  const std::string begin = "<!-- " + kind + ": ", end = " -->";
  if (!line.starts_with(begin) || !line.ends_with(end)) return "";
  return line.substr(begin.size(), line.size() - begin.size() - end.size());
}

std::string source_quote(const std::string& what) {
  const std::size_t colon = what.find(": ");
  check(colon != std::string::npos, "quote: needs 'FILE: BEGINNING OF A LINE': {}", what);
  try {
    return quoted_block(repository_file(what.substr(0, colon)), what.substr(colon + 2));
  } catch (const Error& e) {
    fail("quote {}: {}", what, e.what());
  }
}

}  // namespace

std::vector<std::string> documents() {
  std::vector<std::string> paths{"README.md", "CONTRIBUTING.md"};
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(SEMINAR_SOURCE_DIR) / "docs"))
    if (entry.path().extension() == ".md") paths.push_back(fs::relative(entry.path(), SEMINAR_SOURCE_DIR).string());
  std::sort(paths.begin() + 2, paths.end());
  return paths;
}

std::string repository_file(const std::string& path) { return read_file(SEMINAR_SOURCE_DIR "/" + path); }

std::string quoted_block(const std::string& source, const std::string& start) {
  const std::vector<std::string> lines = lines_of(source);
  const auto begins = [&](const std::string& line) {
    const std::size_t text = line.find_first_not_of(' ');
    return text != std::string::npos && line.compare(text, start.size(), start) == 0;
  };
  const auto count = std::count_if(lines.begin(), lines.end(), begins);
  check(count == 1, "{} lines begin with '{}', not one", count, start);
  auto line = std::find_if(lines.begin(), lines.end(), begins);
  const std::size_t indent = line->find_first_not_of(' ');
  std::string block;
  for (int depth = 0; line != lines.end(); ++line) {
    block += line->substr(std::min(indent, line->size())) + "\n";
    const auto [opened, last] = nesting(*line);
    depth += opened;
    if (depth <= 0 && (last == ';' || last == '}')) return block;
  }
  fail("what begins with '{}' does not end", start);
}

std::string program_output(const std::string& command) {
  FILE* pipe = ::popen(fmt::format("'{}/'{}", SEMINAR_BIN_DIR, command).c_str(), "r");
  check(pipe != nullptr, "{}: cannot be run", command);
  std::string out;
  std::array<char, 4096> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) out.append(buffer.data(), n);
  const int status = ::pclose(pipe);
  check(status == 0, "{}: ended with status {}", command, status);
  return out;
}

std::string refreshed(const std::string& document, double tolerance) {
  const std::vector<std::string> lines = lines_of(document);
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    out += with_counts(lines[i], tolerance) + "\n";
    const std::string quote = marked(lines[i], "quote"), output = marked(lines[i], "output"),
                      picture = marked(lines[i], "picture");
    if (quote.empty() && output.empty() && picture.empty()) continue;
    check(i + 1 < lines.size() && lines[i + 1].starts_with("```"), "{}: no block follows", lines[i]);
    out += lines[++i] + "\n";
    if (!quote.empty()) out += source_quote(quote);
    if (!output.empty()) out += program_output(output);
    if (!picture.empty()) out += floors_picture(rooms(repository_file(picture)));
    while (++i < lines.size() && lines[i] != "```") continue;
    check(i < lines.size(), "a block does not end: {}{}{}", quote, output, picture);
    out += "```\n";
  }
  return out;
}

}  // namespace seminar
