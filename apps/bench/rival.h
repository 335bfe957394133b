// A rival in a process of its own: it is told what to do in a line and answers with microseconds in a line.
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <string>

namespace seminar::bench {

class Rival {
 public:
  /// Starts `program` with the arguments and, for the shell, "NAME=VALUE …"; missing() if there is no such program.
  Rival(const std::string& program, const std::string& arguments, const std::string& environment = "");
  ~Rival();
  Rival(const Rival&) = delete;
  Rival& operator=(const Rival&) = delete;
  bool missing() const { return to_ == nullptr; }
  /// The rival's answer to a line, the first number of it; `rest` (may be null) gets what follows. Throws Error if it
  /// ended.
  double ask(const std::string& line, std::string* rest = nullptr);

 private:
  FILE *to_ = nullptr, *from_ = nullptr;
  pid_t process_ = -1;
  std::string program_;
};

}  // namespace seminar::bench
