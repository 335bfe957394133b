#include "tensor/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "tensor/error.h"

namespace seminar {
namespace {

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

int open_retrying(const char* path, int flags, mode_t mode = 0) {
  int fd;
  do fd = ::open(path, flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  return fd;
}

}  // namespace

AtomicFile::AtomicFile(std::string path)
    : path_(std::move(path)), temporary_(fmt::format("{}.tmp.{}", path_, ::getpid())) {
  fd_ = open_retrying(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  check(fd_ >= 0, "{}: cannot be written: {}", path_, errno_text(errno));
}

AtomicFile::~AtomicFile() { close_and_remove(); }

void AtomicFile::close_and_remove() noexcept {
  if (fd_ < 0) return;
  ::close(fd_);
  fd_ = -1;
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = ::write(fd_, at, bytes);
    if (n < 0 && errno == EINTR) continue;
    check(n > 0, "{}: cannot be written: {}", path_, errno_text(n == 0 ? ENOSPC : errno));
    at += n;
    bytes -= static_cast<std::size_t>(n);
  }
}

void AtomicFile::commit() {
  check(::fsync(fd_) == 0, "{}: cannot be synced: {}", path_, errno_text(errno));
  const int closed = ::close(std::exchange(fd_, -1));
  if (closed != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int code = errno;
    ::unlink(temporary_.c_str());
    fail("{}: cannot be written: {}", path_, errno_text(code));
  }
  const int folder = open_retrying(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
}

void check_writable(const std::string& path) {
  struct stat st {};
  check(::stat(path.c_str(), &st) != 0 || !S_ISDIR(st.st_mode), "{}: is a folder, a file is needed", path);
  const AtomicFile probe(path);
}

void write_file(const std::string& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

std::string read_file(const std::string& path, uint64_t limit) {
  FileReader reader(path);
  check(reader.size() <= limit, "{}: too large: {} bytes, at most {}", path, reader.size(), limit);
  std::string text(reader.size(), '\0');
  text.resize(reader.read(std::as_writable_bytes(std::span(text))));
  return text;
}

FileReader::FileReader(const std::string& path) : path_(path), fd_(open_retrying(path.c_str(), O_RDONLY)) {
  check(fd_ >= 0, "{}: cannot be opened: {}", path, errno_text(errno));
  struct stat st {};
  const int failed = ::fstat(fd_, &st) != 0 ? errno : S_ISDIR(st.st_mode) ? EISDIR : 0;
  if (failed) {
    ::close(fd_);
    fail("{}: cannot be read: {}", path, errno_text(failed));
  }
  size_ = static_cast<uint64_t>(st.st_size);
}

FileReader::~FileReader() { ::close(fd_); }

std::size_t FileReader::read(std::span<std::byte> buffer) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t n = ::read(fd_, buffer.data() + done, buffer.size() - done);
    if (n < 0 && errno == EINTR) continue;
    check(n >= 0, "{}: cannot be read: {}", path_, errno_text(errno));
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

void copy_file(const std::string& from, const std::string& to) {
  FileReader reader(from);
  AtomicFile writer(to);
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  while (const std::size_t n = reader.read(buffer)) writer.write(buffer.data(), n);
  writer.commit();
}

MappedFile::MappedFile(const std::string& path) : path_(path) {
  const FileReader reader(path);
  size_ = reader.size();
  if (size_ == 0) return;
  void* map = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, reader.descriptor(), 0);
  check(map != MAP_FAILED, "{}: cannot be mapped: {}", path, errno_text(errno));
  data_ = static_cast<const std::byte*>(map);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace seminar
