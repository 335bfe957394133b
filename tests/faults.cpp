#include "tests/faults.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>

namespace seminar {

Faults faults;

namespace {

using Kind = Faults::Kind;

// Counts a call; the errno it fails with, 0 to let it through.
int fault(const char* name, bool interruptible, bool writes) {
  if (!faults.on) return 0;
  faults.trace.append(name) += ' ';
  const bool now = ++faults.calls == faults.at;
  int code = 0;
  if (now && faults.kind == Kind::no_space) code = ENOSPC;
  if (now && faults.kind == Kind::io_error) code = EIO;
  if (now && faults.kind == Kind::interrupted && interruptible) code = EINTR;
  if (faults.kind == Kind::full && faults.calls >= faults.at && writes) code = ENOSPC;
  if (code != 0) faults.hit = true;
  return code;
}

bool due(Kind kind) { return faults.on && faults.kind == kind && faults.calls == faults.at; }

void kill_if_due() {
  if (due(Kind::kill)) ::raise(SIGKILL);
}

// Fails as `code` says, or calls f().
template <class T, class F>
T call(int code, T failed, const F& f) {
  if (code == 0) {
    kill_if_due();
    return f();
  }
  errno = code;
  return failed;
}

// A read or write of `bytes`, half of them if that is the fault.
template <class F>
ssize_t transfer(int code, std::size_t bytes, const F& f) {
  if (code != 0) {
    errno = code;
    return -1;
  }
  if (due(Kind::half) && bytes > 1) {
    faults.hit = true;
    return f(bytes / 2);
  }
  if (due(Kind::kill)) f(bytes / 2);
  kill_if_due();
  return f(bytes);
}

}  // namespace
}  // namespace seminar

extern "C" {

// NOLINTBEGIN: names that the linker prescribes
int __real_open(const char* path, int flags, mode_t mode);
int __real_close(int fd);
int __real_fsync(int fd);
int __real_rename(const char* from, const char* to);
int __real_unlink(const char* path);
int __real_fstat(int fd, struct stat* st);
ssize_t __real_read(int fd, void* data, std::size_t bytes);
ssize_t __real_write(int fd, const void* data, std::size_t bytes);
void* __real_mmap(void* at, std::size_t bytes, int protection, int flags, int fd, off_t offset);

int __wrap_open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return seminar::call(seminar::fault("open", true, (flags & O_CREAT) != 0), -1,
                       [&] { return __real_open(path, flags, mode); });
}

// The file is closed even where close() fails.
int __wrap_close(int fd) {
  const int code = seminar::fault("close", true, false);
  seminar::kill_if_due();
  const int result = __real_close(fd);
  return seminar::call(code, -1, [&] { return result; });
}

int __wrap_fsync(int fd) {
  return seminar::call(seminar::fault("fsync", true, true), -1, [&] { return __real_fsync(fd); });
}

int __wrap_rename(const char* from, const char* to) {
  return seminar::call(seminar::fault("rename", true, false), -1, [&] { return __real_rename(from, to); });
}

int __wrap_unlink(const char* path) {
  return seminar::call(seminar::fault("unlink", false, false), -1, [&] { return __real_unlink(path); });
}

int __wrap_fstat(int fd, struct stat* st) {
  return seminar::call(seminar::fault("fstat", false, false), -1, [&] { return __real_fstat(fd, st); });
}

ssize_t __wrap_read(int fd, void* data, std::size_t bytes) {
  return seminar::transfer(seminar::fault("read", true, false), bytes,
                           [&](std::size_t n) { return __real_read(fd, data, n); });
}

ssize_t __wrap_write(int fd, const void* data, std::size_t bytes) {
  return seminar::transfer(seminar::fault("write", true, true), bytes,
                           [&](std::size_t n) { return __real_write(fd, data, n); });
}

void* __wrap_mmap(void* at, std::size_t bytes, int protection, int flags, int fd, off_t offset) {
  return seminar::call(seminar::fault("mmap", false, false), MAP_FAILED,
                       [&] { return __real_mmap(at, bytes, protection, flags, fd, offset); });
}
// NOLINTEND
}
