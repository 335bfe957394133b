// The runtime against the training code, and against callers and files that are wrong.
#include <doctest/doctest.h>
#include <malloc.h>

#include <cstring>
#include <thread>

#include "seminar/evaluation/attention_profile.h"
#include "tests/exported_model.h"

using namespace seminar;

namespace {

constexpr int64_t history = ExportedModel::history, k = ExportedModel::k;

std::vector<seminar_pair> pairs_of(const std::vector<int>& numbers) {
  std::vector<seminar_pair> pairs;
  for (std::size_t i = 0; i < numbers.size(); i += 2) pairs.push_back({numbers[i], numbers[i + 1], nullptr});
  return pairs;
}

struct Answer {
  std::vector<float> scores, attention;
  std::vector<int32_t> retrieved;
};

Answer rank(seminar_user* user, const std::vector<seminar_pair>& past, const std::vector<seminar_pair>& candidates,
            const seminar_model* model, int64_t kept) {
  seminar_model_info info;
  check_runtime(seminar_model_describe(model, &info));
  check_runtime(seminar_user_clear(user));
  for (const seminar_pair& p : past) check_runtime(seminar_user_append(user, &p));
  Answer a{std::vector<float>(candidates.size()), std::vector<float>(candidates.size() * kept * info.heads),
           std::vector<int32_t>(candidates.size() * kept)};
  const seminar_reasons reasons{a.retrieved.data(), a.attention.data()};
  check_runtime(seminar_rank(user, candidates.data(), candidates.size(), a.scores.data(), &reasons));
  return a;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(static_cast<double>(a[i]) - b[i]));
  return most;
}

std::vector<std::byte> bytes_of(const std::string& path) {
  const std::string text = read_file(path);
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

// Opens the bytes and, if that works, ranks: any status but no crash. Whether it opened.
bool survives(const std::vector<std::byte>& bytes) {
  seminar_model* model = nullptr;
  const seminar_status status = seminar_model_open_memory(bytes.data(), bytes.size(), nullptr, &model);
  if (status != SEMINAR_OK) {
    CHECK((status == SEMINAR_BAD_FILE || status == SEMINAR_NO_MEMORY || status == SEMINAR_UNSUPPORTED));
    CHECK(std::strlen(seminar_last_error()) > 10);
    CHECK(model == nullptr);
    return false;
  }
  const ModelHandle handle(model);
  for (const int32_t by_codes : {0, 1}) {
    const seminar_user_options options{4, 2, by_codes, nullptr};
    seminar_user* user = nullptr;
    if (seminar_user_create(model, &options, &user) != SEMINAR_OK) continue;
    const UserHandle closer(user);
    const seminar_pair pairs[] = {{1, 0, nullptr}, {5, 1, nullptr}, {30, 2, nullptr}};
    float scores[3];
    for (const seminar_pair& p : pairs) seminar_user_append(user, &p);
    seminar_rank(user, pairs, 3, scores, nullptr);
    seminar_finder* made = nullptr;
    if (seminar_finder_create(model, &made) != SEMINAR_OK) continue;
    const FinderHandle finder(made);
    int32_t items[3];
    std::size_t found = 0;
    seminar_top(made, user, nullptr, 3, nullptr, items, scores, &found);
  }
  const char* text = nullptr;
  std::size_t length = 0;
  int32_t found = 0;
  seminar_item_text(model, 3, &text, &length, nullptr, nullptr);
  seminar_item_find(model, "105", 3, &found);
  seminar_query_find(model, "red", 3, &found);
  float vector[1024];
  seminar_query_encode(model, "red old", 7, vector);
  return true;
}

}  // namespace

