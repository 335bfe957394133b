// Work beside the threads that read and write: a few threads behind a queue of limited length, and a limit on the
// memory that waits in it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace seminar {

/// Threads that do work in the order in which it came.
class WorkPool {
 public:
  /// `queue` pieces of work may wait beside those that are being done.
  WorkPool(int64_t threads, int64_t queue);
  /// Ends what is being done, forgets what waits.
  ~WorkPool();
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;
  /// False, and the work is not taken, while the queue is full. The work must not throw.
  bool submit(std::function<void()> work);
  int64_t waiting() const;

 private:
  void run();
  const std::size_t queue_;
  mutable std::mutex mutex_;
  std::condition_variable came_;
  std::deque<std::function<void()>> waiting_;
  std::size_t idle_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

/// Bytes that may be in use at once.
class MemoryBudget {
 public:
  explicit MemoryBudget(int64_t bytes) : left_(bytes) {}
  /// False, and nothing is taken, if there are not as many left.
  bool take(int64_t bytes) {
    int64_t left = left_;
    while (left >= bytes)
      if (left_.compare_exchange_weak(left, left - bytes)) return true;
    return false;
  }
  void give(int64_t bytes) { left_ += bytes; }

 private:
  std::atomic<int64_t> left_;
};

/// When work is too late, or not wanted any more.
struct Deadline {
  std::chrono::steady_clock::time_point end = std::chrono::steady_clock::time_point::max();
  const std::atomic<bool>* given_up = nullptr;
  bool over() const { return (given_up && *given_up) || std::chrono::steady_clock::now() >= end; }
};

}  // namespace seminar
