// The one place that reads and writes files. Every output goes to a temporary name in the same folder, is synced and
// then renamed, and the folder is synced: a reader finds the old file or the new one, never a part, after a crash too.
// Calls that a signal interrupts are repeated, short reads and writes go on; anything else is an Error `path: …`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace seminar {

/// Writes a file that appears under `path` only on commit(). Dropped without commit, it leaves nothing behind. The file
/// keeps the mode of one that it replaces. Links are followed: the file that they name is written. Pipes and devices
/// are written as they are, byte by byte.
class AtomicFile {
 public:
  /// Throws Error if the folder does not exist or cannot be written, or if `path` names a folder, a socket or a disk.
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void write(const std::string& text) { write(text.data(), text.size()); }
  /// Syncs, renames, syncs the folder.
  void commit();

 private:
  std::string path_;         // as it was given, for messages
  std::string destination_;  // what it names; empty for a pipe or a device
  std::string temporary_;
  int fd_ = -1;
};

/// A name beside `path` that no other process or thread uses, for a file or with `folder` for a folder that is made
/// there. Its descriptor holds a lock (flock) as long as it is open, by which a name that somebody still uses is told
/// from one that a killed process left.
struct TemporaryName {
  std::string name;
  int descriptor;
};
/// Throws Error `path: …`. A new file has mode 0666 and a folder 0777, both without the bits of the umask.
TemporaryName make_temporary(const std::string& path, bool folder = false);
/// Removes the temporary files and folders of `path` that killed processes left.
void remove_stale(const std::string& path);

/// True for a pipe or a device, which are written through. Such an output has no place for other files beside it.
bool written_through(const std::string& path);
/// True if both paths name the same file or folder, through links as well. False if one is missing.
bool same_file(const std::string& a, const std::string& b);

/// Throws Error unless a file could be written there: called before long work, not after it. Calls remove_stale().
void check_writable(const std::string& path);
void write_file(const std::string& path, const std::string& text);
/// The whole file (or pipe); throws Error if it cannot be read or is larger than `limit` bytes.
std::string read_file(const std::string& path, uint64_t limit = uint64_t{1} << 30);
/// Renames a file or a folder, in place of `to` if there is one, and syncs the folder it stands in.
void rename_synced(const std::string& from, const std::string& to);
bool file_exists(const std::string& path);
/// Removes a file if it is there.
void remove_file(const std::string& path);

/// A file read forward, piece by piece.
class FileReader {
 public:
  /// Throws Error if it cannot be opened or is a folder.
  explicit FileReader(const std::string& path);
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;
  uint64_t size() const { return size_; }
  int descriptor() const { return fd_; }
  /// Fills `buffer` as far as the file reaches; 0 at the end.
  std::size_t read(std::span<std::byte> buffer);

 private:
  std::string path_;
  int fd_;
  uint64_t size_ = 0;
};

/// Writes a copy, atomically as AtomicFile.
void copy_file(const std::string& from, const std::string& to);

/// A file mapped read-only. The pages are read when touched; touching what another program has cut off meanwhile raises
/// SIGBUS, where mapped_file_at() tells the file.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// The path of the mapped file at an address, null if there is none. May be called in a signal handler.
const char* mapped_file_at(const void* address) noexcept;

}  // namespace seminar
