// Callers of the runtime that are wrong, short of memory, or several.
#include <doctest/doctest.h>
#include <malloc.h>

#include <cstring>
#include <thread>

#include "tests/runtime_answers.h"

using namespace seminar;

TEST_SUITE("runtime") {
  TEST_CASE("memory that runs out at any call is a status, and all of it comes back") {
    const ExportedModel e(small_settings("gate"), "int8");
    for (int limit = 0, done = 0; done == 0; ++limit) {
      CountingAllocator budget{limit};
      const seminar_allocator hooks = budget.hooks();
      seminar_model* model = nullptr;
      seminar_user* user = nullptr;
      const seminar_status opened = seminar_model_open(e.path.c_str(), &hooks, &model);
      const seminar_status made = opened == SEMINAR_OK ? seminar_user_create(model, nullptr, &user) : opened;
      done = made == SEMINAR_OK;
      if (!done) CHECK(made == SEMINAR_NO_MEMORY);
      seminar_user_destroy(user);
      seminar_model_close(model);
      CHECK(budget.held() == 0);
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
    CountingAllocator count;
    const seminar_allocator hooks = count.hooks();
    seminar_model* model = nullptr;
    REQUIRE(seminar_model_open(e.path.c_str(), &hooks, &model) == SEMINAR_OK);
    seminar_user* users[2] = {};
    for (seminar_user*& user : users) REQUIRE(seminar_user_create(model, nullptr, &user) == SEMINAR_OK);
    seminar_model_close(model);
    CHECK(count.held() > 0);
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
    CHECK(count.held() == 0);
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
}
