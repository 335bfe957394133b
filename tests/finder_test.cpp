// seminar_top against ranking the whole catalogue.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tests/exported_model.h"

using namespace seminar;

namespace {

// All items, the best first, as ranking them gives them.
std::vector<std::pair<float, int32_t>> ranked(seminar_user* user, int32_t items, int32_t query) {
  std::vector<seminar_pair> pairs;
  for (int32_t i = 1; i <= items; ++i) pairs.push_back({i, query, nullptr});
  std::vector<float> scores(pairs.size());
  check_runtime(seminar_rank(user, pairs.data(), pairs.size(), scores.data(), nullptr));
  std::vector<std::pair<float, int32_t>> all;
  for (int32_t i = 1; i <= items; ++i) all.emplace_back(-scores[static_cast<std::size_t>(i - 1)], i);
  std::sort(all.begin(), all.end());
  for (auto& [score, item] : all) score = -score;
  return all;
}

struct Found {
  std::vector<int32_t> items;
  std::vector<float> scores;
};

Found top(seminar_finder* finder, seminar_user* user, std::size_t n, int32_t query, const seminar_filter* filter) {
  Found f{std::vector<int32_t>(n), std::vector<float>(n)};
  const seminar_pair asked{0, query, nullptr};
  std::size_t found = 0;
  check_runtime(seminar_top(finder, user, &asked, n, filter, f.items.data(), f.scores.data(), &found));
  f.items.resize(found);
  f.scores.resize(found);
  return f;
}

// A catalogue that is too large to be ranked as a whole.
Dataset large_data(const std::string& dir, int items) {
  DatasetBuilder builder = tiny_builder();
  const char* words[] = {"red", "green", "blue", "old", "new", "big"};
  for (int i = 0; i < items; ++i) {
    const int32_t item = builder.item(fmt::format("x{}", i));
    builder.describe_item(item, "", fmt::format("{} {} {}", words[i % 6], words[i / 6 % 6], words[i / 36 % 6]),
                          std::vector<std::string>{i % 2 == 0 ? "Drama" : "Comedy"});
  }
  for (int u = 0; u < items; ++u)
    for (int p = 0; p < 3; ++p)
      builder.add_event(builder.user(fmt::format("y{}", u)), 30 + (u * 3 + p) % items, 0, p, builder.events());
  builder.write(dir);
  return Dataset::open(dir);
}

}  // namespace

