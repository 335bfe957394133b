#include "seminar/distributed/scaling.h"

#include <algorithm>
#include <chrono>

namespace seminar {
namespace {

constexpr double number_bytes = 4, id_bytes = 4;
constexpr int trials = 20, repeats = 20;
constexpr int64_t long_message = 1 << 20;

// The least time of a few trials of f, each repeated.
template <class F>
double best_time(const F& f) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  for (int t = 0; t < trials; ++t) {
    const Clock::time_point begin = Clock::now();
    for (int i = 0; i < repeats; ++i) f();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - begin).count() / repeats);
  }
  return best;
}

}  // namespace

StepTime predict(const StepModel& m, int64_t ranks, double batch, bool sharded) {
  const double n = static_cast<double>(ranks), others = n - 1;
  const double waiting = m.cores > 0 ? std::max(1.0, n / static_cast<double>(m.cores)) : 1;
  const double row = id_bytes + number_bytes * static_cast<double>(m.width);
  const double own = std::min(m.table, m.rows * batch / n), all = std::min(m.table, own * n);
  StepTime t;
  t.compute = (m.target * batch / n + m.update) * waiting;
  const double dense_bytes = 2 * others / n * number_bytes * static_cast<double>(m.dense);
  t.dense = dense_bytes / m.bandwidth + 2 * others * static_cast<double>(m.buckets) * m.latency;
  // Replicated: gradients to the owners, sums of an owner's rows to all. Sharded: ids to the owners, rows from them,
  // gradients to them.
  const double row_bytes =
      sharded ? own * others / n * (id_bytes + 2 * row) : own * others / n * row + others * all / n * row;
  t.rows = row_bytes / m.bandwidth + (sharded ? 3 : 4) * others * m.latency;
  t.bytes = dense_bytes + row_bytes;
  t.memory = 3 * number_bytes * static_cast<double>(m.width) * m.table / (sharded ? n : 1);
  return t;
}

Network measure_network(Communicator& world) {
  const double others = static_cast<double>(world.size() - 1);
  std::string send(static_cast<std::size_t>(long_message * world.size()), 0), receive = send;
  const auto exchange = [&](int64_t bytes) {
    return [&, bytes] { world.wait(world.start_all_to_all(send.data(), receive.data(), bytes)); };
  };
  const double latency = best_time(exchange(8)) / others, long_time = best_time(exchange(long_message)) / others;
  return {latency, static_cast<double>(long_message) / std::max(1e-9, long_time - latency)};
}

}  // namespace seminar
