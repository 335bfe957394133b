#include "apps/serve/work_pool.h"

namespace seminar {

WorkPool::WorkPool(int64_t threads, int64_t queue)
    : queue_(static_cast<std::size_t>(queue)), idle_(static_cast<std::size_t>(threads)) {
  for (int64_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

WorkPool::~WorkPool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  came_.notify_all();
  for (std::thread& t : threads_) t.join();
}

bool WorkPool::submit(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= queue_ + idle_) return false;
    waiting_.push_back(std::move(work));
  }
  came_.notify_one();
  return true;
}

int64_t WorkPool::waiting() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(waiting_.size());
}

void WorkPool::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    came_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (ending_) return;
    std::function<void()> work = std::move(waiting_.front());
    waiting_.pop_front();
    --idle_;
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
    ++idle_;
  }
}

}  // namespace seminar