TEST_SUITE("finder") {
  TEST_CASE("a small catalogue: exactly the best, without what was seen, as the filter says") {
    for (const int32_t codes : {0, 1}) {
      const ExportedModel e(small_settings("gate", "bag"));
      seminar_user_options options = e.options();
      options.codes = codes;
      const UserHandle user = make_user(e.runtime.get(), options);
      const FinderHandle finder = make_finder(e.runtime.get());
      const std::vector<int32_t> past{3, 9, 3, 14};
      for (int round = 0; round < 2; ++round) {
        for (const int32_t query : {0, 2}) {
          const auto all = ranked(user.get(), 30, query);
          std::vector<uint8_t> allow(4), deny(4);
          for (int32_t i = 2; i <= 30; i += 2) allow[i / 8] |= static_cast<uint8_t>(1 << (i % 8));
          for (int32_t i = 4; i <= 30; i += 4) deny[i / 8] |= static_cast<uint8_t>(1 << (i % 8));
          const seminar_filter none{nullptr, nullptr, 0, 1}, some{allow.data(), deny.data(), 4, 0};
          const Found everything = top(finder.get(), user.get(), 30, query, &none);
          REQUIRE(everything.items.size() == 30);
          for (std::size_t i = 0; i < 30; ++i) {
            CHECK(everything.items[i] == all[i].second);
            CHECK(everything.scores[i] == all[i].first);
          }
          std::vector<int32_t> expected, unseen;
          for (const auto& [score, item] : all) {
            const bool seen = round == 1 && std::count(past.begin(), past.end(), item) > 0;
            if (!seen) unseen.push_back(item);
            if (!seen && item % 2 == 0 && item % 4 != 0) expected.push_back(item);
          }
          CHECK(top(finder.get(), user.get(), 30, query, &some).items == expected);
          unseen.resize(5);
          CHECK(top(finder.get(), user.get(), 5, query, nullptr).items == unseen);
        }
        for (const int32_t item : past) {
          const seminar_pair p{item, 0, nullptr};
          check_runtime(seminar_user_append(user.get(), &p));
        }
      }
      const std::vector<uint8_t> nothing(4);
      const seminar_filter closed{nothing.data(), nullptr, 4, 1};
      CHECK(top(finder.get(), user.get(), 5, 0, &closed).items.empty());
    }
  }

  TEST_CASE(
      "a large catalogue, of a model that is not even trained: most of the best, with exact scores, allocating "
      "nothing") {
    const TemporaryFolder folder;
    const Dataset data = large_data(folder / "data", 9000);
    const auto model = random_model(small_settings("lambda", "bag"), data, 3);
    export_model(*model, data, nullptr, {"int8", 12, 4}, folder / "model");
    CountingAllocator count;
    const seminar_allocator hooks = count.hooks();
    seminar_model* opened = nullptr;
    REQUIRE(seminar_model_open((folder / "model").c_str(), &hooks, &opened) == SEMINAR_OK);
    seminar_user* user = nullptr;
    seminar_finder* finder = nullptr;
    REQUIRE(seminar_user_create(opened, nullptr, &user) == SEMINAR_OK);
    REQUIRE(seminar_finder_create(opened, &finder) == SEMINAR_OK);
    seminar_model_close(opened);  // both hold it
    Rng rng(5);
    const int64_t taken = count.taken;
    for (int u = 0; u < 5; ++u) {
      check_runtime(seminar_user_clear(user));
      for (int i = 0; i < 12; ++i) {
        const seminar_pair p{static_cast<int32_t>(1 + rng.below(data.items())), 0, nullptr};
        check_runtime(seminar_user_append(user, &p));
      }
      const seminar_filter with_seen{nullptr, nullptr, 0, 1};
      const Found found = top(finder, user, 100, 0, &with_seen);
      CHECK(count.taken == taken);
      const auto all = ranked(user, static_cast<int32_t>(data.items()), 0);
      REQUIRE(found.items.size() == 100);
      int right = 0;
      for (std::size_t i = 0; i < 100; ++i) {
        right += found.scores[i] >= all[99].first;
        const auto same =
            std::find_if(all.begin(), all.end(), [&](const auto& a) { return a.second == found.items[i]; });
        CHECK(same->first == found.scores[i]);
      }
      CHECK(right >= 50);
      CHECK(std::is_sorted(found.scores.rbegin(), found.scores.rend()));
      CHECK(std::set<int32_t>(found.items.begin(), found.items.end()).size() == 100);
      CHECK(top(finder, user, 100, 0, &with_seen).items == found.items);
    }
    seminar_finder_destroy(finder);
    seminar_user_destroy(user);
    CHECK(count.held() == 0);
  }

  TEST_CASE("what is asked wrongly is refused, and nothing is written") {
    const ExportedModel e, other;
    const UserHandle user = make_user(e.runtime.get(), e.options()),
                     stranger = make_user(other.runtime.get(), other.options());
    const FinderHandle finder = make_finder(e.runtime.get());
    int32_t items[2] = {77, 77};
    float scores[2];
    std::size_t found = 5;
    const uint8_t bits[8] = {};
    const seminar_filter short_one{bits, nullptr, 3, 0}, long_one{nullptr, bits, 5, 0};
    const seminar_pair no_query{0, 99, nullptr};
    const auto refused = [&](seminar_status status, const char* why) {
      CHECK(status == SEMINAR_BAD_ARGUMENT);
      CHECK(std::string(seminar_last_error()).find(why) != std::string::npos);
      CHECK(items[0] == 77);
      CHECK(found == 5);
    };
    seminar_finder* f = finder.get();
    seminar_user* u = user.get();
    refused(seminar_top(nullptr, u, nullptr, 1, nullptr, items, scores, &found), "finder: null");
    refused(seminar_top(f, nullptr, nullptr, 1, nullptr, items, scores, &found), "user: null");
    refused(seminar_top(reinterpret_cast<seminar_finder*>(u), u, nullptr, 1, nullptr, items, scores, &found),
            "finder: ");
    refused(seminar_top(f, stranger.get(), nullptr, 1, nullptr, items, scores, &found), "user: of another model");
    refused(seminar_top(f, u, nullptr, 0, nullptr, items, scores, &found), "n must be from 1 to 30: 0");
    refused(seminar_top(f, u, nullptr, 31, nullptr, items, scores, &found), "n must be from 1 to 30: 31");
    refused(seminar_top(f, u, &no_query, 1, nullptr, items, scores, &found), "query must be from 0 to 6");
    refused(seminar_top(f, u, nullptr, 1, &short_one, items, scores, &found), "filter: must have 4 bytes: 3");
    refused(seminar_top(f, u, nullptr, 1, &long_one, items, scores, &found), "filter: must have 4 bytes: 5");
    refused(seminar_top(f, u, nullptr, 1, nullptr, nullptr, scores, &found), "items: null");
    refused(seminar_top(f, u, nullptr, 1, nullptr, items, nullptr, &found), "scores: null");
    refused(seminar_top(f, u, nullptr, 1, nullptr, items, scores, nullptr), "found: null");
    refused(seminar_finder_create(nullptr, &f), "model: null");
    seminar_finder_destroy(nullptr);
  }
}
