// The order of the house: includes go downward only between the rooms of docs/floors.txt, and no file is long.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

constexpr int most_lines = 400;
const fs::path root = SEMINAR_SOURCE_DIR;

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream in(path);
  REQUIRE_MESSAGE(in, path.string());
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Paths below the root, sorted, of the files in `folders` with one of these extensions.
std::vector<std::string> files_in(const std::vector<std::string>& folders, const std::set<std::string>& extensions) {
  std::vector<std::string> files;
  for (const std::string& folder : folders)
    for (const auto& entry : fs::recursive_directory_iterator(root / folder))
      if (entry.is_regular_file() && extensions.count(entry.path().extension().string()))
        files.push_back(fs::relative(entry.path(), root).string());
  std::sort(files.begin(), files.end());
  return files;
}

struct Room {
  std::string name;
  std::vector<std::string> below;  // the rooms that it names
  std::set<std::string> allowed;   // these, theirs, and itself
};

// docs/floors.txt, from the ground up.
struct House {
  std::map<std::string, Room> rooms;

  House() {
    std::vector<std::string> lines = lines_of(root / "docs/floors.txt");
    std::reverse(lines.begin(), lines.end());
    for (const std::string& line : lines) {
      if (line.empty() || line[0] == '#') continue;
      CAPTURE(line);
      const std::size_t first = line.find(" | "), last = line.rfind(" | ");
      REQUIRE(first != std::string::npos);
      REQUIRE(first < last);
      Room room{line.substr(0, first), {}, {}};
      room.allowed.insert(room.name);
      std::istringstream names(line.substr(last + 3));
      for (std::string name; names >> name;) {
        if (name == "nothing") continue;
        REQUIRE_MESSAGE(rooms.count(name), name << " must stand below " << room.name);
        room.below.push_back(name);
        room.allowed.insert(rooms.at(name).allowed.begin(), rooms.at(name).allowed.end());
      }
      REQUIRE(!rooms.count(room.name));
      rooms.emplace(room.name, room);
    }
  }

  // The room of a file: the longest name that is its folder, or its path without the extension. Empty if there is none.
  std::string of(const std::string& file) const {
    for (fs::path path = fs::path(file).replace_extension(); !path.empty(); path = path.parent_path())
      if (rooms.count(path.string())) return path.string();
    return "";
  }

  // What is wrong with the line `#include "header"` in `file`; empty if nothing is.
  std::string fault(const std::string& file, const std::string& header) const {
    const std::string room = of(file), other = of(header);
    if (room.empty()) return file + ": lies in no room of docs/floors.txt";
    if (other.empty()) return file + ": includes " + header + ", which lies in no room of docs/floors.txt";
    if (!rooms.at(room).allowed.count(other))
      return file + ": includes " + header + ": " + room + " may not see " + other;
    return "";
  }
};

}  // namespace

TEST_SUITE("house") {
  TEST_CASE("includes go downward only, and are written from the root") {
    const House house;
    const std::vector<std::string> files =
        files_in({"apps", "autograd", "nn", "pq", "seminar", "tensor"}, {".cpp", ".h", ".c"});
    CHECK(files.size() > 150);
    std::set<std::string> filled;
    int includes = 0;
    for (const std::string& file : files) {
      if (file.starts_with("apps/tour/write/")) continue;  // exercises, which stand alone
      filled.insert(house.of(file));
      for (const std::string& line : lines_of(root / file)) {
        if (!line.starts_with("#include \"")) continue;
        ++includes;
        const std::string fault = house.fault(file, line.substr(10, line.find('"', 10) - 10));
        CHECK_MESSAGE(fault.empty(), fault);
      }
    }
    CHECK(includes > 500);
    for (const auto& room : house.rooms)
      CHECK_MESSAGE(filled.count(room.first), room.first << ": a room without a file");
  }

  TEST_CASE("an include that goes up, sideways or out of the house is found") {
    const House house;
    CHECK(house.of("seminar/settings.h") == "seminar/settings");
    CHECK(house.of("seminar/data/batch.cpp") == "seminar/data");
    CHECK(house.of("seminar/lost.cpp").empty());
    CHECK(house.fault("nn/layers.cpp", "tensor/tensor.h").empty());
    CHECK(house.fault("apps/main.cpp", "tensor/tensor.h").empty());
    CHECK(house.fault("tensor/tensor.cpp", "nn/layers.h") ==
          "tensor/tensor.cpp: includes nn/layers.h: tensor may not see nn");
    for (const auto& [file, header] : std::vector<std::pair<std::string, std::string>>{
             {"pq/kmeans.cpp", "autograd/var.h"},
             {"seminar/data/batch.h", "seminar/model/fusion.h"},
             {"seminar/model/psu.cpp", "seminar/baselines/authors_losses.h"},
             {"seminar/runtime/model.cpp", "nn/layers.h"},
             {"seminar/clip/clip.cpp", "seminar/retrieval/retriever.h"},
             {"seminar/settings.cpp", "apps/cli.h"},
             {"seminar/lost.cpp", "tensor/tensor.h"},
             {"nn/layers.cpp", "layers.h"},
             {"nn/layers.cpp", "tests/tiny_data.h"}})
      CHECK_FALSE(house.fault(file, header).empty());
  }

  TEST_CASE("no source file is longer than 400 lines") {
    // One file holds the reading edition on purpose. Tables that a program wrote are no sources.
    const std::string reading_edition = "apps/tour/seminar_from_scratch.cpp";
    const std::set<std::string> sources{".cpp", ".h", ".c", ".mjs", ".css", ".html", ".sh", ".in"};
    const std::vector<std::string> files =
        files_in({"apps", "autograd", "nn", "pq", "seminar", "tensor", "tests"}, sources);
    CHECK(files.size() > 200);
    for (const std::string& file : files) {
      const std::size_t lines = lines_of(root / file).size();
      CHECK_MESSAGE((lines <= most_lines || file == reading_edition), file << ": " << lines << " lines");
    }
  }
}
