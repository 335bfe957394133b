#include "tensor/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

#include "tensor/error.h"

namespace seminar {
namespace {

std::atomic<int>& thread_count() {
  static std::atomic<int> count{omp_get_max_threads()};
  return count;
}

// The thread's control word for floating point, and its bits that flush denormal results and inputs to 0.
#if defined(__SSE__)
constexpr uint64_t flush_bits = 0x8040;
uint64_t float_mode() { return _mm_getcsr(); }
void set_float_mode(uint64_t mode) { _mm_setcsr(static_cast<unsigned>(mode)); }
#elif defined(__aarch64__)
constexpr uint64_t flush_bits = uint64_t{1} << 24;
uint64_t float_mode() {
  uint64_t mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
void set_float_mode(uint64_t mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
#else
constexpr uint64_t flush_bits = 0;
uint64_t float_mode() { return 0; }
void set_float_mode(uint64_t) {}
#endif

// Sets the mode of this thread until the end of a scope.
struct FloatMode {
  uint64_t before = float_mode();
  explicit FloatMode(uint64_t mode) { set_float_mode(mode); }
  ~FloatMode() { set_float_mode(before); }
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;
};

}  // namespace

int threads() { return thread_count().load(std::memory_order_relaxed); }

void set_threads(int n) {
  check(n >= 1 && n <= 1024, "threads: must be from 1 to 1024: {}", n);
  thread_count().store(n, std::memory_order_relaxed);
}

FlushDenormals::FlushDenormals() : before_(float_mode()) { set_float_mode(before_ | flush_bits); }
FlushDenormals::~FlushDenormals() { set_float_mode(before_); }

void parallel_blocks(int64_t n, int64_t grain, BlockFunction run, const void* context) {
  if (grain < 1) throw Bug(fmt::format("parallel_for: the grain must be at least 1: {}", grain));
  if (n <= 0) return;
  const int64_t blocks = (n + grain - 1) / grain;
  const int team = static_cast<int>(std::min<int64_t>(blocks, threads()));
  if (team == 1 || omp_in_parallel()) {
    for (int64_t b = 0; b < blocks; ++b) run(context, b * grain, std::min(n, (b + 1) * grain));
    return;
  }
  std::mutex mutex;
  std::exception_ptr error;
  int64_t error_block = std::numeric_limits<int64_t>::max();
  // Equal shares, not the next block for whoever is free: a thread then finds in its cache what it wrote an op before.
  // Every thread computes in the caller's mode for floating point.
  const uint64_t mode = float_mode();
#pragma omp parallel num_threads(team)
  {
    const FloatMode guard(mode);
#pragma omp for schedule(static)
    for (int64_t b = 0; b < blocks; ++b) {
      try {
        run(context, b * grain, std::min(n, (b + 1) * grain));
      } catch (...) {
        std::lock_guard lock(mutex);
        if (b < error_block) {
          error_block = b;
          error = std::current_exception();
        }
      }
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace seminar
