// What GET /metrics tells, in Prometheus' text format.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace seminar {

/// Of one thread.
class Metrics {
 public:
  void answered(unsigned status) { ++answers_[status]; }
  void ranked(int64_t candidates, double seconds);
  /// What is true at the moment it is asked.
  struct Now {
    int64_t connections, waiting;
    std::string model;
  };
  std::string text(const Now& now) const;

 private:
  static constexpr std::array bounds{0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0};
  std::map<unsigned, int64_t> answers_;
  int64_t candidates_ = 0, ranked_ = 0;
  std::array<int64_t, bounds.size()> within_{};
  double sum_ = 0;
};

}  // namespace seminar
