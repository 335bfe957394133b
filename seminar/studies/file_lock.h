// A lock between processes that share a folder. It goes with its holder, however that ends.
#pragma once

#include <string>

namespace seminar {

class FileLock {
 public:
  /// Takes the lock file at `path`, made if need be; waits for another holder, or with `try_only` returns without it.
  /// Throws Error if the file cannot be made.
  FileLock(const std::string& path, bool try_only);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  bool held() const { return held_; }

 private:
  int descriptor_;
  bool held_;
};

}  // namespace seminar
