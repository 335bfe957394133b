// Small data sets through the importers: written, imported, read back by the ids of their source.
#pragma once

#include <doctest/doctest.h>
#include <zlib.h>

#include <filesystem>

#include "seminar/data/import.h"
#include "tests/tiny_data.h"

namespace seminar {

namespace fs = std::filesystem;

inline ImportOptions lenient(int64_t min_length = 1) {
  ImportOptions options;
  options.filter.min_length = min_length;
  return options;
}

inline Dataset imported(const TemporaryFolder& folder, const std::string& kind, const std::string& source,
                        const ImportOptions& options) {
  fs::remove_all(folder / "data");
  import_dataset(kind, source, folder / "data", options);
  Dataset data = Dataset::open(folder / "data");
  data.verify();
  return data;
}

inline int64_t user_number(const Dataset& data, std::string_view id) {
  for (int64_t u = 0; u < data.users(); ++u)
    if (data.original_user(u) == id) return u;
  return -1;
}

// "item/query" of a user's behaviours, in order.
inline std::vector<std::string> history(const Dataset& data, std::string_view user) {
  std::vector<std::string> out;
  const int64_t u = user_number(data, user);
  for (std::size_t i = 0; i < data.user_items(u).size(); ++i)
    out.push_back(
        fmt::format("{}/{}", data.original_item(data.user_items(u)[i]), data.query_text(data.user_queries(u)[i])));
  return out;
}

inline std::vector<std::string> attributes(const Dataset& data, std::string_view item) {
  std::vector<std::string> out;
  for (int32_t i = 1; i <= data.items(); ++i)
    if (data.original_item(i) == item)
      for (int32_t a : data.item_attributes(i)) out.emplace_back(data.attribute(a));
  return out;
}

inline void write_gzip(const std::string& path, const std::string& text) {
  const gzFile file = gzopen(path.c_str(), "wb");
  REQUIRE(gzwrite(file, text.data(), static_cast<unsigned>(text.size())) == static_cast<int>(text.size()));
  REQUIRE(gzclose(file) == Z_OK);
}

// A folder with one RecBole file of these rows.
inline void write_recbole(const std::string& dir, const std::string& rows,
                          const std::string& header = "user_id:token\titem_id:token\ttimestamp:float") {
  fs::create_directories(dir);
  write_file(dir + "/a.inter", header + "\n" + rows);
}

}  // namespace seminar