TEST_SUITE("runtime") {
  TEST_CASE("1000 requests: scores and retrieved behaviours are those of the training code, exact and by codes") {
    struct Variant {
      const char* name;
      ModelSettings settings;
    };
    std::vector<Variant> variants{{"lambda", small_settings()}, {"gate", small_settings("gate", "bag")}};
    variants.push_back({"unit norms, no ages", small_settings()});
    variants.back().settings.norms = "unit";
    variants.back().settings.ages = 0;
    variants.push_back({"queries through the Transformer", small_settings("gate")});
    variants.back().settings.query = "transformer";
    variants.push_back({"byte pairs", small_settings()});
    variants.back().settings.tokens = "bpe";
    variants.back().settings.dim = 24;
    double worst = 0;
    int requests = 0;
    for (const Variant& v : variants) {
      CAPTURE(v.name);
      const ExportedModel e(v.settings);
      Rng rng(7);
      for (const int by_codes : {0, 1}) {
        if (by_codes) e.model->set_retriever(pq_gsu_retriever(e.codes));
        seminar_user_options options = e.options();
        options.codes = by_codes;
        const UserHandle user = make_user(e.runtime.get(), options);
        for (int i = 0; i < 100; ++i, ++requests) {
          const RankRequest r = random_request(*e.model, e.tiny.data, history, k, rng);
          const Answer a = rank(user.get(), pairs_of(r.history), pairs_of(r.candidates), e.runtime.get(), k);
          worst = std::max(worst, largest_difference(a.scores, r.scores));
          REQUIRE(a.retrieved == r.retrieved);
        }
      }
    }
    MESSAGE(requests << " requests, largest difference of a score " << worst);
    CHECK(requests == 1000);
    CHECK(worst <= 1e-5);
  }

  TEST_CASE("bf16 and int8 files: smaller, with scores near those of f32") {
    const ExportedModel full;
    for (const auto& file : {std::pair{"bf16", 0.1}, std::pair{"int8", 0.2}}) {
      const char* dtype = file.first;
      const double bound = file.second;
      CAPTURE(dtype);
      const ExportedModel e(small_settings(), dtype);
      const UserHandle user = make_user(e.runtime.get(), e.options());
      Rng rng(7);
      double most = 0, square = 0, error = 0;
      for (int i = 0; i < 100; ++i) {
        const RankRequest r = random_request(*e.model, e.tiny.data, history, k, rng);
        const Answer a = rank(user.get(), pairs_of(r.history), pairs_of(r.candidates), e.runtime.get(), k);
        for (std::size_t c = 0; c < a.scores.size(); ++c) {
          error += std::pow(a.scores[c] - r.scores[c], 2);
          square += std::pow(r.scores[c], 2);
        }
        most = std::max(most, largest_difference(a.scores, r.scores));
      }
      CHECK(most > 1e-5);  // it is another file
      CHECK(std::sqrt(error / square) < bound);
    }
  }

  TEST_CASE("a history longer than what is kept: the newest count, in order") {
    const ExportedModel e;
    const UserHandle user = make_user(e.runtime.get(), e.options()), fresh = make_user(e.runtime.get(), e.options());
    Rng rng(9);
    std::vector<seminar_pair> all;
    const std::vector<seminar_pair> candidates{{3, 0, nullptr}, {9, 1, nullptr}, {7, 0, nullptr}};
    for (int i = 0; i < 3 * history + 5; ++i) {
      all.push_back({static_cast<int32_t>(1 + rng.below(e.tiny.data.items())),
                     static_cast<int32_t>(rng.below(e.tiny.data.queries())), nullptr});
      const std::size_t kept = std::min<std::size_t>(all.size(), history);
      const Answer a = rank(user.get(), all, candidates, e.runtime.get(), k);
      const Answer b =
          rank(fresh.get(), {all.end() - static_cast<std::ptrdiff_t>(kept), all.end()}, candidates, e.runtime.get(), k);
      REQUIRE(a.retrieved == b.retrieved);
      REQUIRE(a.scores == b.scores);
    }
    int32_t length = 0;
    CHECK(seminar_user_length(user.get(), &length) == SEMINAR_OK);
    CHECK(length == history);
  }

  TEST_CASE("any sequence of calls on one user gives what a fresh user gives, bit for bit") {
    for (const char* fusion : {"lambda", "gate"})
      for (const int32_t by_codes : {0, 1}) {
        CAPTURE(fusion);
        CAPTURE(by_codes);
        const ExportedModel e(small_settings(fusion, "bag"));
        const float weights[] = {0.3f, 0.6f, 0.2f};
        for (const float* own : {static_cast<const float*>(nullptr), weights}) {
          const seminar_user_options options{5, 3, by_codes, own};
          const UserHandle user = make_user(e.runtime.get(), options);
          std::vector<std::vector<float>> vectors(6, std::vector<float>(8));
          Rng rng(23);
          for (auto& v : vectors)
            for (float& x : v) x = static_cast<float>(rng.uniform() - 0.5);
          const auto pair = [&] {
            return seminar_pair{static_cast<int32_t>(1 + rng.below(30)), static_cast<int32_t>(rng.below(7)),
                                rng.chance(0.2) ? vectors[rng.below(6)].data() : nullptr};
          };
          std::vector<seminar_pair> kept;
          for (int call = 0; call < 1500; ++call) {
            const int64_t kind = rng.below(12);
            if (kind < 5) {
              kept.push_back(pair());
              if (kept.size() > 5) kept.erase(kept.begin());
              REQUIRE(seminar_user_append(user.get(), &kept.back()) == SEMINAR_OK);
            } else if (kind == 5) {
              kept.clear();
              REQUIRE(seminar_user_clear(user.get()) == SEMINAR_OK);
            } else if (kind == 6) {  // a call that is refused changes nothing
              const seminar_pair wrong[] = {pair(), {77, 0, nullptr}};
              float scores[2];
              REQUIRE(seminar_user_append(user.get(), &wrong[1]) == SEMINAR_BAD_ARGUMENT);
              REQUIRE(seminar_rank(user.get(), wrong, 2, scores, nullptr) == SEMINAR_BAD_ARGUMENT);
            } else {
              std::vector<seminar_pair> candidates;
              for (int64_t n = 1 + rng.below(10); n > 0; --n) candidates.push_back(pair());
              const UserHandle fresh = make_user(e.runtime.get(), options);
              for (const seminar_pair& p : kept) check_runtime(seminar_user_append(fresh.get(), &p));
              const bool explain = rng.chance(0.5);
              Answer given[2];
              for (Answer& a : given) {
                a = {std::vector<float>(candidates.size()), std::vector<float>(candidates.size() * 3 * 2),
                     std::vector<int32_t>(candidates.size() * 3)};
                const seminar_reasons reasons{a.retrieved.data(), a.attention.data()};
                check_runtime(seminar_rank((&a == given ? user : fresh).get(), candidates.data(), candidates.size(),
                                           a.scores.data(), explain ? &reasons : nullptr));
              }
              REQUIRE(given[0].scores == given[1].scores);
              REQUIRE(given[0].retrieved == given[1].retrieved);
              REQUIRE(given[0].attention == given[1].attention);
            }
          }
        }
      }
  }

  TEST_CASE("attention sums to one over what was retrieved; without behaviours nothing is") {
    const ExportedModel e;
    const UserHandle user = make_user(e.runtime.get(), e.options());
    const std::vector<seminar_pair> candidates{{3, 0, nullptr}, {9, 1, nullptr}};
    for (int behaviours = 0; behaviours < 7; ++behaviours) {
      std::vector<seminar_pair> past;
      for (int i = 0; i < behaviours; ++i) past.push_back({1 + 2 * i, 0, nullptr});
      const Answer a = rank(user.get(), past, candidates, e.runtime.get(), k);
      for (std::size_t row = 0; row < 2 * 2; ++row) {  // candidates, heads
        float sum = 0;
        for (int64_t i = 0; i < k; ++i) {
          sum += a.attention[row * k + i];
          CHECK((a.retrieved[row / 2 * k + i] >= 0) == (i < behaviours));
          if (i >= behaviours) CHECK(a.attention[row * k + i] == 0);
        }
        CHECK(sum == doctest::Approx(behaviours > 0 ? 1 : 0));
      }
    }
  }

  TEST_CASE("other channel weights are those of a model with another lambda") {
    const ExportedModel e;
    float own[3];
    REQUIRE(seminar_model_weights(e.runtime.get(), own) == SEMINAR_OK);
    CHECK(own[0] + own[1] + own[2] == doctest::Approx(1));
    e.model->fusion.lambda = 0.9;
    const float scale = 0.1f / (1 - own[0]);
    const float other[] = {0.9f, own[1] * scale, own[2] * scale};
    seminar_user_options options = e.options();
    options.channel_weights = other;
    const UserHandle user = make_user(e.runtime.get(), options);
    Rng rng(11);
    for (int i = 0; i < 50; ++i) {
      const RankRequest r = random_request(*e.model, e.tiny.data, history, k, rng);
      const Answer a = rank(user.get(), pairs_of(r.history), pairs_of(r.candidates), e.runtime.get(), k);
      REQUIRE(largest_difference(a.scores, r.scores) <= 1e-5);
    }
  }

  TEST_CASE("names and texts are found; a known query's text gives its vector") {
    ModelSettings unit = small_settings();
    unit.norms = "unit";
    for (const ModelSettings& settings : {small_settings(), unit}) {
      const ExportedModel e(settings);
      const Dataset& data = e.tiny.data;
      for (int32_t item = 1; item <= data.items(); ++item) {
        int32_t found = 0;
        REQUIRE(seminar_item_find(e.runtime.get(), data.original_item(item).data(), data.original_item(item).size(),
                                  &found) == SEMINAR_OK);
        REQUIRE(found == item);
        const char* title = nullptr;
        std::size_t length = 0;
        REQUIRE(seminar_item_text(e.runtime.get(), item, nullptr, nullptr, &title, &length) == SEMINAR_OK);
        REQUIRE(std::string_view(title, length) == data.title(item));
      }
      int32_t found = 5;
      CHECK(seminar_item_find(e.runtime.get(), "999", 3, &found) == SEMINAR_NOT_FOUND);
      CHECK(seminar_item_find(e.runtime.get(), "", 0, &found) == SEMINAR_NOT_FOUND);
      CHECK(found == 5);
      seminar_user_options options = e.options();
      options.codes = 1;
      const UserHandle user = make_user(e.runtime.get(), options);
      for (int32_t query = 1; query < data.queries(); ++query) {
        const std::string_view text = data.query_text(query);
        REQUIRE(seminar_query_find(e.runtime.get(), text.data(), text.size(), &found) == SEMINAR_OK);
        REQUIRE(found == query);
        std::vector<float> vector(static_cast<std::size_t>(settings.dim));
        const std::string loud = fmt::format("  {}!! zzz", text);  // other bytes, the same known words
        REQUIRE(seminar_query_encode(e.runtime.get(), loud.data(), loud.size(), vector.data()) == SEMINAR_OK);
        const Answer by_text = rank(user.get(), {{4, 0, vector.data()}, {8, 0, nullptr}}, {{9, 0, vector.data()}},
                                    e.runtime.get(), k),
                     by_number = rank(user.get(), {{4, query, nullptr}, {8, 0, nullptr}}, {{9, query, nullptr}},
                                      e.runtime.get(), k);
        REQUIRE(largest_difference(by_text.scores, by_number.scores) < 1e-5);
      }
      float vector[8];
      CHECK(seminar_query_encode(e.runtime.get(), "zzz", 3, vector) == SEMINAR_NOT_FOUND);
    }
    ModelSettings bpe = small_settings();
    bpe.tokens = "bpe";
    const ExportedModel e(bpe);
    float vector[8];
    CHECK(seminar_query_encode(e.runtime.get(), "red", 3, vector) == SEMINAR_UNSUPPORTED);
  }

  TEST_CASE("nothing is allocated while behaviours come and candidates are ranked") {
    const ExportedModel e;
    struct Count {
      int64_t taken = 0, given = 0;
    } count;
    const seminar_allocator hooks{[](void* c, std::size_t bytes) {
                                    ++static_cast<Count*>(c)->taken;
                                    return std::malloc(bytes);
                                  },
                                  [](void* c, void* memory) {
                                    ++static_cast<Count*>(c)->given;
                                    std::free(memory);
                                  },
                                  &count};
    seminar_model* model = nullptr;
    REQUIRE(seminar_model_open(e.path.c_str(), &hooks, &model) == SEMINAR_OK);
    seminar_user* user = nullptr;
    REQUIRE(seminar_user_create(model, nullptr, &user) == SEMINAR_OK);
    const int64_t taken = count.taken;
    const seminar_pair pair{3, 1, nullptr};
    float score = 0;
    const std::size_t before = ::mallinfo2().uordblks;
    for (int i = 0; i < 1000; ++i) {
      seminar_user_append(user, &pair);
      seminar_rank(user, &pair, 1, &score, nullptr);
    }
    CHECK(::mallinfo2().uordblks == before);  // not past the hooks either
    CHECK(count.taken == taken);
    seminar_user_destroy(user);
    seminar_model_close(model);
    CHECK(count.taken == count.given);
  }

  TEST_CASE("memory that runs out at any call is a status, and all of it comes back") {
    const ExportedModel e(small_settings("gate"), "int8");
    for (int limit = 0, done = 0; done == 0; ++limit) {
      struct Budget {
        int left, held = 0;
      } budget{limit};
      const seminar_allocator hooks{[](void* c, std::size_t bytes) -> void* {
                                      Budget& b = *static_cast<Budget*>(c);
                                      if (b.left-- <= 0) return nullptr;
                                      ++b.held;
                                      return std::malloc(bytes);
                                    },
                                    [](void* c, void* memory) {
                                      --static_cast<Budget*>(c)->held;
                                      std::free(memory);
                                    },
                                    &budget};
      seminar_model* model = nullptr;
      seminar_user* user = nullptr;
      const seminar_status opened = seminar_model_open(e.path.c_str(), &hooks, &model);
      const seminar_status made = opened == SEMINAR_OK ? seminar_user_create(model, nullptr, &user) : opened;
      done = made == SEMINAR_OK;
      if (!done) CHECK(made == SEMINAR_NO_MEMORY);
      seminar_user_destroy(user);
      seminar_model_close(model);
      CHECK(budget.held == 0);
      CHECK(limit < 10);
    }
  }

  TEST_CASE("null pointers, wrong handles and numbers out of range are refused") {
    const ExportedModel e;
    seminar_model* model = e.runtime.get();
    const UserHandle handle = make_user(model, e.options());
    seminar_user* user = handle.get();
    seminar_model* wrong_model = reinterpret_cast<seminar_model*>(user);
    seminar_user* wrong_user = reinterpret_cast<seminar_user*>(model);
    float numbers[64] = {};
    int32_t number = 0;
    std::size_t length = 0;
    const char* text = nullptr;
    seminar_model* out = nullptr;
    seminar_user* made = nullptr;
    seminar_model_info info;
    seminar_user_options options = e.options();
    const seminar_pair good{1, 0, nullptr};
    const auto refused = [](seminar_status status, const char* why) {
      CHECK(status == SEMINAR_BAD_ARGUMENT);
      CHECK(std::string(seminar_last_error()).find(why) != std::string::npos);
    };
    refused(seminar_model_open(nullptr, nullptr, &out), "path: null");
    refused(seminar_model_open(e.path.c_str(), nullptr, nullptr), "model: null");
    refused(seminar_model_open_memory(nullptr, 8, nullptr, &out), "data: null");
    refused(seminar_model_open_memory(reinterpret_cast<const char*>(numbers) + 1, 8, nullptr, &out), "aligned");
    const seminar_allocator none{};
    refused(seminar_model_open(e.path.c_str(), &none, &out), "allocator");
    for (seminar_model* m : {static_cast<seminar_model*>(nullptr), wrong_model}) {
      refused(seminar_model_describe(m, &info), "model: ");
      refused(seminar_model_weights(m, numbers), "model: ");
      refused(seminar_item_find(m, "1", 1, &number), "model: ");
      refused(seminar_item_text(m, 1, &text, &length, nullptr, nullptr), "model: ");
      refused(seminar_query_find(m, "1", 1, &number), "model: ");
      refused(seminar_query_text(m, 1, &text, &length), "model: ");
      refused(seminar_query_encode(m, "1", 1, numbers), "model: ");
      refused(seminar_user_defaults(m, &options), "model: ");
      refused(seminar_user_create(m, nullptr, &made), "model: ");
    }
    for (seminar_user* u : {static_cast<seminar_user*>(nullptr), wrong_user}) {
      refused(seminar_user_append(u, &good), "user: ");
      refused(seminar_user_clear(u), "user: ");
      refused(seminar_user_length(u, &number), "user: ");
      refused(seminar_rank(u, &good, 1, numbers, nullptr), "user: ");
    }
    const std::string told = seminar_last_error();
    seminar_user_destroy(nullptr);
    seminar_model_close(nullptr);
    CHECK(seminar_last_error() == told);  // nothing was wrong
    seminar_user_destroy(wrong_user);     // nothing happens
    seminar_model_close(wrong_model);
    refused(seminar_model_describe(model, nullptr), "info: null");
    refused(seminar_model_weights(model, nullptr), "weights: null");
    refused(seminar_item_find(model, nullptr, 1, &number), "name: null");
    refused(seminar_item_find(model, "1", 1, nullptr), "item: null");
    refused(seminar_query_find(model, nullptr, 1, &number), "text: null");
    refused(seminar_query_find(model, "1", 1, nullptr), "query: null");
    refused(seminar_query_encode(model, nullptr, 1, numbers), "text: null");
    refused(seminar_query_encode(model, "red", 3, nullptr), "vector: null");
    refused(seminar_user_defaults(model, nullptr), "options: null");
    refused(seminar_user_create(model, nullptr, nullptr), "user: null");
    refused(seminar_user_append(user, nullptr), "behaviour: null");
    refused(seminar_user_length(user, nullptr), "length: null");
    refused(seminar_rank(user, nullptr, 1, numbers, nullptr), "candidates: null");
    refused(seminar_rank(user, &good, 1, nullptr, nullptr), "scores: null");
    CHECK(seminar_rank(user, nullptr, 0, nullptr, nullptr) == SEMINAR_OK);
    for (const int32_t item : {0, -1, 31, INT32_MAX, INT32_MIN}) {
      refused(seminar_item_text(model, item, &text, &length, nullptr, nullptr), "item must be from 1 to 30");
      const seminar_pair bad{item, 0, nullptr};
      refused(seminar_user_append(user, &bad), "item must be from 1 to 30");
      const seminar_pair both[] = {good, bad};
      numbers[0] = 77;
      refused(seminar_rank(user, both, 2, numbers, nullptr), "candidate 1: item must be from 1 to 30");
      CHECK(numbers[0] == 77);
    }
    for (const int32_t query : {-1, 7, INT32_MAX, INT32_MIN}) {
      refused(seminar_query_text(model, query, &text, &length), "query must be from 0 to 6");
      const seminar_pair bad{1, query, nullptr};
      refused(seminar_user_append(user, &bad), "query must be from 0 to 6");
    }
    float not_finite[8] = {0, 0, 0, NAN};
    const seminar_pair odd{1, 0, not_finite};
    refused(seminar_user_append(user, &odd), "number 3 is not finite");
    const float weights[] = {0.5f, 1.5f, 0}, nan_weights[] = {NAN, 0, 0};
    for (const auto& [wrong, why] : std::vector<std::pair<seminar_user_options, const char*>>{
             {{0, 1, 0, nullptr}, "history must be from 1"},
             {{-5, 1, 0, nullptr}, "history must be from 1"},
             {{INT32_MAX, 1, 0, nullptr}, "history must be from 1"},
             {{5, 0, 0, nullptr}, "k must be from 1"},
             {{5, 1000001, 0, nullptr}, "k must be from 1 to 1000000: 1000001"},
             {{5, 5, 0, weights}, "channel weight 1 must be from 0 to 1: 1.5"},
             {{5, 5, 0, nan_weights}, "channel weight 0"}})
      refused(seminar_user_create(model, &wrong, &made), why);
    CHECK(made == nullptr);
    CHECK(out == nullptr);
  }

  TEST_CASE("a model may be closed before its users: it lives until the last of them is destroyed") {
    const ExportedModel e;
    struct Count {
      int64_t held = 0;
    } count;
    const seminar_allocator hooks{[](void* c, std::size_t bytes) {
                                    ++static_cast<Count*>(c)->held;
                                    return std::malloc(bytes);
                                  },
                                  [](void* c, void* memory) {
                                    --static_cast<Count*>(c)->held;
                                    std::free(memory);
                                  },
                                  &count};
    seminar_model* model = nullptr;
    REQUIRE(seminar_model_open(e.path.c_str(), &hooks, &model) == SEMINAR_OK);
    seminar_user* users[2] = {};
    for (seminar_user*& user : users) REQUIRE(seminar_user_create(model, nullptr, &user) == SEMINAR_OK);
    seminar_model_close(model);
    CHECK(count.held > 0);
    seminar_user* late = nullptr;
    CHECK(seminar_user_create(model, nullptr, &late) == SEMINAR_BAD_ARGUMENT);
    seminar_model_close(model);  // a second time: nothing happens
    const seminar_pair pair{3, 1, nullptr};
    float score = 0, expected = 0;
    for (seminar_user* user : users) {
      REQUIRE(seminar_user_append(user, &pair) == SEMINAR_OK);
      REQUIRE(seminar_rank(user, &pair, 1, &score, nullptr) == SEMINAR_OK);
      const UserHandle other = make_user(e.runtime.get(), e.options());
      REQUIRE(seminar_user_append(other.get(), &pair) == SEMINAR_OK);
      REQUIRE(seminar_rank(other.get(), &pair, 1, &expected, nullptr) == SEMINAR_OK);
      CHECK(score == expected);
      seminar_user_destroy(user);
    }
    CHECK(count.held == 0);
  }

  TEST_CASE("k above the history retrieves what there is, in rows of k") {
    const ExportedModel e;
    seminar_user_options options = e.options();
    options.history = 3;  // the model's k is 4
    const UserHandle user = make_user(e.runtime.get(), options);
    const std::vector<seminar_pair> past{{1, 0, nullptr}, {2, 1, nullptr}, {3, 0, nullptr}, {4, 0, nullptr}},
        candidates{{5, 0, nullptr}, {6, 0, nullptr}};
    const Answer wide = rank(user.get(), past, candidates, e.runtime.get(), 4);
    options.k = 3;
    const UserHandle other = make_user(e.runtime.get(), options);
    const Answer narrow = rank(other.get(), past, candidates, e.runtime.get(), 3);
    CHECK(wide.scores == narrow.scores);
    for (int c = 0; c < 2; ++c) {
      CHECK(wide.retrieved[c * 4 + 3] == -1);
      for (int i = 0; i < 3; ++i) CHECK(wide.retrieved[c * 4 + i] == narrow.retrieved[c * 3 + i]);
      for (int h = 0; h < 2; ++h) {
        CHECK(wide.attention[(c * 2 + h) * 4 + 3] == 0);
        for (int i = 0; i < 3; ++i) CHECK(wide.attention[(c * 2 + h) * 4 + i] == narrow.attention[(c * 2 + h) * 3 + i]);
      }
    }
  }

  TEST_CASE("channels have their names; a text is read as far as the model reads") {
    ModelSettings settings = small_settings();
    settings.text_length = 2;
    const ExportedModel e(settings);
    std::vector<std::string> names;
    for (int32_t c = 0; c < 3; ++c) {
      const char* name = nullptr;
      std::size_t length = 0;
      REQUIRE(seminar_channel_name(e.runtime.get(), c, &name, &length) == SEMINAR_OK);
      names.emplace_back(name, length);
    }
    CHECK(names == channel_names(*e.model));
    for (const int32_t channel : {-1, 3})
      CHECK(seminar_channel_name(e.runtime.get(), channel, nullptr, nullptr) == SEMINAR_BAD_ARGUMENT);
    float two[8], longer[8], other[8];
    REQUIRE(seminar_query_encode(e.runtime.get(), "red old", 7, two) == SEMINAR_OK);
    REQUIRE(seminar_query_encode(e.runtime.get(), "red old blue big", 16, longer) == SEMINAR_OK);
    REQUIRE(seminar_query_encode(e.runtime.get(), "red blue", 8, other) == SEMINAR_OK);
    CHECK(std::equal(two, two + 8, longer));
    CHECK_FALSE(std::equal(two, two + 8, other));
  }

  TEST_CASE("int8: the largest number of a row comes back as it was") {
    const ExportedModel full, small(small_settings(), "int8");
    const SafetensorsFile f32(full.path), int8(small.path);
    const auto numbers = f32.view<float>("query.vectors"), scales = int8.view<float>("query.vectors.scale");
    const auto coded = int8.view<int8_t>("query.vectors");
    const std::size_t width = 8;
    REQUIRE(scales.size() == numbers.size() / width);
    for (std::size_t row = 0; row < scales.size(); ++row) {
      std::size_t most = row * width;
      for (std::size_t i = most; i < (row + 1) * width; ++i)
        if (std::abs(numbers[i]) > std::abs(numbers[most])) most = i;
      CHECK(scales[row] * static_cast<float>(coded[most]) == doctest::Approx(numbers[most]).epsilon(1e-6));
    }
  }

  TEST_CASE("a file of another version is told apart from one that is no model") {
    const ExportedModel e;
    const auto opened = [&](const std::string& from, const std::string& to) {
      std::string text = read_file(e.path);
      const std::size_t at = text.find(from);
      REQUIRE(at != std::string::npos);
      text.replace(at, from.size(), to);
      write_file(e.folder / "other", text);
      seminar_model* model = nullptr;
      const seminar_status status = seminar_model_open((e.folder / "other").c_str(), nullptr, &model);
      seminar_model_close(model);
      return status;
    };
    CHECK(opened("seminar-runtime-1", "seminar-runtime-2") == SEMINAR_UNSUPPORTED);
    CHECK(std::string(seminar_last_error())
              .find("format 'seminar-runtime-2' of another version of seminar: this one "
                    "reads 'seminar-runtime-1'") != std::string::npos);
    CHECK(opened("seminar-runtime-1", "something-else--1") == SEMINAR_BAD_FILE);
    CHECK(std::string(seminar_last_error()).find("not a model of 'seminar export'") != std::string::npos);
  }

  TEST_CASE("20000 calls with arguments drawn at random: a status, never a crash") {
    const ExportedModel e;
    Rng rng(13);
    const UserHandle first = make_user(e.runtime.get(), e.options()), second = make_user(e.runtime.get(), e.options());
    std::vector<std::byte> blank(4096);
    void* handles[] = {nullptr, e.runtime.get(), first.get(), second.get(), blank.data()};
    int accepted = 0;
    for (int i = 0; i < 20000; ++i) {
      void* handle = handles[rng.below(5)];
      auto* model = static_cast<seminar_model*>(handle);
      auto* user = static_cast<seminar_user*>(handle);
      const auto any = [&] {
        return static_cast<int32_t>(rng.chance(0.8) ? rng.below(40) - 4 : static_cast<int32_t>(rng.next()));
      };
      const seminar_pair pairs[] = {{any(), any() / 4, nullptr}, {any(), any() / 4, nullptr}};
      const bool null = rng.chance(0.1);
      float numbers[16];
      int32_t number = 0;
      const char* text = nullptr;
      std::size_t length = 0;
      seminar_status status = SEMINAR_OK;
      switch (rng.below(9)) {
        case 0: {
          const seminar_user_options options{any(), any(), static_cast<int32_t>(rng.below(2)), nullptr};
          seminar_user* made = nullptr;
          status = seminar_user_create(model, null ? nullptr : &options, &made);
          seminar_user_destroy(made);
          break;
        }
        case 1:
          status = seminar_user_append(user, null ? nullptr : pairs);
          break;
        case 2:
        case 3:
          status = seminar_rank(user, pairs, static_cast<std::size_t>(rng.below(3)), null ? nullptr : numbers, nullptr);
          break;
        case 4:
          status = seminar_item_find(model, "101", static_cast<std::size_t>(rng.below(4)), null ? nullptr : &number);
          break;
        case 5:
          status = seminar_item_text(model, any(), &text, &length, null ? nullptr : &text, &length);
          break;
        case 6:
          status = seminar_query_text(model, any(), &text, null ? nullptr : &length);
          break;
        case 7:
          status =
              seminar_query_encode(model, null ? nullptr : "red blue", static_cast<std::size_t>(rng.below(9)), numbers);
          break;
        default:
          status = seminar_user_clear(user);
      }
      accepted += status == SEMINAR_OK;
    }
    CHECK(accepted > 1000);
    CHECK(accepted < 19000);
  }

  TEST_CASE("files cut short or changed anywhere are refused or ranked with, never a crash") {
    const ExportedModel e;
    const std::vector<std::byte> whole = bytes_of(e.path);
    CHECK(survives(whole));
    uint64_t header = 0;
    std::memcpy(&header, whole.data(), 8);
    for (std::size_t cut = 1; cut < whole.size(); cut += cut < header + 16 ? 1 : 61)
      REQUIRE_FALSE(survives({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)}));
    std::vector<std::byte> longer = whole;
    longer.push_back(std::byte{0});
    CHECK_FALSE(survives(longer));
    Rng rng(17);
    int opened = 0;
    for (int i = 0; i < 4000; ++i) {
      std::vector<std::byte> changed = whole;
      const bool in_header = i % 2 == 0;
      const int64_t at = rng.below(in_header ? static_cast<int64_t>(header) + 8 : std::ssize(whole));
      changed[static_cast<std::size_t>(at)] = static_cast<std::byte>(rng.below(256));
      opened += survives(changed);
    }
    CHECK(opened > 500);
    CHECK(opened < 3500);
  }

  TEST_CASE("vectors that are not numbers are found when they are used") {
    const ExportedModel e;
    std::vector<std::byte> bytes = bytes_of(e.path);
    const SafetensorsFile file(e.path);
    // The file is mapped elsewhere; its end is where the last tensor ends.
    const std::byte *at = file.entry("query.vectors").bytes.data(), *end = at;
    for (const auto& [name, entry] : file.entries()) end = std::max(end, entry.bytes.data() + entry.bytes.size());
    const float nan = NAN;
    std::memcpy(bytes.data() + (std::ssize(bytes) - (end - at)), &nan, sizeof nan);
    seminar_model* model = nullptr;
    REQUIRE(seminar_model_open_memory(bytes.data(), bytes.size(), nullptr, &model) == SEMINAR_OK);
    const ModelHandle handle(model);
    const UserHandle user = make_user(model, e.options());
    const seminar_pair pair{1, 0, nullptr};
    float score = 0;
    CHECK(seminar_user_append(user.get(), &pair) == SEMINAR_OK);
    CHECK(seminar_rank(user.get(), &pair, 1, &score, nullptr) == SEMINAR_BAD_FILE);
  }

  TEST_CASE("threads share a model: everyone gets the same scores") {
    const ExportedModel e;
    const std::vector<seminar_pair> past{{1, 0, nullptr}, {2, 1, nullptr}, {3, 0, nullptr}},
        candidates{{4, 0, nullptr}, {5, 2, nullptr}};
    const UserHandle user = make_user(e.runtime.get(), e.options());
    const std::vector<float> expected = rank(user.get(), past, candidates, e.runtime.get(), k).scores;
    std::vector<int> same(4, 0);
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < same.size(); ++t)
      threads.emplace_back([&, t] {
        const UserHandle own = make_user(e.runtime.get(), e.options());
        for (int i = 0; i < 200; ++i)
          same[t] += rank(own.get(), past, candidates, e.runtime.get(), k).scores == expected;
      });
    for (std::thread& t : threads) t.join();
    CHECK(same == std::vector<int>(4, 200));
  }

  TEST_CASE("export refuses what the runtime could not use") {
    const TinyData tiny;
    const TemporaryFolder folder;
    const auto model = random_model(small_settings(), tiny.data, 3);
    const std::string path = folder / "out";
    CHECK_THROWS_WITH_AS(export_model(*model, tiny.data, nullptr, {"f16", 10, 5}, path),
                         "--dtype: must be f32, bf16 or int8: 'f16'", Error);
    CHECK_THROWS_WITH_AS(export_model(*model, tiny.data, nullptr, {"f32", 10, 11}, path),
                         "--k: must be at most --history, 10: 11", Error);
    Tensor weight = model->head.mlp.layers[0].weight.var().value();
    weight.write()[0] = NAN;
    CHECK_THROWS_WITH_AS(export_model(*model, tiny.data, nullptr, {"f32", 10, 5}, path),
                         "export: 'head.in': number 0 is nan: the model is not fit for use", Error);
    CHECK_FALSE(file_exists(path));
    for (const int64_t length : {int64_t{0}, int64_t{1000001}})
      CHECK_THROWS_WITH_AS(export_model(*random_model(small_settings(), tiny.data, 3), tiny.data, nullptr,
                                        {"f32", length, length}, path),
                           fmt::format("export: history must be from 1 to 1000000: {}", length).c_str(), Error);
  }

  TEST_CASE("what export writes the runtime opens: 15 item channels with codes in int8; 16 are refused") {
    for (const int vectors : {13, 14}) {
      const TemporaryFolder folder;
      DatasetBuilder builder = tiny_builder();
      for (int channel = 0; channel < vectors; ++channel)
        for (int32_t item = 0; item < 30; ++item) {
          const float values[] = {static_cast<float>(item % 5 - channel), static_cast<float>(item % 3 + 1)};
          builder.add_features(fmt::format("vectors{}", channel), item, values);
        }
      builder.write(folder / "data");
      const Dataset data = Dataset::open(folder / "data");
      const auto model = random_model(small_settings("gate", "bag"), data, 3);
      QuantizeOptions options;
      options.sub_quantizers = 4;
      options.centroids = 8;
      const QuantizedChannels codes = quantize_model(*model, data, options);
      const std::string path = folder / "out";
      if (vectors == 14) {
        CHECK_THROWS_WITH_AS(export_model(*model, data, &codes, {"int8", 12, 4}, path),
                             "export: channels must be from 2 to 16: 17", Error);
        CHECK_FALSE(file_exists(path));
        continue;
      }
      export_model(*model, data, &codes, {"int8", 12, 4}, path);
      const ModelHandle opened = open_model(path);
      seminar_model_info info;
      check_runtime(seminar_model_describe(opened.get(), &info));
      CHECK(info.channels == 16);
      const UserHandle user = make_user(opened.get(), {12, 4, 1, nullptr});
      const seminar_pair pair{3, 1, nullptr};
      float score = 0;
      CHECK(seminar_user_append(user.get(), &pair) == SEMINAR_OK);
      CHECK(seminar_rank(user.get(), &pair, 1, &score, nullptr) == SEMINAR_OK);
    }
  }
}
