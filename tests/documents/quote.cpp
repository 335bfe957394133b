// Writes the quoted blocks of the documents anew: build/release/bin/quote
#include <fmt/core.h>

#include <exception>

#include "tensor/io/file.h"
#include "tests/documents/quotes.h"

int main() {
  using namespace seminar;
  try {
    for (const std::string& path : documents()) {
      const std::string before = repository_file(path), after = refreshed(before, 0);
      if (after == before) continue;
      write_file(SEMINAR_SOURCE_DIR "/" + path, after);
      fmt::print("{}\n", path);
    }
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 2;
  }
  return 0;
}
