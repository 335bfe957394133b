// Batches: splits, targets, negatives, padding, the loader.
#include <map>
#include <set>

#include "tests/model_checks.h"

using namespace seminar;

TEST_SUITE("batches") {
  TEST_CASE("batches: history before the target, negatives the user did not have before, padding masked") {
    const TinyData tiny;
    const auto targets = all_targets(tiny.data);
    const Batch batch = make_batch(tiny.data, targets, {6, 3, 0.0}, Rng(2));
    for (int64_t b = 0; b < batch.size(); ++b) {
      const Target t = batch.rows[b];
      const auto items = tiny.data.user_items(t.user), queries = tiny.data.user_queries(t.user);
      CHECK(t.position >= 1);
      CHECK(t.position + 2 < std::ssize(items));
      const int64_t length = std::min(6, t.position);
      for (int64_t l = 0; l < batch.length(); ++l) {
        const int64_t at = b * batch.length() + l;
        CHECK(batch.mask.data()[at] == (l < length ? 1 : 0));
        const int32_t item = batch.items[batch.history.item[at]];
        CHECK(item == (l < length ? items[t.position - length + l] : 0));
        if (l < length) CHECK(batch.queries[batch.history.query[at]] == queries[t.position - length + l]);
      }
      std::set<int32_t> candidates;
      for (int64_t c = 0; c < batch.candidates(); ++c) {
        const int32_t item = batch.items[batch.targets.item[b * batch.candidates() + c]];
        CHECK(candidates.insert(item).second);
        if (c == 0) CHECK(item == items[t.position]);
        if (c > 0) CHECK(std::find(items.begin(), items.begin() + t.position, item) == items.begin() + t.position);
        CHECK(batch.queries[batch.targets.query[b * batch.candidates() + c]] == queries[t.position]);
      }
    }
    const Batch hidden = make_batch(tiny.data, targets, {6, 3, 1.0}, Rng(2));
    for (int64_t i = 0; i < hidden.targets.numel(); ++i) CHECK(hidden.targets.query[i] == 0);
    CHECK_THROWS_WITH_AS(make_batch(tiny.data, targets, {6, 30, 0.0}, Rng(2)), doctest::Contains("negatives: user"),
                         Error);
  }

  TEST_CASE("splits: training ends before the validation action, which ends before the test action") {
    const TinyData tiny;
    for (const Target& t : held_out_targets(tiny.data, Split::test))
      CHECK(t.position + 1 == std::ssize(tiny.data.user_items(t.user)));
    for (const Target& t : held_out_targets(tiny.data, Split::valid))
      CHECK(t.position + 2 == std::ssize(tiny.data.user_items(t.user)));
    CHECK(held_out_targets(tiny.data, Split::valid).size() < held_out_targets(tiny.data, Split::test).size());
    const EpochTargets capped(tiny.data, 2, 1000, 10, Rng(1)), other(tiny.data, 2, 1000, 10, Rng(2));
    std::map<int32_t, std::set<int32_t>> chosen, chosen_again;
    for (const Target& t : capped(0)) {
      CHECK(chosen[t.user].insert(t.position).second);
      CHECK(chosen[t.user].size() <= 2);
      CHECK(t.position >= 1);
      CHECK(t.position + 2 < std::ssize(tiny.data.user_items(t.user)));
    }
    for (const Target& t : other(0)) chosen_again[t.user].insert(t.position);
    CHECK(chosen != chosen_again);
  }

  TEST_CASE("an epoch holds every target once, neighbours of similar length together") {
    const TinyData tiny;
    for (int64_t size : {1, 7, 1000}) {
      const EpochTargets epoch(tiny.data, 0, size, 6, Rng(2));
      std::set<std::pair<int32_t, int32_t>> seen;
      for (int64_t i = 0; i < epoch.batches(); ++i) {
        const auto batch = epoch(i);
        CHECK(!batch.empty());
        CHECK(std::ssize(batch) <= size);
        for (const Target& t : batch) CHECK(seen.insert({t.user, t.position}).second);
      }
      CHECK(std::ssize(seen) == epoch.size());
      CHECK_THROWS_AS(epoch(epoch.batches()), Error);
    }
  }

  TEST_CASE("a permutation of any size is one") {
    for (int64_t n : {1, 2, 3, 16, 17, 1000}) {
      const Permutation order(n, Rng(static_cast<uint64_t>(n)));
      std::set<int64_t> seen;
      for (int64_t i = 0; i < n; ++i) {
        CHECK(order(i) >= 0);
        CHECK(order(i) < n);
        seen.insert(order(i));
      }
      CHECK(std::ssize(seen) == n);
    }
  }

  TEST_CASE("the loader hands on batches in order, errors too, and stops when dropped") {
    const TinyData tiny;
    const RunSettings run = small_run();
    const EpochTargets epoch(tiny.data, 0, 4, 6, Rng(2));
    const auto make = [&](int64_t i) { return make_batch(tiny.data, epoch(i), {6, 3, 0.0}, Rng(2)); };
    BatchLoader loader(epoch.batches(), make);
    for (int64_t i = 0; i < epoch.batches(); ++i) {
      const auto batch = loader.next();
      REQUIRE(batch.has_value());
      CHECK(batch->items == make(i).items);
    }
    CHECK(!loader.next().has_value());
    BatchLoader failing(3, [&](int64_t i) {
      check(i < 1, "batch {} is bad", i);
      return make(i);
    });
    CHECK(failing.next().has_value());
    CHECK_THROWS_WITH_AS(failing.next(), "batch 1 is bad", Error);
    BatchLoader dropped(epoch.batches(), make);
    CHECK(dropped.next().has_value());
  }

  TEST_CASE("negatives with queries of their own are searches of the user's past") {
    const TinyData tiny;
    const Batch batch = make_batch(tiny.data, all_targets(tiny.data), {6, 3, 0.0, NegativeQueries::own}, Rng(2));
    int64_t different = 0;
    for (int64_t b = 0; b < batch.size(); ++b) {
      const Target t = batch.rows[b];
      const auto past = tiny.data.user_queries(t.user).first(static_cast<std::size_t>(t.position));
      const auto query = [&](int64_t c) { return batch.queries[batch.targets.query[b * batch.candidates() + c]]; };
      for (int64_t c = 1; c < batch.candidates(); ++c) {
        CHECK((query(c) == query(0) || std::find(past.begin(), past.end(), query(c)) != past.end()));
        CHECK((query(c) != 0) == (query(0) != 0));
        different += query(c) != query(0);
      }
    }
    CHECK(different > 0);
  }

  TEST_CASE("negatives leave out what the user had up to the target, and nothing that comes later") {
    const TemporaryFolder folder;
    DatasetBuilder builder;
    for (const char* item : {"a", "b", "c", "d", "e", "f"}) builder.item(item);
    for (int p = 0; p < 5; ++p) builder.add_event(builder.user("u"), p, 0, p, p);  // a b c d e
    builder.add_event(builder.user("v"), 5, 0, 5, 5);
    builder.write(folder / "data");
    const Dataset data = Dataset::open(folder / "data");
    const auto name = [&](int32_t item) { return std::string(data.original_item(item)); };
    for (int32_t position = 0; position < 5; ++position) {
      std::set<std::string> drawn, expected{"f"};
      for (int32_t later = position + 1; later < 5; ++later)
        expected.insert(name(data.user_items(0)[static_cast<std::size_t>(later)]));
      Rng rng(static_cast<uint64_t>(position));
      for (int i = 0; i < 200; ++i)
        for (const int32_t item : draw_negatives(data, {0, position}, 1, rng)) drawn.insert(name(item));
      CHECK(drawn == expected);
    }
    Rng rng(1);
    CHECK_THROWS_WITH_AS(
        draw_negatives(data, {0, 4}, 2, rng),
        doctest::Contains("negatives: user u had all but 1 of 6 items by then, 2 negatives are needed"), Error);
  }

  TEST_CASE("queries of a user's own come from before the target, never from after it") {
    const TemporaryFolder folder;
    DatasetBuilder builder;
    for (int i = 0; i < 30; ++i) builder.item(fmt::format("{}", i));
    const char* queries[] = {"first", "", "second", "", "asked", "later", "", "last"};
    for (int p = 0; p < 8; ++p) builder.add_event(builder.user("u"), p, builder.queries.id(queries[p]), p, p);
    builder.write(folder / "data");
    const Dataset data = Dataset::open(folder / "data");
    const Target target{0, 4};
    std::set<std::string> seen;
    for (uint64_t seed = 0; seed < 60; ++seed) {
      const Candidates c = draw_candidates(data, std::span(&target, 1), {8, 3, 0.0, NegativeQueries::own}, Rng(seed));
      CHECK(data.query_text(c.queries[0]) == "asked");
      for (std::size_t i = 1; i < c.queries.size(); ++i) seen.insert(std::string(data.query_text(c.queries[i])));
    }
    CHECK(seen == std::set<std::string>{"first", "second"});
  }

  TEST_CASE("pairs of their own: a negative's query is that of another search of the training actions") {
    const TemporaryFolder folder;
    DatasetBuilder builder;
    for (int i = 0; i < 30; ++i) builder.item(fmt::format("{}", i));
    const auto add = [&](const char* user, std::initializer_list<const char*> queries) {
      int p = 0;
      for (const char* query : queries) {
        builder.add_event(builder.user(user), p, builder.queries.id(query), p, builder.events());
        ++p;
      }
    };
    add("u", {"", "asked", "", "held out", "held out"});
    add("v", {"one", "", "two", "asked", "held out", "held out"});
    builder.write(folder / "data");
    const Dataset data = Dataset::open(folder / "data");
    const Target target{0, 1};
    std::set<std::string> seen;
    for (uint64_t seed = 0; seed < 60; ++seed) {
      const Candidates c = draw_candidates(data, std::span(&target, 1), {8, 3, 0.0, NegativeQueries::any}, Rng(seed));
      CHECK(data.query_text(c.queries[0]) == "asked");
      for (std::size_t i = 1; i < c.queries.size(); ++i) seen.insert(std::string(data.query_text(c.queries[i])));
    }
    CHECK(seen == std::set<std::string>{"one", "two"});
    // Without a query of the target's there are none: it is no search.
    const Target browsed{0, 2};
    for (const int32_t query :
         draw_candidates(data, std::span(&browsed, 1), {8, 3, 0.0, NegativeQueries::any}, Rng(1)).queries)
      CHECK(query == 0);
  }

  TEST_CASE("search ranking: the last search is the test, the one before the validation, earlier ones train") {
    const TinyData tiny;
    std::map<int32_t, std::vector<int32_t>> searches;
    for (int32_t user = 0; user < tiny.data.users(); ++user) {
      const auto queries = tiny.data.user_queries(user);
      for (int32_t p = 1; p < std::ssize(queries); ++p)
        if (queries[static_cast<std::size_t>(p)] != 0) searches[user].push_back(p);
    }
    std::set<std::pair<int32_t, int32_t>> expected, found;
    for (const auto& [user, positions] : searches)
      for (std::size_t i = 0; i + 2 < positions.size(); ++i) expected.insert({user, positions[i]});
    REQUIRE(expected.size() > 5);
    const EpochTargets epoch(tiny.data, 0, 4, 20, Rng(2), 0, Task::psr);
    for (int64_t i = 0; i < epoch.batches(); ++i)
      for (const Target& t : epoch(i)) CHECK(found.insert({t.user, t.position}).second);
    CHECK(found == expected);
    const EpochTargets last(tiny.data, 0, 100, 20, Rng(2), 1, Task::psr);
    for (const Target& t : last(0)) CHECK(t.position == *(searches.at(t.user).end() - 3));
    for (const Target& t : held_out_targets(tiny.data, Split::test, Task::psr))
      CHECK(t.position == searches.at(t.user).back());
    for (const Target& t : held_out_targets(tiny.data, Split::valid, Task::psr))
      CHECK(t.position == *(searches.at(t.user).end() - 2));
    CHECK(held_out_targets(tiny.data, Split::test, Task::psr).size() == searches.size());
  }

  TEST_CASE("search ranking: what was shown under the query and not clicked comes first among the negatives") {
    const TemporaryFolder folder;
    DatasetBuilder builder;
    for (int i = 0; i < 30; ++i) builder.item(fmt::format("{}", i));
    const int32_t user = builder.user("u"), red = builder.queries.id("red"), blue = builder.queries.id("blue");
    for (int p = 0; p < 5; ++p) builder.add_event(user, p, p == 2 ? red : 0, p, builder.events());
    builder.add_exposure(user, 10, red, 2, false);
    builder.add_exposure(user, 11, red, 2, true);    // clicked
    builder.add_exposure(user, 12, blue, 2, false);  // under another query
    builder.add_exposure(user, 13, red, 3, false);
    builder.add_exposure(user, 1, red, 3, false);  // the user had it
    builder.write(folder / "data");
    const Dataset data = Dataset::open(folder / "data");
    const auto name = [&](int32_t item) { return std::string(data.original_item(item)); };
    const Target target{0, 2};
    BatchOptions options{.history = 8, .negatives = 4, .hide_query = 0, .impressions = true};
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const Candidates c = draw_candidates(data, std::span(&target, 1), options, Rng(seed));
      REQUIRE(c.items.size() == 5);
      const std::set<std::string> shown{name(c.items[1]), name(c.items[2])};
      CHECK(shown == std::set<std::string>{"10", "13"});
      CHECK(std::set<int32_t>(c.items.begin(), c.items.end()).size() == 5);
    }
    options.negatives = 1;
    std::set<std::string> one;
    for (uint64_t seed = 0; seed < 40; ++seed)
      one.insert(name(draw_candidates(data, std::span(&target, 1), options, Rng(seed)).items[1]));
    CHECK(one == std::set<std::string>{"10", "13"});
  }
}
