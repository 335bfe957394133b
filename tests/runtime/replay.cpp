// Ranks the requests of a fixture with the runtime alone, on whatever machine it is built for: scores must agree to
// 1e-5, retrieved behaviours exactly.
//   replay_requests MODEL REQUESTS WIDE_MODEL
#include <seminar.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "tests/runtime/fixture.h"

namespace {

std::vector<seminar_pair> pairs_of(const std::vector<int>& numbers) {
  std::vector<seminar_pair> pairs;
  for (std::size_t i = 0; i < numbers.size(); i += 2) pairs.push_back({numbers[i], numbers[i + 1], nullptr});
  return pairs;
}

bool ok(seminar_status status) {
  if (status != SEMINAR_OK) std::fprintf(stderr, "%s\n", seminar_last_error());
  return status == SEMINAR_OK;
}

// The largest difference to the expected scores; -1 if the retrieved behaviours differ or something failed.
double replay(const seminar_model* model, const RankRequest& r) {
  seminar_user_options options;
  if (!ok(seminar_user_defaults(model, &options))) return -1;
  options.k = r.k;
  options.codes = r.codes;
  seminar_user* user = nullptr;
  if (!ok(seminar_user_create(model, &options, &user))) return -1;
  bool fine = true;
  for (const seminar_pair& behaviour : pairs_of(r.history)) fine &= ok(seminar_user_append(user, &behaviour));
  const std::vector<seminar_pair> candidates = pairs_of(r.candidates);
  std::vector<float> scores(candidates.size());
  std::vector<int32_t> retrieved(candidates.size() * static_cast<std::size_t>(r.k));
  const seminar_reasons reasons{retrieved.data(), nullptr};
  fine &= ok(seminar_rank(user, candidates.data(), candidates.size(), scores.data(), &reasons));
  seminar_user_destroy(user);
  double worst = 0;
  for (std::size_t i = 0; i < scores.size(); ++i)
    worst = std::max(worst, std::fabs(static_cast<double>(scores[i]) - static_cast<double>(r.scores[i])));
  for (std::size_t i = 0; i < retrieved.size(); ++i) fine &= retrieved[i] == r.retrieved[i];
  return fine ? worst : -1;
}

// How many of these mistakes were not refused.
int accepted_mistakes(seminar_model* model) {
  seminar_user* user = nullptr;
  seminar_model* other = nullptr;
  float score = 0;
  const seminar_pair good{1, 0, nullptr}, no_item{0, 0, nullptr}, no_query{1, -1, nullptr};
  const seminar_user_options no_history{0, 1, 0, nullptr}, k_too_large{5, 1000001, 0, nullptr};
  if (!ok(seminar_user_create(model, nullptr, &user))) return 1;
  const seminar_status mistakes[] = {
      seminar_model_open(nullptr, nullptr, &other),
      seminar_model_open("no such file", nullptr, &other),
      seminar_user_create(nullptr, nullptr, &user),
      seminar_user_create(reinterpret_cast<seminar_model*>(user), nullptr, &user),
      seminar_user_create(model, &no_history, &user),
      seminar_user_create(model, &k_too_large, &user),
      seminar_user_append(user, nullptr),
      seminar_user_append(user, &no_item),
      seminar_user_append(reinterpret_cast<seminar_user*>(model), &good),
      seminar_rank(user, &no_query, 1, &score, nullptr),
      seminar_rank(user, &good, 1, nullptr, nullptr),
      seminar_item_find(model, "no such item", 12, nullptr),
  };
  seminar_user_destroy(user);
  return static_cast<int>(std::count(std::begin(mistakes), std::end(mistakes), SEMINAR_OK));
}

// A user of a wide model whose memory this machine may not be able to count (d = 1024, a million behaviours: 8 GB): it
// is refused, whatever is left of the number of bytes.
bool refuses_too_much(const char* path) {
  const seminar_allocator at_most_1_gb{
      [](void*, std::size_t bytes) { return bytes <= (std::size_t{1} << 30) ? std::malloc(bytes) : nullptr; },
      [](void*, void* memory) { std::free(memory); }, nullptr};
  seminar_model* model = nullptr;
  if (!ok(seminar_model_open(path, &at_most_1_gb, &model))) return false;
  bool refused = true;
  for (const int32_t history : {521800, 523000, 524288, 1000000}) {
    seminar_user* user = nullptr;
    const seminar_user_options options{history, 1, 0, nullptr};
    refused &= seminar_user_create(model, &options, &user) == SEMINAR_NO_MEMORY;
    seminar_user_destroy(user);
  }
  seminar_model_close(model);
  return refused;
}

// How many beginnings of the file were opened as if they were whole.
int accepted_parts(const char* path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), {});
  std::vector<double> aligned(bytes.size() / sizeof(double) + 1);
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  int opened = 0;
  for (std::size_t cut = 1; cut < bytes.size(); cut += 37) {
    seminar_model* model = nullptr;
    opened += seminar_model_open_memory(aligned.data(), cut, nullptr, &model) == SEMINAR_OK;
    seminar_model_close(model);
  }
  return opened;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  seminar_model* model = nullptr;
  if (!ok(seminar_model_open(argv[1], nullptr, &model))) return 2;
  const std::vector<RankRequest> requests = read_requests(argv[2]);
  double worst = 0;
  int wrong = 0;
  for (const RankRequest& r : requests) {
    const double difference = replay(model, r);
    wrong += !(difference >= 0 && difference <= 1e-5);
    worst = std::max(worst, difference);
  }
  wrong += accepted_mistakes(model) + accepted_parts(argv[1]) + (refuses_too_much(argv[3]) ? 0 : 1);
  seminar_model_close(model);
  std::printf("%zu requests, largest difference of a score %.1e, %d wrong\n", requests.size(), worst, wrong);
  return requests.empty() || wrong > 0 ? 1 : 0;
}
