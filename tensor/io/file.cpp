#include "tensor/io/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <utility>

#include "tensor/error.h"

namespace seminar {
namespace {

// Calls f() again as long as a signal interrupts it.
template <class F>
auto retry(const F& f) {
  decltype(f()) result;
  do result = f();
  while (result < 0 && errno == EINTR);
  return result;
}

// The folder and the name in it.
std::pair<std::string, std::string> split_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

int open_file(const std::string& path, int flags, mode_t mode = 0) {
  return retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); });
}

std::string temporary_name(const std::string& path, const std::string& id) { return path + ".tmp." + id; }

// Makes a rename in `folder` last. Some file systems cannot sync a folder, and one may write where one may not read.
void sync_folder(const std::string& folder, const std::string& path) {
  const int fd = open_file(folder, O_RDONLY | O_DIRECTORY);
  if (fd < 0 && errno == EACCES) return;
  const int failed = fd < 0 || retry([&] { return ::fsync(fd); }) != 0 ? errno : 0;
  if (fd >= 0) ::close(fd);
  check(failed == 0 || failed == EINVAL || failed == EOPNOTSUPP, "{}: written, but its folder cannot be synced: {}",
        path, errno_text(failed));
}

// Removes what killed processes left beside `path`.
void remove_stale(const std::string& path) {
  const auto [folder, name] = split_path(path);
  const std::string prefix = temporary_name(name, "");
  DIR* entries = ::opendir(folder.c_str());
  if (!entries) return;
  while (const dirent* entry = ::readdir(entries)) {
    const std::string_view found = entry->d_name;
    pid_t process = 0;
    if (!found.starts_with(prefix)) continue;
    const auto [end, code] = std::from_chars(found.data() + prefix.size(), found.data() + found.size(), process);
    if (code == std::errc() && end == found.data() + found.size() && process > 0 && ::kill(process, 0) != 0 &&
        errno == ESRCH)
      ::unlink((folder + "/" + entry->d_name).c_str());
  }
  ::closedir(entries);
}

// The maps there are, for mapped_file_at() in a signal handler.
std::array<std::atomic<const MappedFile*>, 256> maps;

}  // namespace

AtomicFile::AtomicFile(std::string path)
    : path_(std::move(path)), temporary_(temporary_name(path_, fmt::format("{}", ::getpid()))) {
  fd_ = open_file(temporary_, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  check(fd_ >= 0, "{}: cannot be written: {}", path_, errno_text(errno));
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = retry([&] { return ::write(fd_, at, bytes); });
    check(n > 0, "{}: cannot be written: {}", path_, errno_text(n == 0 ? ENOSPC : errno));
    at += n;
    bytes -= static_cast<std::size_t>(n);
  }
}

void AtomicFile::commit() {
  check(retry([&] { return ::fsync(fd_); }) == 0, "{}: cannot be synced: {}", path_, errno_text(errno));
  // An interrupted close() has closed the file.
  if (const int fd = std::exchange(fd_, -1); ::close(fd) != 0 && errno != EINTR) {
    const int code = errno;
    ::unlink(temporary_.c_str());
    fail("{}: cannot be written: {}", path_, errno_text(code));
  }
  try {
    rename_synced(temporary_, path_);
  } catch (const Error&) {
    ::unlink(temporary_.c_str());
    throw;
  }
}

void rename_synced(const std::string& from, const std::string& to) {
  check(retry([&] { return ::rename(from.c_str(), to.c_str()); }) == 0, "{}: cannot be written: {}", to,
        errno_text(errno));
  sync_folder(split_path(to).first, to);
}

void check_writable(const std::string& path) {
  struct stat st {};
  check(::stat(path.c_str(), &st) != 0 || !S_ISDIR(st.st_mode), "{}: is a folder, a file is needed", path);
  remove_stale(path);
  const AtomicFile probe(path);
}

bool file_exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

void remove_file(const std::string& path) {
  check(::unlink(path.c_str()) == 0 || errno == ENOENT, "{}: cannot be removed: {}", path, errno_text(errno));
}

void write_file(const std::string& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

std::string read_file(const std::string& path, uint64_t limit) {
  FileReader reader(path);
  check(reader.size() <= limit, "{}: too large: {} bytes, at most {}", path, reader.size(), limit);
  // One byte more than there should be tells the end; a pipe has no size and grows as it is read.
  std::string text(reader.size() + 1, '\0');
  for (std::size_t done = 0;;) {
    done += reader.read(std::as_writable_bytes(std::span(text).subspan(done)));
    check(done <= limit, "{}: too large: more than {} bytes", path, limit);
    const bool end = done < text.size();
    text.resize(end ? done : 2 * done);
    if (end) return text;
  }
}

FileReader::FileReader(const std::string& path) : path_(path), fd_(open_file(path, O_RDONLY)) {
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
    const ssize_t n = retry([&] { return ::read(fd_, buffer.data() + done, buffer.size() - done); });
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
  for (auto& slot : maps)
    if (const MappedFile* none = nullptr; slot.compare_exchange_strong(none, this)) break;
}

MappedFile::~MappedFile() {
  for (auto& slot : maps)
    if (const MappedFile* self = this; slot.compare_exchange_strong(self, nullptr)) break;
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

const char* mapped_file_at(const void* address) noexcept {
  const std::byte* at = static_cast<const std::byte*>(address);
  for (const auto& slot : maps)
    if (const MappedFile* file = slot.load(); file && at >= file->bytes().data() && at < &file->bytes().back() + 1)
      return file->path().c_str();
  return nullptr;
}

}  // namespace seminar
