#include "pq/select.h"

#include <algorithm>
#include <cmath>

#include "pq/scan_kernels.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t at_a_time = 4096;  // scores whose indices stand on the stack
constexpr int64_t max_ranked = 768;  // above, sorting is faster than comparing all with all

}  // namespace

int64_t select_reaching(int64_t n, const real* scores, int64_t first, real bound, Found* found) {
  int64_t count = 0;
  bool is_number = true;
  int32_t places[at_a_time + kernel_lanes];
  const auto part = [&](int64_t from, int64_t to, int64_t position) {
    for (int64_t begin = from; begin < to; begin += at_a_time) {
      const int64_t reached = scan_kernels().select_ge(std::min(at_a_time, to - begin), scores + begin, bound, places);
      for (int64_t i = 0; i < reached; ++i) {
        const int64_t place = begin + places[i];
        is_number = is_number && !std::isnan(scores[place]);
        found[count++] = {scores[place], static_cast<int32_t>(place + position)};
      }
    }
  };
  part(first, n, -first);
  part(0, first, n - first);
  return is_number ? count : -1;
}

int64_t keep_top(int64_t count, int64_t k, Found* found) {
  const int64_t kept = std::min(count, k);
  if (count <= max_ranked) {
    Found given[max_ranked];
    real scores[max_ranked];
    int32_t ranks[max_ranked];
    for (int64_t i = 0; i < count; ++i) {
      given[i] = found[i];
      scores[i] = found[i].score;
    }
    scan_kernels().ranks(count, scores, ranks);
    for (int64_t i = 0; i < count; ++i)
      if (ranks[i] < kept) found[ranks[i]] = given[i];
    return kept;
  }
  const auto better = [](const Found& a, const Found& b) {
    return a.score != b.score ? a.score > b.score : a.position < b.position;
  };
  if (count > kept) std::nth_element(found, found + kept - 1, found + count, better);
  std::sort(found, found + kept, better);
  return kept;
}

int64_t select_top(int64_t n, const real* scores, int64_t first, int64_t k, Found* found) {
  const real bound = n > k ? scan_kernels().top_bound(n, scores, k) : -static_cast<real>(INFINITY);
  const int64_t count = select_reaching(n, scores, first, bound, found);
  return count < 0 ? count : keep_top(count, k, found);
}

}  // namespace seminar::inline SEMINAR_PRECISION
