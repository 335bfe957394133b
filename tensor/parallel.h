// The one place where work is spread over threads. Blocks have a fixed size, whatever the number of threads, and
// every block owns its output: results are the same bits for any thread count.
#pragma once

#include <cstdint>

namespace seminar {

/// Threads used by parallel_for; 1 or more. The default is OMP_NUM_THREADS or the number of cores.
int threads();
/// Sets the number of threads, for the whole process; throws Error below 1. OpenMP's own settings stay as they are.
void set_threads(int n);

/// While alive, this thread and every parallel_for that it calls take numbers below the smallest normal one (1.2e-38 in
/// float) for 0. Such numbers cost a hundred times what others cost; an optimizer's running means would stay there for
/// ever. The thread's mode is put back at the end.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  uint64_t before_;
};

using BlockFunction = void (*)(const void* context, int64_t begin, int64_t end);
/// The untyped form of parallel_for.
void parallel_blocks(int64_t n, int64_t grain, BlockFunction run, const void* context);

/// Calls f(begin, end) for consecutive blocks of `grain` indices that cover [0, n). Inside another parallel_for it runs
/// serially. The exception of the lowest failing block is thrown again after all blocks have ended.
template <class F>
void parallel_for(int64_t n, int64_t grain, const F& f) {
  parallel_blocks(
      n, grain, [](const void* c, int64_t begin, int64_t end) { (*static_cast<const F*>(c))(begin, end); }, &f);
}

/// Elements in a block of a loop over single elements.
inline constexpr int64_t element_grain = 16384;

/// A grain so that one block of rows of `row_cost` elements holds about `element_grain` elements.
inline int64_t row_grain(int64_t row_cost) {
  const int64_t rows = element_grain / (row_cost < 1 ? 1 : row_cost);
  return rows < 1 ? 1 : rows;
}

}  // namespace seminar
