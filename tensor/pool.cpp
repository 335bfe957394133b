#include "tensor/pool.h"

#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

#include "tensor/error.h"

namespace seminar::pool {
namespace {

#ifndef __has_feature  // of clang; gcc defines __SANITIZE_ADDRESS__
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
constexpr bool keeps_blocks = false;
#else
constexpr bool keeps_blocks = true;
#endif

// Sizes are rounded up to a quarter of their power of two: at most 25 % is wasted, and a freed block is found again.
struct SizeClass {
  std::size_t index, bytes;
};

SizeClass size_class(std::size_t bytes) {
  if (bytes <= 256) bytes = 256;
  const int log = std::bit_width(bytes - 1) - 1;  // 2^log < bytes ≤ 2^(log+1)
  const std::size_t base = std::size_t{1} << log, step = base / 4;
  const std::size_t quarter = (bytes - base + step - 1) / step;
  return {static_cast<std::size_t>(log) * 4 + quarter, base + quarter * step};
}

double mebibytes(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

// Freed blocks of a size form a list that stands in the blocks themselves: giving one back needs no memory.
struct FreeBlock {
  FreeBlock* next;
};

struct Pool {
  std::mutex mutex;
  FreeBlock* free[64 * 4 + 5] = {};
  Stats stats;
  int64_t limit = 0;

  void trim() {
    for (FreeBlock*& list : free)
      while (list) std::free(std::exchange(list, list->next));
    stats.cached_bytes = 0;
  }
  // Of the system; if it has none, what is cached goes back first.
  void* from_system(std::size_t bytes) {
    void* block = std::aligned_alloc(alignment, bytes);
    if (!block && stats.cached_bytes > 0) {
      trim();
      block = std::aligned_alloc(alignment, bytes);
    }
    if (!block) throw std::bad_alloc();
    ++stats.system_calls;
    return block;
  }
  // Makes room for a new block, by what is cached if need be.
  void check_limit(std::size_t bytes) {
    if (limit == 0) return;
    const int64_t more = static_cast<int64_t>(bytes);
    if (stats.live_bytes + stats.cached_bytes + more > limit) trim();
    check(stats.live_bytes + more <= limit,
          "memory: {:.1f} MiB more on top of {:.1f} MiB would pass the limit of {:.1f} MiB", mebibytes(more),
          mebibytes(stats.live_bytes), mebibytes(limit));
  }
};

// Never destroyed: tensors with static lifetime may be released after main.
Pool& instance() {
  static Pool* pool = new Pool;
  return *pool;
}

}  // namespace

void* allocate(std::size_t bytes) {
  const SizeClass size = size_class(bytes);
  Pool& p = instance();
  std::lock_guard lock(p.mutex);
  FreeBlock*& list = p.free[size.index];
  void* block = list;
  if (list) {
    list = list->next;
    p.stats.cached_bytes -= static_cast<int64_t>(size.bytes);
  } else {
    p.check_limit(size.bytes);
    block = p.from_system(size.bytes);
  }
  p.stats.live_bytes += static_cast<int64_t>(size.bytes);
  if (p.stats.live_bytes > p.stats.peak_bytes) p.stats.peak_bytes = p.stats.live_bytes;
  return block;
}

void release(void* block, std::size_t bytes) noexcept {
  const SizeClass size = size_class(bytes);
  Pool& p = instance();
  std::lock_guard lock(p.mutex);
  p.stats.live_bytes -= static_cast<int64_t>(size.bytes);
  if (!keeps_blocks) {
    std::free(block);
    return;
  }
  p.free[size.index] = new (block) FreeBlock{p.free[size.index]};
  p.stats.cached_bytes += static_cast<int64_t>(size.bytes);
}

bool caching() { return keeps_blocks; }

Stats stats() {
  std::lock_guard lock(instance().mutex);
  return instance().stats;
}

void reset_peak() {
  std::lock_guard lock(instance().mutex);
  instance().stats.peak_bytes = instance().stats.live_bytes;
}

void set_limit(int64_t bytes) {
  std::lock_guard lock(instance().mutex);
  instance().limit = bytes;
}

void trim() {
  std::lock_guard lock(instance().mutex);
  instance().trim();
}

}  // namespace seminar::pool
