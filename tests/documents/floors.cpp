#include "tests/documents/floors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "tensor/error.h"

namespace seminar {

std::vector<Room> rooms(const std::string& list) {
  std::vector<Room> all;
  std::istringstream stream(list);
  for (std::string line; std::getline(stream, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t first = line.find(" | "), last = line.rfind(" | ");
    check(first != std::string::npos && first != last, "floors: a line is 'name | holds | rooms': '{}'", line);
    Room room{line.substr(0, first), line.substr(first + 3, last - first - 3), {}};
    std::istringstream names(line.substr(last + 3));
    for (std::string name; names >> name;)
      if (name != "nothing") room.may_include.push_back(name);
    all.push_back(std::move(room));
  }
  const auto place = [&](const std::string& name) {
    return std::find_if(all.begin(), all.end(), [&](const Room& room) { return room.name == name; });
  };
  for (auto room = all.begin(); room != all.end(); ++room) {
    check(place(room->name) == room, "floors: '{}' is there twice", room->name);
    for (const std::string& name : room->may_include)
      check(place(name) > room && place(name) != all.end(), "floors: '{}' may include '{}', which is not below it",
            room->name, name);
  }
  return all;
}

std::string floors_picture(const std::vector<Room>& rooms) {
  std::size_t name = std::string("room").size(), holds = std::string("holds").size();
  for (const Room& room : rooms) {
    name = std::max(name, room.name.size());
    holds = std::max(holds, room.holds.size());
  }
  std::string picture = fmt::format("{:{}}   {:{}}   may include\n\n", "room", name, "holds", holds);
  for (const Room& room : rooms)
    picture += fmt::format("{:{}}   {:{}}   {}\n", room.name, name, room.holds, holds,
                           room.may_include.empty() ? "nothing" : fmt::format("{}", fmt::join(room.may_include, ", ")));
  return picture;
}

}  // namespace seminar
