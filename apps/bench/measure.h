// Measuring two ways to do the same work: interleaved repeats, medians, ratios with their spread.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace seminar::bench {

using Work = std::function<void()>;

/// One comparison: medians of one execution, in µs unless said; the ratio is rival / ours.
struct Line {
  std::string work, rival;
  double goal = 0;  ///< the ratio wanted; 0: none
  bool at_most = false;
  double ours = 0, theirs = 0;
  double ratio = 0, low = 0, high = 0;  ///< median and quartiles over the repeats
  std::string note;                     ///< recall, share of the machine's limit
  std::string unit = "µs";
  bool met() const { return at_most ? ratio <= goal : ratio >= goal; }
};

/// Microseconds of one call, of as many as take a millisecond together.
double time_of(const Work& work);
/// `repeats` times both, one after the other.
Line compare(const std::string& work, const std::string& rival, double goal, int repeats, const Work& ours,
             const Work& theirs);
/// The same where the rival measures itself: `theirs` gives µs.
Line compare_timed(const std::string& work, const std::string& rival, double goal, int repeats, const Work& ours,
                   const std::function<double()>& theirs);

/// GB/s at which `bytes` bytes are read again and again by one thread.
double read_speed(int64_t bytes);
/// "12 % of 85 GB/s": `bytes` read in `microseconds` against read_speed of as much.
std::string share_of_reading(int64_t bytes, double microseconds);
/// GFLOPS of matrix products, 512 x 512 x 512, by all threads.
double product_speed();

void print(const std::vector<Line>& lines);
std::string json(const std::vector<Line>& lines);

// The suites. `rivals`: folder of the rivals' programs (tests/rivals).
std::vector<Line> retrieval_suite(const std::string& rivals, int repeats);
std::vector<Line> engine_suite(const std::string& rivals, int repeats);
std::vector<Line> train_suite(const std::string& rivals, int repeats);

}  // namespace seminar::bench
