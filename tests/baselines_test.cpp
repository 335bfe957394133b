// The baselines: which behaviours each one keeps and why, on cases small enough to follow by hand.
#include <numbers>

#include "seminar/baselines/authors.h"
#include "seminar/baselines/din.h"
#include "seminar/baselines/eta.h"
#include "seminar/baselines/sdim.h"
#include "seminar/baselines/sim.h"
#include "tests/baseline_checks.h"

using namespace seminar;

TEST_SUITE("baselines: what is kept") {
  TEST_CASE("mean pooling and DIN keep the last K, the last first") {
    Hand hand(randn({1, 6, d}, 1), randn({1, 2, d}, 2));
    CHECK(chosen(hand.retrieve(hand.unit<MeanPool>())) == Rows{{5, 4, 3, 2}});
    CHECK(chosen(hand.retrieve(hand.unit<Din>())) == Rows{{5, 4, 3, 2}});
    hand.run.k = 50;
    CHECK(chosen(hand.retrieve(hand.unit<Din>())) == Rows{{5, 4, 3, 2, 1, 0}});
    hand.run.k = 2;
    const Var pooled = hand.unit<MeanPool>()(hand.input(), Mode()).lifelong;
    for (int64_t i = 0; i < d; ++i)
      CHECK(pooled.value().at({0, 1, i}) ==
            doctest::Approx((hand.fused.history.value().at({0, 4, i}) + hand.fused.history.value().at({0, 5, i})) / 2));
  }

  TEST_CASE("SIM keeps the K of highest learned relevance") {
    Hand hand(vectors({{1}, {5}, {-2}, {3}, {0}, {4}}), vectors({{1}, {-1}}));
    hand.run.k = 3;
    const Sim sim = hand.unit<Sim>();
    set(sim.search.wa, identity());
    set(sim.search.wb, identity());
    CHECK(chosen(hand.retrieve(sim)) == Rows{{1, 5, 3}, {2, 4, 0}});
  }

  TEST_CASE("the category of an item is its rarest attribute that one item in a hundred has") {
    DatasetBuilder builder;
    for (int i = 0; i < 300; ++i) {
      std::vector<std::string> attributes{fmt::format("brand {}", i), "all"};
      if (i % 3 == 0) attributes.insert(attributes.begin() + 1, "third");
      if (i % 100 == 0) attributes.emplace_back("hundredth");
      if (i == 299) attributes = {"brand 299"};
      builder.describe_item(builder.item(fmt::format("i{}", i)), "", "", attributes);
    }
    for (int p = 0; p < 300; ++p) builder.add_event(builder.user("u"), p, 0, p, p);
    const TemporaryFolder folder;
    builder.write(folder / "data");
    const Dataset data = Dataset::open(folder / "data");
    const std::vector<int32_t> categories = item_categories(data);
    REQUIRE(std::ssize(categories) == data.items() + 1);
    const auto name = [&](std::string_view item) {
      for (int32_t i = 1; i <= data.items(); ++i)
        if (data.original_item(i) == item) return data.attribute(categories[i]);
      return std::string_view("?");
    };
    CHECK(name("i1") == "all");
    CHECK(name("i3") == "third");
    CHECK(name("i100") == "hundredth");
    CHECK(name("i299") == "");  // a brand of its own is no class
    CHECK(categories[0] == 0);
  }

  TEST_CASE("SIM hard keeps the last K of the target's category, and finds nothing for a target without one") {
    Hand hand(randn({1, 9, d}, 1), randn({1, 3, d}, 2));
    hand.run.k = 2;
    SimHard sim = hand.unit<SimHard>();
    sim.categories.assign(sim.categories.size(), 1);
    const auto item = [&](int64_t l) { return hand.batch.items[hand.batch.history.item[l]]; };
    for (const int64_t l : {1, 3, 4, 8}) sim.categories[item(l)] = 2;
    const auto candidate = [&](int64_t t) { return hand.batch.items[hand.batch.targets.item[t]]; };
    sim.categories[candidate(0)] = 2;
    sim.categories[candidate(1)] = 3;
    sim.categories[candidate(2)] = 0;
    CHECK(chosen(hand.retrieve(sim)) == Rows{{8, 4}, {-1, -1}, {-1, -1}});
    sim.categories[item(0)] = 0;  // no category is not a category to share
    CHECK(chosen(hand.retrieve(sim))[2] == std::vector<int32_t>{-1, -1});
    const Tensor lifelong = sim(hand.input(), Mode()).lifelong.value();
    for (int64_t i = 0; i < d; ++i) CHECK(lifelong.at({0, 1, i}) == 0);
  }

  TEST_CASE("ETA's order is that of a count of bits, the later of equals first, padding last with the authors") {
    Hand hand(randn({1, 9, d}, 1), randn({1, 2, d}, 2));
    hand.run.k = 9;
    hand.settings.hash_bits = 5;  // few bits, many ties
    const auto order = [&](int64_t t, const Tensor& planes, const std::vector<real>& bias, const Tensor& history) {
      std::vector<int32_t> all;
      for (int32_t l = 8; l >= 0; --l) all.push_back(l);
      for (int32_t l = 9; l < history.size(1); ++l) all.push_back(l);
      std::stable_sort(all.begin(), all.end(), [&](int32_t a, int32_t b) {
        const auto equal = [&](int32_t l) {
          return equal_bits(row(hand.fused.targets.value(), t), row(history, l), planes, bias);
        };
        return equal(a) > equal(b);
      });
      return all;
    };
    const Eta eta = hand.unit<Eta>();
    const Rows kept = chosen(hand.retrieve(eta));
    for (int64_t t = 0; t < 2; ++t)
      CHECK(kept[t] == order(t, eta.planes.value(), std::vector<real>(5, 0), hand.fused.history.value()));

    hand.run.history = 12;
    hand.run.k = 12;
    const AuthorsEta theirs = hand.unit<AuthorsEta>();
    const AuthorsHistory padded(hand.input());
    const Rows with_padding = chosen(hand.retrieve(theirs));
    for (int64_t t = 0; t < 2; ++t) {
      std::vector<int32_t> expected =
          order(t, theirs.planes.value(), theirs.bias.value().to_vector(), padded.rows.value());
      for (int32_t& l : expected) l = l >= 9 ? -1 : l;
      CHECK(with_padding[t] == expected);
    }
    hand.settings.hash_bits = 0;
    CHECK(hand.unit<AuthorsEta>().planes.shape() == Shape({16, d}));
    CHECK(hand.unit<Eta>().planes.shape() == Shape({64, d}));
  }

  TEST_CASE("SDIM: two vectors at an angle share a bucket as often as (1 - angle / π)^τ says") {
    Hand hand(randn({1, 3, d}, 1), randn({1, 1, d}, 2));
    for (const int64_t width : {1, 3}) {
      hand.settings.hash_bits = 3999;
      hand.settings.hash_width = width;
      const Sdim sdim = hand.unit<Sdim>();
      for (const double angle : {0.3, 1.0, 2.0}) {
        const Tensor pair = vectors({{1}, {static_cast<real>(std::cos(angle)), static_cast<real>(std::sin(angle))}});
        const std::vector<int32_t> buckets = sdim.buckets(pair.reshape({2, d}));
        const int64_t groups = sdim.groups();
        double equal = 0;
        for (int64_t g = 0; g < groups; ++g) equal += buckets[g] == buckets[groups + g];
        const double n = static_cast<double>(groups),
                     p = std::pow(1 - angle / std::numbers::pi, static_cast<double>(width));
        CHECK(std::abs(equal / n - p) < 4 * std::sqrt(p * (1 - p) / n));
      }
    }
    hand.settings.hash_width = 2;
    CHECK_THROWS_WITH_AS(hand.unit<Sdim>(), "--hash-width 2: must divide --hash-bits 3999", Error);
  }

  TEST_CASE("SDIM is the mean over groups of the normalised sum of what shares the target's bucket") {
    const Hand hand(randn({1, 6, d}, 1), randn({1, 2, d}, 2));
    const Sdim sdim = hand.unit<Sdim>();
    const Tensor got = sdim(hand.input(), Mode()).lifelong.value(), history = hand.fused.history.value(),
                 planes = sdim.planes.value();
    CHECK(sdim.groups() == 16);
    for (int64_t t = 0; t < 2; ++t) {
      std::vector<double> expected(d, 0);
      for (int64_t g = 0; g < 16; ++g) {
        const Tensor own = planes.slice(0, 3 * g, 3 * g + 3);
        std::vector<double> sum(d, 0);
        for (int64_t l = 0; l < 6; ++l)
          if (equal_bits(row(hand.fused.targets.value(), t), row(history, l), own, {0, 0, 0}) == 3)
            for (int64_t i = 0; i < d; ++i) sum[i] += row(history, l)[i];
        const double length = std::sqrt(std::inner_product(sum.begin(), sum.end(), sum.begin(), 0.0));
        for (int64_t i = 0; i < d && length > 0; ++i) expected[i] += sum[i] / length / 16;
      }
      for (int64_t i = 0; i < d; ++i) CHECK(std::abs(got.at({0, t, i}) - expected[i]) <= tolerance);
    }
  }
}
