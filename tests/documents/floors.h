// The rooms of the house and what each may include, as docs/floors.txt lists them.
#pragma once

#include <string>
#include <vector>

namespace seminar {

/// One line of docs/floors.txt.
struct Room {
  std::string name;                      ///< a folder, or the files of that name: "nn", "seminar/settings"
  std::string holds;                     ///< what is in it, for the README
  std::vector<std::string> may_include;  ///< names of rooms; what these may include is allowed as well
};

/// The rooms of a list in the form of docs/floors.txt, in its order: top floor first. Throws Error for a line that is
/// not "name | holds | rooms", a name that is there twice, and a room that may include one that does not stand below
/// it.
std::vector<Room> rooms(const std::string& list);

/// The rooms as the README shows them: one line a room, in columns.
std::string floors_picture(const std::vector<Room>& rooms);

}  // namespace seminar
