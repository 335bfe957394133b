#include "tensor/io/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
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

constexpr const char* temporary_mark = ".tmp.";

// Makes a rename in `folder` last. Some file systems cannot sync a folder, and one may write where one may not read.
void sync_folder(const std::string& folder, const std::string& path) {
  const int fd = open_file(folder, O_RDONLY | O_DIRECTORY);
  if (fd < 0 && errno == EACCES) return;
  const int failed = fd < 0 || retry([&] { return ::fsync(fd); }) != 0 ? errno : 0;
  if (fd >= 0) ::close(fd);
  check(failed == 0 || failed == EINVAL || failed == EOPNOTSUPP, "{}: written, but its folder cannot be synced: {}",
        path, errno_text(failed));
}

void rename_file(const std::string& from, const std::string& to, const std::string& path) {
  check(retry([&] { return ::rename(from.c_str(), to.c_str()); }) == 0, "{}: cannot be written: {}", path,
        errno_text(errno));
}

// True for "<number>.<number>", what make_temporary() puts behind the mark.
bool is_temporary_id(std::string_view id) {
  const std::size_t dot = id.find('.');
  const auto digits = [](std::string_view part) {
    return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return dot != std::string_view::npos && digits(id.substr(0, dot)) && digits(id.substr(dot + 1));
}

// The descriptor that a link of /proc/self/fd stands for, as /dev/stdout does; -1 if `path` is no such link.
int own_descriptor(const std::string& path) {
  const auto [folder, name] = split_path(path);
  char real[PATH_MAX];
  int descriptor = -1;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), descriptor);
  if (code != std::errc() || end != name.data() + name.size() || !::realpath(folder.c_str(), real)) return -1;
  return real == fmt::format("/proc/{}/fd", ::getpid()) ? descriptor : -1;
}

// What an output path names.
struct Destination {
  std::string path;      // the links followed
  int descriptor = -1;   // this process's own, as /dev/stdout
  bool through = false;  // a pipe or a device
  bool exists = false;
  struct stat status {};
};

// Throws Error for what cannot be written.
Destination destination_of(const std::string& path) {
  Destination to{path};
  constexpr int most_links = 40;
  for (int links = 0;; ++links) {
    to.descriptor = own_descriptor(to.path);
    if (to.descriptor >= 0 || ::lstat(to.path.c_str(), &to.status) != 0 || !S_ISLNK(to.status.st_mode)) break;
    check(links < most_links, "{}: cannot be written: {}", path, errno_text(ELOOP));
    char target[PATH_MAX];
    const ssize_t n = ::readlink(to.path.c_str(), target, sizeof target);
    check(n > 0 && n < PATH_MAX, "{}: cannot be written: {}", path, errno_text(n < 0 ? errno : ENAMETOOLONG));
    const std::string named(target, static_cast<std::size_t>(n));
    to.path = named.starts_with('/') ? named : split_path(to.path).first + "/" + named;
  }
  if (to.descriptor >= 0) {
    const int flags = ::fcntl(to.descriptor, F_GETFL);
    check(flags >= 0 && (flags & O_ACCMODE) != O_RDONLY, "{}: cannot be written: {}", path, errno_text(EBADF));
    to.through = to.exists = true;
    return to;
  }
  to.exists = ::stat(to.path.c_str(), &to.status) == 0;
  if (!to.exists) return to;
  const mode_t mode = to.status.st_mode;
  check(!S_ISDIR(mode), "{}: is a folder, a file is needed", path);
  check(!S_ISSOCK(mode) && !S_ISBLK(mode), "{}: is a {}, a file is needed", path, S_ISBLK(mode) ? "disk" : "socket");
  check(::access(to.path.c_str(), W_OK) == 0, "{}: cannot be written: {}", path, errno_text(errno));
  to.through = !S_ISREG(mode);
  return to;
}

// The maps there are, for mapped_file_at() in a signal handler.
std::array<std::atomic<const MappedFile*>, 256> maps;

}  // namespace

