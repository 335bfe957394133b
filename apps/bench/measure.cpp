#include "apps/bench/measure.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "tensor/gemm.h"
#include "tensor/io/print.h"
#include "tensor/kernels.h"
#include "tensor/parallel.h"

namespace seminar::bench {
namespace {

constexpr double enough = 1000;  // µs that a measurement takes at least

double once(const Work& work, int64_t times) {
  const auto begin = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < times; ++i) work();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

Line summary(const std::string& work, const std::string& rival, double goal, const std::vector<double>& ours,
             const std::vector<double>& theirs) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < ours.size(); ++i) ratios.push_back(theirs[i] / ours[i]);
  Line line;
  line.work = work;
  line.rival = rival;
  line.goal = goal;
  line.ours = quantile(ours, 0.5);
  line.theirs = quantile(theirs, 0.5);
  line.ratio = quantile(ratios, 0.5);
  line.low = quantile(ratios, 0.25);
  line.high = quantile(ratios, 0.75);
  return line;
}

}  // namespace

double time_of(const Work& work) {
  const double first = once(work, 1);
  const auto times = std::max<int64_t>(1, static_cast<int64_t>(enough / std::max(first, 0.01)));
  return first >= enough ? first : once(work, times) / static_cast<double>(times);
}

Line compare(const std::string& work, const std::string& rival, double goal, int repeats, const Work& ours,
             const Work& theirs) {
  return compare_timed(work, rival, goal, repeats, ours, [&] { return time_of(theirs); });
}

Line compare_timed(const std::string& work, const std::string& rival, double goal, int repeats, const Work& ours,
                   const std::function<double()>& theirs) {
  std::vector<double> own, other;
  ours();  // memory that is kept has been taken
  theirs();
  // Threads that have worked look out for more for some milliseconds, in the other one's way.
  const auto rest = [] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); };
  for (int i = 0; i < repeats; ++i) {
    rest();
    own.push_back(time_of(ours));
    rest();
    other.push_back(theirs());
  }
  return summary(work, rival, goal, own, other);
}

double read_speed(int64_t bytes) {
  const Tensor x = Tensor::full({bytes / static_cast<int64_t>(sizeof(real))}, 1);
  volatile real sink = 0;
  std::vector<double> times;
  for (int i = 0; i < 7; ++i) times.push_back(time_of([&] { sink = sink + kernels().sum(x.numel(), x.data()); }));
  return static_cast<double>(bytes) / quantile(times, 0.5) / 1e3;
}

std::string share_of_reading(int64_t bytes, double microseconds) {
  const double limit = read_speed(bytes);
  return fmt::format("{:.0f} % of {:.0f} GB/s", 100 * static_cast<double>(bytes) / microseconds / 1e3 / limit, limit);
}

double product_speed() {
  constexpr int64_t n = 512;
  Rng rng(1);
  const Tensor a = Tensor::normal({n, n}, rng, 1), b = Tensor::normal({n, n}, rng, 1);
  Tensor c = Tensor::empty({n, n});
  std::vector<double> times;
  for (int i = 0; i < 7; ++i) times.push_back(time_of([&] { matmul_into(c, a, b, false); }));
  return 2.0 * n * n * n / quantile(times, 0.5) / 1e3;
}

void print(const std::vector<Line>& lines) {
  print_out("{:<55} {:>12}  {:<32} {:>12} {:>7}  {:<15} {:>7}  {}\n", "work", "ours", "rival", "rival's", "ratio",
            "quartiles", "goal", "");
  for (const Line& l : lines)
    print_out("{:<55} {:>9.1f} {}  {:<32} {:>9.1f} {} {:>7.2f}  {:<15} {:>7}  {:<8} {}\n", l.work, l.ours, l.unit,
              l.rival, l.theirs, l.unit, l.ratio, fmt::format("{:.2f} - {:.2f}", l.low, l.high),
              l.goal == 0 ? "" : fmt::format("{} {:g}", l.at_most ? "≤" : "≥", l.goal),
              l.goal == 0 ? ""
              : l.met()   ? "met"
                          : "not met",
              l.note);
}

std::string json(const std::vector<Line>& lines) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Line& l : lines) {
    nlohmann::ordered_json line{{"work", l.work}, {"rival", l.rival},   {"unit", l.unit},
                                {"ours", l.ours}, {"theirs", l.theirs}, {"ratio", l.ratio},
                                {"low", l.low},   {"high", l.high},     {"note", l.note}};
    if (l.goal != 0) {
      line[l.at_most ? "goal_at_most" : "goal_at_least"] = l.goal;
      line["met"] = l.met();
    }
    all.push_back(std::move(line));
  }
  return all.dump(2);
}

}  // namespace seminar::bench
