#include "tensor/parallel.h"

#include <omp.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <mutex>

#include "tensor/error.h"

namespace seminar {
namespace {

// Read before main: later gemm sets OpenMP's own number to 1, so that BLAS calls stay on their thread.
int thread_count = omp_get_max_threads();

}  // namespace

int threads() { return thread_count; }

void set_threads(int n) {
  check(n >= 1 && n <= 1024, "threads: must be from 1 to 1024: {}", n);
  thread_count = n;
}

void parallel_blocks(int64_t n, int64_t grain, BlockFunction run, const void* context) {
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
#pragma omp parallel for schedule(static) num_threads(team)
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
  if (error) std::rethrow_exception(error);
}

}  // namespace seminar
