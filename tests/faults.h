// Faults of the operating system at a chosen call. A program that is linked with faults.cpp and the linker's --wrap
// (CMakeLists.txt, file_calls) sends its calls through here; the product knows nothing of it.
#pragma once

#include <cstdint>
#include <string>

namespace seminar {

struct Faults {
  enum class Kind {
    none,
    no_space,     ///< ENOSPC
    io_error,     ///< EIO
    interrupted,  ///< EINTR, where Linux gives it
    half,         ///< half of a read or a write
    full,         ///< ENOSPC for this and every later open for writing, write and fsync
    kill          ///< SIGKILL, in the middle of a write
  };
  bool on = false;
  Kind kind = Kind::none;
  int64_t at = 0;     ///< the call that fails, from 1
  int64_t calls = 0;  ///< since start()
  bool hit = false;   ///< the fault has happened
  std::string trace;  ///< the calls' names, one space after each

  /// Counts calls from now on and lets the n-th fail.
  void start(Kind with, int64_t n) { *this = {true, with, n, 0, false, {}}; }
  void stop() { on = false; }
};

extern Faults faults;

}  // namespace seminar
