#include "apps/serve/metrics.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace seminar {
namespace {

// Bytes of this process in memory.
int64_t resident_bytes() {
  long pages = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return int64_t{pages} * ::sysconf(_SC_PAGESIZE);
}

// One number with its help and type.
std::string plain(const char* name, const char* type, const char* help, int64_t value) {
  return fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, type, value);
}

}  // namespace

void Metrics::ranked(int64_t candidates, double seconds) {
  candidates_ += candidates;
  sum_ += seconds;
  ++ranked_;
  for (std::size_t i = 0; i < bounds.size(); ++i) within_[i] += seconds <= bounds[i];
}

std::string Metrics::text(const Now& now) const {
  std::string out = "# HELP seminar_requests_total Answers by status.\n# TYPE seminar_requests_total counter\n";
  for (const auto& [status, count] : answers_)
    out += fmt::format("seminar_requests_total{{status=\"{}\"}} {}\n", status, count);
  out += plain("seminar_candidates_total", "counter", "Candidates ranked.", candidates_);
  out += "# HELP seminar_rank_seconds Time to rank a request's candidates.\n# TYPE seminar_rank_seconds histogram\n";
  for (std::size_t i = 0; i < bounds.size(); ++i)
    out += fmt::format("seminar_rank_seconds_bucket{{le=\"{}\"}} {}\n", bounds[i], within_[i]);
  out += fmt::format(
      "seminar_rank_seconds_bucket{{le=\"+Inf\"}} {}\nseminar_rank_seconds_sum {}\nseminar_rank_seconds_count {}\n",
      ranked_, sum_, ranked_);
  out += plain("seminar_connections", "gauge", "Open connections.", now.connections);
  out += plain("seminar_waiting", "gauge", "Requests that wait to be ranked.", now.waiting);
  out += fmt::format(
      "# HELP seminar_model_info The model in use, by its file's checksum.\n# TYPE seminar_model_info gauge\n"
      "seminar_model_info{{checksum=\"{}\"}} 1\n",
      now.model);
  return out + plain("process_resident_memory_bytes", "gauge", "Memory in use.", resident_bytes());
}

}  // namespace seminar
