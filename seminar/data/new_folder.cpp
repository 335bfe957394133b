#include "seminar/data/new_folder.h"

#include <unistd.h>

#include <filesystem>

#include "tensor/error.h"
#include "tensor/io/file.h"

namespace fs = std::filesystem;

namespace seminar {

NewFolder::NewFolder(const std::string& dir) {
  check(!dir.empty(), "output folder: the name is empty");
  std::error_code code;
  fs::path path = fs::absolute(dir, code).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // a trailing slash
  check(fs::is_directory(path.parent_path(), code), "{}: cannot be created: its parent folder {} does not exist", dir,
        path.parent_path().string());
  const fs::file_status status = fs::symlink_status(path, code);
  const bool empty = fs::is_directory(status) && fs::is_empty(path, code) && !code;
  check(!fs::exists(status) || empty, "{}: exists already and is not an empty folder; choose another name or remove it",
        dir);
  path_ = path.string();
  remove_stale(path_);
  const TemporaryName made = make_temporary(path_, true);
  temporary_ = made.name;
  lock_ = made.descriptor;
  if (empty) fs::permissions(temporary_, status.permissions(), code);  // it takes the place of that folder
}

NewFolder::~NewFolder() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
  ::close(lock_);
}

void NewFolder::commit() {
  rename_synced(temporary_, path_);
  temporary_.clear();
}

void check_new_folder(const std::string& dir) { const NewFolder probe(dir); }

}  // namespace seminar
