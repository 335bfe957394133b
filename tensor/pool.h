// Aligned memory with a cache of freed blocks, so that a training step allocates nothing from the system after
// the first ones. Thread-safe. Under AddressSanitizer nothing is cached, so that it sees every block.
#pragma once

#include <cstddef>
#include <cstdint>

namespace seminar::pool {

/// Alignment of every block in bytes: one cache line, one AVX-512 register.
inline constexpr std::size_t alignment = 64;

struct Stats {
  int64_t live_bytes = 0;    ///< handed out now
  int64_t peak_bytes = 0;    ///< most ever handed out since reset_peak()
  int64_t cached_bytes = 0;  ///< kept for reuse
  int64_t system_calls = 0;  ///< blocks asked from the system so far
};

/// At least `bytes` of memory, 64-byte aligned, not initialised. Throws Error beyond the limit, std::bad_alloc if the
/// system has no more even after it got all cached blocks back.
void* allocate(std::size_t bytes);
/// Gives a block of allocate(bytes) back to the cache. Needs no memory itself.
void release(void* block, std::size_t bytes) noexcept;
Stats stats();
/// Whether freed blocks are kept; not under AddressSanitizer, which is to see every use of freed memory.
bool caching();
void reset_peak();
/// From now on blocks in use and cached stay below `bytes` together (0: no limit).
void set_limit(int64_t bytes);
/// Returns all cached blocks to the system.
void trim();

}  // namespace seminar::pool
