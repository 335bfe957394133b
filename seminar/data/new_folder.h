// Output folders, written whole or not at all.
#pragma once

#include <string>

namespace seminar {

/// A folder that appears under its name only on commit(). Dropped without commit, it leaves nothing behind.
class NewFolder {
 public:
  /// Throws Error unless `dir` could be created: its parent must exist and be writable, it must itself be missing or an
  /// empty folder.
  explicit NewFolder(const std::string& dir);
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  /// Where the files are written until then.
  const std::string& temporary() const { return temporary_; }
  void commit();

 private:
  std::string path_, temporary_;
  int lock_;  // held while the folder has its temporary name
};

/// Throws Error unless NewFolder(dir) would work: called before long work, not after it.
void check_new_folder(const std::string& dir);

}  // namespace seminar
