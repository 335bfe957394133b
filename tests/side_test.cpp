// What the head reads besides the sequence: numbers of user and item by hand, the moment, users; what is switched off
// changes nothing; searches by the pair, its item or its query.
#include <cmath>
#include <map>

#include "seminar/model/seminar_model.h"
#include "seminar/retrieval/batch_retriever.h"
#include "tests/model_checks.h"

using namespace seminar;

namespace {

constexpr int64_t second = 1000000;  // in µs

// Two users who differ in nothing but an attribute, and a third without one. Items a, b, c are of brand x, d and e of
// y.
struct SideData {
  TemporaryFolder folder;
  Dataset data;
  SideData() : data(make(folder / "data")) {}

 private:
  static Dataset make(const std::string& dir) {
    DatasetBuilder builder = tiny_builder();
    const auto item = [&](const char* name, const char* brand) {
      const int32_t id = builder.item(name);
      builder.describe_item(id, name, "red", std::vector<std::string>{brand});
      return id;
    };
    const int32_t a = item("a", "x"), b = item("b", "x"), c = item("c", "x"), d = item("d", "y"), e = item("e", "y");
    constexpr int64_t thursday = 0;
    for (const char* name : {"young", "old", "nobody"}) {
      const int32_t user = builder.user(name);
      const std::vector<std::string> attributes{name};
      if (name != std::string("nobody")) builder.describe_user(user, attributes);
      int64_t time = (thursday + 5 * 3600) * second;
      for (const int32_t i : {a, b, a, d, c, e}) builder.add_event(user, i, 0, time += 60 * second, builder.events());
    }
    builder.write(dir);
    return Dataset::open(dir);
  }
};

ModelSettings with_side(const std::string& side) {
  ModelSettings s = small_settings();
  s.side = side;
  return s;
}

int32_t user_named(const Dataset& data, const std::string& name) {
  for (int32_t user = 0; user < data.users(); ++user)
    if (data.original_user(user) == name) return user;
  FAIL("no user ", name);
  return -1;
}

int32_t item_named(const Dataset& data, const std::string& name) {
  for (int32_t item = 1; item <= data.items(); ++item)
    if (data.original_item(item) == name) return item;
  FAIL("no item ", name);
  return -1;
}

std::vector<real> scores_of(const Model& model, const Dataset& data, const Target& target) {
  const std::vector<int32_t> items{item_named(data, "a"), item_named(data, "c"), item_named(data, "e"), 1},
      queries(4, 0);
  return model.score(data, make_batch(data, std::span(&target, 1), 12, items, queries), small_run()).to_vector();
}

}  // namespace

