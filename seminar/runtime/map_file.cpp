#include "seminar/runtime/map_file.h"

#ifdef __wasm__

namespace seminar::runtime {

seminar_status map_file(const char* path, MappedBytes&) {
  return failed(SEMINAR_UNSUPPORTED, "%s: no files in WebAssembly: use seminar_model_open_memory", path);
}
void unmap(const MappedBytes&) {}

}  // namespace seminar::runtime

#else

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace seminar::runtime {

seminar_status map_file(const char* path, MappedBytes& out) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed(SEMINAR_BAD_FILE, "%s: cannot open: %s", path, std::strerror(errno));
  struct stat info;
  seminar_status status = SEMINAR_OK;
  if (::fstat(fd, &info) != 0)
    status = failed(SEMINAR_BAD_FILE, "%s: cannot read: %s", path, std::strerror(errno));
  else if (!S_ISREG(info.st_mode) || info.st_size == 0)
    status = failed(SEMINAR_BAD_FILE, "%s: not a model: %s", path, S_ISREG(info.st_mode) ? "empty" : "no regular file");
  if (status == SEMINAR_OK && static_cast<uint64_t>(info.st_size) > SIZE_MAX)
    status = failed(SEMINAR_NO_MEMORY, "%s: too large for this machine: %lld bytes", path,
                    static_cast<long long>(info.st_size));
  if (status == SEMINAR_OK) {
    void* data = ::mmap(nullptr, static_cast<std::size_t>(info.st_size), PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED)
      status = failed(SEMINAR_BAD_FILE, "%s: cannot map: %s", path, std::strerror(errno));
    else
      out = {static_cast<const std::byte*>(data), static_cast<std::size_t>(info.st_size), true};
  }
  ::close(fd);
  return status;
}

void unmap(const MappedBytes& file) {
  if (file.mapped) ::munmap(const_cast<std::byte*>(file.data), file.size);
}

}  // namespace seminar::runtime

#endif
