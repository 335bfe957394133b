// The runtime against the training code, and against callers and files that are wrong.
#include <doctest/doctest.h>
#include <malloc.h>

#include <cstring>
#include <thread>

#include "tests/runtime_answers.h"

using namespace seminar;

namespace {

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
        if (by_codes) e.model->set_retriever(pq_batch_retriever(e.codes));
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
    CountingAllocator count;
    const seminar_allocator hooks = count.hooks();
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
    CHECK(count.taken == count.given_back);
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
}
