#include "seminar/studies/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "tensor/error.h"

namespace seminar {

FileLock::FileLock(const std::string& path, bool try_only)
    : descriptor_(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644)) {
  check(descriptor_ >= 0, "{}: cannot be made: is the folder there and writable?", path);
  held_ = flock(descriptor_, LOCK_EX | (try_only ? LOCK_NB : 0)) == 0;
}

FileLock::~FileLock() { close(descriptor_); }

}  // namespace seminar
