// The ranks that work on one job together, and how bytes go between them. Knows nothing of MPI
// (apps/commands/world_mpi.cpp) nor of gradients (gradient_sum.h).
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace seminar {

/// All ranks make the same calls in the same order. Throws Error where the engine beneath fails.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int64_t rank() const = 0;
  virtual int64_t size() const = 0;

  /// What every rank gives, by rank.
  virtual std::vector<std::string> all_gather(std::string_view mine) = 0;
  /// parts[r] goes to rank r; what every rank sent here, by rank.
  virtual std::vector<std::string> all_to_all(std::span<const std::string> parts) = 0;

  /// Starts sending block r of `send` to rank r and receiving one from each, all of `bytes` bytes. The buffers stay as
  /// they are until wait() of the ticket that is returned.
  virtual int64_t start_all_to_all(const void* send, void* receive, int64_t bytes) = 0;
  /// Starts giving block rank() of `blocks` to all and receiving theirs.
  virtual int64_t start_all_gather(void* blocks, int64_t bytes) = 0;
  virtual void wait(int64_t ticket) = 0;
  /// Lets what was started go on; cheap.
  virtual void progress() = 0;

  /// Bytes given to other ranks so far: all_gather counts what it gives once for each of them, and it and all_to_all
  /// 8 bytes more for each, its length.
  int64_t sent() const { return sent_; }

 protected:
  int64_t sent_ = 0;
};

/// One rank, itself.
Communicator& alone();

/// The lists of all ranks one after the other.
template <class T>
std::vector<T> all_gather(Communicator& world, std::span<const T> mine) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (world.size() == 1) return {mine.begin(), mine.end()};
  std::vector<T> all;
  for (const std::string& part : world.all_gather({reinterpret_cast<const char*>(mine.data()), mine.size_bytes()})) {
    all.resize(all.size() + part.size() / sizeof(T));
    if (!part.empty()) std::memcpy(all.data() + all.size() - part.size() / sizeof(T), part.data(), part.size());
  }
  return all;
}

/// True if it is for every rank.
bool all_agree(Communicator& world, bool mine);

/// Which of n things, kept in whole blocks of `block`, a rank takes care of: neighbours, about the same number each.
struct Share {
  int64_t begin, end;
};
Share share_of(const Communicator& world, int64_t n, int64_t block);

}  // namespace seminar
