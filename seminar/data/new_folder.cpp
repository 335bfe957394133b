#include "seminar/data/new_folder.h"

#include <fmt/format.h>
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
  temporary_ = fmt::format("{}.tmp.{}", path_, ::getpid());
  fs::remove_all(temporary_, code);  // left by a killed process that had our id
  fs::create_directory(temporary_, code);
  check(!code, "{}: cannot be created: {}", dir, code.message());
}

NewFolder::~NewFolder() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

void NewFolder::commit() {
  rename_synced(temporary_, path_);
  temporary_.clear();
}

void check_new_folder(const std::string& dir) { const NewFolder probe(dir); }

}  // namespace seminar