TEST_SUITE("side") {
  TEST_CASE("counts and times of a candidate's item, category and brand, by hand") {
    const SideData side;
    const Dataset& data = side.data;
    const int32_t user = user_named(data, "young");
    const Target target{user, 4, (3600 * 5 + 60 * 4 + 100) * second};  // a b a d are behind it
    const std::vector<int32_t> items{item_named(data, "a"), item_named(data, "c"), item_named(data, "e")},
        queries(3, 0);
    const Batch batch = make_batch(data, std::span(&target, 1), 2, items, queries);  // L = 2: counts see all four
    const std::vector<std::vector<int32_t>> classes = Vocabulary::of(data, with_side("all")).classes;
    REQUIRE(classes.size() == 3);
    const Tensor x = u2i_features(data, batch, classes);
    REQUIRE(x.shape() == Shape({1, 3, 12}));
    const auto check = [&](int64_t candidate, int64_t of_class, double count, double seconds, double behaviours) {
      CAPTURE(candidate);
      CAPTURE(of_class);
      const double expected[] = {count > 0 ? 1.0 : 0.0, std::log1p(count), std::log1p(seconds) / 20,
                                 std::log1p(behaviours) / 10};
      for (int64_t i = 0; i < 4; ++i)
        CHECK(static_cast<double>(x.at({0, candidate, 4 * of_class + i})) ==
              doctest::Approx(expected[i]).epsilon(1e-5));
    };
    check(0, 0, 2, 60 * 1 + 100, 2);  // a twice, the last at the third of four minutes
    check(0, 2, 3, 60 * 1 + 100, 2);  // brand x: a b a
    check(1, 0, 0, 0, 0);             // c not yet
    check(1, 2, 3, 60 * 1 + 100, 2);
    check(2, 0, 0, 0, 0);
    check(2, 2, 1, 100, 1);  // brand y: d
    // Nothing that comes after the target counts.
    const Target first{user, 0};
    const Tensor none = u2i_features(data, make_batch(data, std::span(&first, 1), 2, items, queries), classes);
    for (const real v : none.to_vector()) CHECK(v == 0);
  }

  TEST_CASE("the moment: a target's own time, its action's, or the last behaviour's") {
    const SideData side;
    const int32_t user = user_named(side.data, "old");
    CHECK(moment_of(side.data, {user, 2, 77}) == 77);
    CHECK(moment_of(side.data, {user, 2}) == (5 * 3600 + 180) * second);
    CHECK(moment_of(side.data, {user, 6}) == (5 * 3600 + 360) * second);
  }

  TEST_CASE("each part is seen by the models that read it, and by no other") {
    const SideData side;
    const Dataset& data = side.data;
    const Target young{user_named(data, "young"), 4}, old{user_named(data, "old"), 4},
        nobody{user_named(data, "nobody"), 4};
    const int64_t now = moment_of(data, young);
    const auto at = [&](const Target& t, int64_t time) { return Target{t.user, t.position, time}; };
    for (const char* kind : {"seminar", "din"})
      for (const char* part : {"none", "user", "u2i", "context", "all"}) {
        CAPTURE(kind);
        CAPTURE(part);
        const std::string p = part;
        const auto model = small_model(kind, data, with_side(p));
        const auto scores = scores_of(*model, data, young);
        const bool user = p == "user" || p == "all", u2i = p == "u2i" || p == "all",
                   context = p == "context" || p == "all";
        CHECK((scores_of(*model, data, old) != scores) == user);
        CHECK((scores_of(*model, data, nobody) != scores) == user);
        CHECK((scores_of(*model, data, at(young, now)) == scores));
        // An hour later: another hour of the day, and longer since the last of anything.
        CHECK((scores_of(*model, data, at(young, now + 3600 * second)) != scores) == (u2i || context));
        // Three weeks later to the second: the same hour and weekday, another gap.
        CHECK((scores_of(*model, data, at(young, now + 21 * 86400 * second)) != scores) == (u2i || context));
      }
  }

  TEST_CASE("every parameter gets a gradient, files give the scores back") {
    const SideData side;
    for (const char* kind : {"seminar", "mean_pool", "sim"}) {
      CAPTURE(kind);
      const RunSettings run = small_run();
      const auto model = small_model(kind, side.data, with_side("all"));
      const Batch batch = small_batch(side.data, run);
      backward(model->loss(side.data, batch, run, {true, 0.1, Rng(4)}, nullptr));
      int parts = 0;
      for (const NamedParam& p : model->params()) {
        if (!p.name.starts_with("side.")) continue;
        CAPTURE(p.name);
        ++parts;
        CHECK((p.var.grad().defined() || !p.var.sparse_grads().empty()));
      }
      CHECK(parts == 6);
      zero_grad(model->params());
      save_model(*model, side.data, run, side.folder / "m");
      CHECK(load_model(side.folder / "m", side.data)->score(side.data, batch, run).to_vector() ==
            model->score(side.data, batch, run).to_vector());
    }
  }

  TEST_CASE("the mean of the history is a switch: without it scores depend on what was retrieved alone") {
    const TinyData tiny;
    RunSettings run = small_run();
    run.k = 1;
    for (const char* mean : {"on", "off"}) {
      ModelSettings s = small_settings();
      s.history_mean = mean;
      const auto model = small_model("din", tiny.data, s);
      const Target target{7, 9};
      const std::vector<int32_t> items{1, 2}, queries{0, 0};
      Batch batch = make_batch(tiny.data, std::span(&target, 1), run.history, items, queries);
      const std::vector<real> before = model->score(tiny.data, batch, run).to_vector();
      std::vector<int32_t> moved(batch.history.item.span().begin(), batch.history.item.span().end());
      std::swap(moved[0], moved[8]);  // DIN with K = 1 reads the last alone
      moved[8] = batch.history.item[8];
      batch.history.item = Ids({1, 9}, std::move(moved));
      CHECK((model->score(tiny.data, batch, run).to_vector() == before) == (s.history_mean == "off"));
    }
  }

  TEST_CASE("the history is searched by the pair, its item or its query, exactly and by a method") {
    const TinyData tiny;
    RunSettings run = small_run();
    run.k = 3;
    const Target target{7, 12};
    const std::vector<int32_t> items{1, 1, 2}, queries{1, 2, 1};
    const Batch batch = make_batch(tiny.data, std::span(&target, 1), 12, items, queries);
    for (const char* by : {"pair", "item", "query"}) {
      CAPTURE(by);
      ModelSettings s = small_settings();
      s.search_by = by;
      const auto model = small_model("seminar", tiny.data, s);
      for (const NamedParam& p : model->params()) {
        Tensor x = p.var.value();
        const Tensor drawn = randn(x.shape(), std::hash<std::string>()(p.name));
        std::copy_n(drawn.data(), drawn.numel(), x.write());
      }
      auto& seminar = dynamic_cast<SeminarModel&>(*model);
      const std::vector<int32_t> found = seminar.retrieve(tiny.data, batch, run)->positions;
      const auto row = [&](int64_t t) {
        return std::vector<int32_t>(found.begin() + 3 * t, found.begin() + 3 * t + 3);
      };
      // Candidates 0 and 1 share the item, 0 and 2 the query.
      if (s.search_by == "item") CHECK(row(0) == row(1));
      if (s.search_by == "query") CHECK(row(0) == row(2));
      if (s.search_by != "item") CHECK(row(0) != row(1));
      if (s.search_by != "query") CHECK(row(0) != row(2));
      seminar.set_retriever(make_batch_retriever("int8", seminar, tiny.data, "", 1));
      CHECK(seminar.retrieve(tiny.data, batch, run)->positions == found);
    }
  }
}
