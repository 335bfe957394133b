// How fast the runtime is here, with a given model: opening, appending, ranking 100 candidates against 10,000
// behaviours.
//   runtime_speed MODEL [REPEATS]
#include <seminar.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

namespace {

constexpr int behaviours = 10000, candidates = 100, retrieved = 128;

using Clock = std::chrono::steady_clock;

double microseconds(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

void check(seminar_status status) {
  if (status == SEMINAR_OK) return;
  std::fprintf(stderr, "%s\n", seminar_last_error());
  std::exit(2);
}

void print(const char* what, std::vector<double> times) {
  std::sort(times.begin(), times.end());
  std::printf("%-40s p50 %9.2f us   p99 %9.2f us\n", what, times[times.size() / 2], times[times.size() * 99 / 100]);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const int repeats = argc > 2 ? std::atoi(argv[2]) : 200;
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) {
    seminar_model* again = nullptr;
    const auto begin = Clock::now();
    check(seminar_model_open(argv[1], nullptr, &again));
    times.push_back(microseconds(begin));
    seminar_model_close(again);
  }
  print("open, in the page cache", times);

  seminar_model* model = nullptr;
  seminar_model_info info;
  check(seminar_model_open(argv[1], nullptr, &model));
  check(seminar_model_describe(model, &info));
  std::mt19937 draw(1);
  const auto pair = [&] {
    return seminar_pair{static_cast<int32_t>(1 + draw() % static_cast<unsigned>(info.items)),
                        draw() % 4 == 0 ? static_cast<int32_t>(draw() % static_cast<unsigned>(info.queries)) : 0,
                        nullptr};
  };
  for (const int32_t codes : {0, 1}) {
    if (codes && !info.has_codes) continue;
    const seminar_user_options options{behaviours, retrieved, codes, nullptr};
    seminar_user* user = nullptr;
    check(seminar_user_create(model, &options, &user));
    times.clear();
    for (int i = 0; i < 2 * behaviours; ++i) {
      const seminar_pair p = pair();
      const auto begin = Clock::now();
      check(seminar_user_append(user, &p));
      times.push_back(microseconds(begin));
    }
    print(codes ? "append a behaviour, with its codes" : "append a behaviour", times);
    std::vector<seminar_pair> asked(candidates);
    std::vector<float> scores(candidates);
    times.clear();
    for (int i = 0; i < repeats; ++i) {
      std::generate(asked.begin(), asked.end(), pair);
      const auto begin = Clock::now();
      check(seminar_rank(user, asked.data(), asked.size(), scores.data(), nullptr));
      times.push_back(microseconds(begin));
    }
    print(codes ? "rank 100 against 10,000, K = 128, codes" : "rank 100 against 10,000, K = 128, exact", times);
    seminar_user_destroy(user);
  }
  seminar_model_close(model);
  return 0;
}