TemporaryName make_temporary(const std::string& path, bool folder) {
  static std::atomic<uint64_t> count{0};
  constexpr int most_tries = 10000;
  for (int tries = 0; tries < most_tries; ++tries) {
    const std::string name = fmt::format("{}{}{}.{}", path, temporary_mark, ::getpid(), count++);
    const int fd = !folder                            ? open_file(name, O_WRONLY | O_CREAT | O_EXCL, 0666)
                   : ::mkdir(name.c_str(), 0777) == 0 ? open_file(name, O_RDONLY | O_DIRECTORY)
                                                      : -1;
    if (fd < 0 && errno == EEXIST) continue;
    if (fd < 0) {
      const int code = errno;
      if (folder) ::rmdir(name.c_str());
      fail("{}: cannot be written: {}", path, errno_text(code));
    }
    // Between the two calls remove_stale() of another process may have taken it for left. Where there are no locks it
    // removes nothing.
    struct stat status {};
    const bool locked = ::flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    const int failed = ::fstat(fd, &status) != 0 ? errno : 0;
    if (locked && failed == 0 && status.st_nlink > 0) return {name, fd};
    ::close(fd);
    if (failed == 0) continue;
    std::remove(name.c_str());
    fail("{}: cannot be written: {}", path, errno_text(failed));
  }
  fail("{}: cannot be written: no temporary name is free", path);
}

void remove_stale(const std::string& path) {
  const auto [folder, name] = split_path(path);
  const std::string prefix = name + temporary_mark;
  DIR* entries = ::opendir(folder.c_str());
  if (!entries) return;
  while (const dirent* entry = ::readdir(entries)) {
    const std::string_view found = entry->d_name;
    if (!found.starts_with(prefix) || !is_temporary_id(found.substr(prefix.size()))) continue;
    const std::string left = folder + "/" + entry->d_name;
    const int fd = open_file(left, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) continue;
    // Its maker holds the lock as long as it lives.
    std::error_code ignored;
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) std::filesystem::remove_all(left, ignored);
    ::close(fd);
  }
  ::closedir(entries);
}

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  const Destination to = destination_of(path);
  if (to.through) {
    std::fflush(nullptr);  // what was printed to the same place before
    fd_ = to.descriptor >= 0 ? ::fcntl(to.descriptor, F_DUPFD_CLOEXEC, 3) : open_file(to.path, O_WRONLY);
    check(fd_ >= 0, "{}: cannot be written: {}", path_, errno_text(errno));
    return;
  }
  destination_ = to.path;
  const TemporaryName made = make_temporary(to.path);
  temporary_ = made.name;
  fd_ = made.descriptor;
  if (!to.exists) return;
  // Root keeps the owner of another's file as well. Whoever may not give it away owns the new one.
  [[maybe_unused]] const int given = ::fchown(fd_, to.status.st_uid, to.status.st_gid);
  [[maybe_unused]] const int kept = ::fchmod(fd_, to.status.st_mode & 07777);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  ::close(fd_);
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
  if (destination_.empty()) {
    const int fd = std::exchange(fd_, -1);
    check(::close(fd) == 0 || errno == EINTR, "{}: cannot be written: {}", path_, errno_text(errno));
    return;
  }
  check(retry([&] { return ::fsync(fd_); }) == 0, "{}: cannot be synced: {}", path_, errno_text(errno));
  // The lock is held until the file has its name. All bytes are on the disk, so closing can lose none.
  rename_file(temporary_, destination_, path_);
  ::close(std::exchange(fd_, -1));
  sync_folder(split_path(destination_).first, path_);
}

void rename_synced(const std::string& from, const std::string& to) {
  rename_file(from, to, to);
  sync_folder(split_path(to).first, to);
}

void check_writable(const std::string& path) {
  const Destination to = destination_of(path);
  if (to.through) return;  // opening a pipe would end it for its reader
  remove_stale(to.path);
  const AtomicFile probe(path);
}

bool written_through(const std::string& path) { return destination_of(path).through; }

bool same_file(const std::string& a, const std::string& b) {
  struct stat first {
  }, second{};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
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
