// The leakage report.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "seminar/data/import.h"
#include "seminar/evaluation/leakage.h"
#include "tests/tiny_data.h"

using namespace seminar;

TEST_SUITE("leakage") {
  TEST_CASE("each kind is found where it was put") {
    const TemporaryFolder folder;
    DatasetBuilder builder;
    builder.info.kind = "leaky";
    const auto add = [&](const char* user, const char* item, int64_t time, const char* query) {
      builder.add_event(builder.user(user), builder.item(item), builder.queries.id(query), time, builder.events());
    };
    add("0", "a", 10, ""), add("0", "b", 20, "red"), add("0", "c", 30, ""), add("0", "a", 30, "red");
    add("1", "b", 5, ""), add("1", "d", 6, "zebra"), add("1", "e", 7, ""), add("1", "f", 8, "");
    add("2", "a", 100, ""), add("2", "b", 101, ""), add("2", "c", 102, ""), add("2", "d", 200, "zebra");
    builder.describe_item(builder.item("a"), "Red shoe", "Red shoe", {});
    builder.describe_item(builder.item("d"), "Horse", "Horse", {});
    builder.write(folder / "data");
    RunSettings run;
    run.eval_negatives = 2;
    const Dataset data = Dataset::open(folder / "data");
    const Leakage l = find_leakage(data, run);
    const auto check_split = [](const SplitLeakage& found, const SplitLeakage& expected) {
      CHECK(found.targets == expected.targets);
      CHECK(found.repeated == expected.repeated);
      CHECK(found.cold == expected.cold);
      CHECK(found.queried == expected.queried);
      CHECK(found.query_of_one_item == expected.query_of_one_item);
      CHECK(found.query_known == expected.query_known);
      CHECK(found.query_in_title == expected.query_in_title);
      CHECK(found.same_time == expected.same_time);
      CHECK(found.before_training == expected.before_training);
      CHECK(found.later_training == doctest::Approx(expected.later_training));
    };
    // Of 6 training actions 2, 4 and none are later than the three targets.
    check_split(l.valid, {.targets = 3, .cold = 3, .before_training = 2, .later_training = 1.0 / 3});
    check_split(l.test, {.targets = 3,
                         .repeated = 1,
                         .cold = 1,
                         .queried = 2,
                         .query_of_one_item = 1,
                         .query_known = 1,
                         .query_in_title = 1,
                         .same_time = 1,
                         .before_training = 2,
                         .later_training = 1.0 / 3});
    CHECK(l.has_times);
    CHECK(l.users == 3);
    CHECK(l.shared >= 0.5);  // two of three items each
    // At the only training target user 0 has four items left and takes one later, the others two of four.
    CHECK(l.later_items == doctest::Approx((0.25 + 0.5 + 0.5) / 3));
    CHECK(l.shared_chance == doctest::Approx((2.0 / 3 + 2.0 / 3 + 2.0 / 3) / 3));
    run.eval_negatives = 0;
    CHECK(find_leakage(data, run).users == 0);
  }

  TEST_CASE("negatives that cannot but be the same are found to be") {
    const TemporaryFolder folder;
    DatasetBuilder builder;
    for (const char* item : {"a", "b", "c", "d", "e", "f"}) builder.item(item);
    for (const int item : {0, 1, 2, 2})
      builder.add_event(builder.user("u"), item, 0, builder.events(), builder.events());
    for (const int item : {3, 4, 5})
      builder.add_event(builder.user(fmt::format("has {}", item)), item, 0, builder.events(), builder.events());
    builder.write(folder / "data");
    RunSettings run;
    run.eval_negatives = 3;
    const Leakage l = find_leakage(Dataset::open(folder / "data"), run);
    CHECK(l.same_negatives == 1);
    CHECK(l.shared == 1);
    CHECK(l.shared_chance == 1);
  }

  TEST_CASE("a set without times: what compares times is left out") {
    const TemporaryFolder folder;
    DatasetBuilder builder;
    builder.info.has_times = false;
    for (int line = 2; line < 14; ++line)  // numbers of lines, as a file without times gives them
      builder.add_event(builder.user(fmt::format("{}", line % 3)), builder.item(fmt::format("{}", line)), 0, line,
                        line);
    builder.write(folder / "data");
    RunSettings run;
    run.eval_negatives = 0;
    const Leakage l = find_leakage(Dataset::open(folder / "data"), run);
    CHECK(!l.has_times);
    CHECK(l.test.targets == 3);
    CHECK(l.test.before_training == 0);
    CHECK(l.test.later_training == 0);
  }
}
