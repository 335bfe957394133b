// The baselines: which behaviours each one keeps and why, on cases small enough to follow by hand; formulas against
// their textbook twins; what the authors' forms do differently; and what every model must satisfy.
#include <numbers>
#include <numeric>
#include <set>

#include "seminar/baselines/authors.h"
#include "seminar/baselines/din.h"
#include "seminar/baselines/eta.h"
#include "seminar/baselines/mean_pool.h"
#include "seminar/baselines/qin.h"
#include "seminar/baselines/sasrec.h"
#include "seminar/baselines/sdim.h"
#include "seminar/baselines/sim.h"
#include "seminar/baselines/twin.h"
#include "tests/model_checks.h"

using namespace seminar;

namespace {

constexpr int64_t d = 8;

struct KindAndForm {
  std::string kind, form;
  ModelSettings settings(const std::string& fusion = "lambda") const {
    ModelSettings s = small_settings(fusion);
    s.form = form;
    return s;
  }
};

std::vector<KindAndForm> baselines() {
  std::vector<KindAndForm> all;
  for (const ModelKind& kind : model_kinds()) {
    if (kind.name == std::string("seminar") || kind.name == std::string("psu")) continue;
    all.push_back({kind.name, "faithful"});
    if (kind.make_authors) all.push_back({kind.name, "authors"});
  }
  return all;
}

// Vectors given by their first numbers, the rest zeros: [1, n, d].
Tensor vectors(std::initializer_list<std::vector<real>> rows) {
  Tensor t = Tensor::zeros({1, static_cast<int64_t>(rows.size()), d});
  real* y = t.write();
  for (const std::vector<real>& row : rows) {
    std::copy(row.begin(), row.end(), y);
    y += d;
  }
  return t;
}

void set(const Param& p, const Tensor& value) {
  REQUIRE(value.numel() == p.shape().numel());
  Tensor target = p.var().value();
  std::copy_n(value.data(), value.numel(), target.write());
}

Tensor identity() {
  Tensor t = Tensor::zeros({1, d, d});
  for (int64_t i = 0; i < d; ++i) t.write()[i * d + i] = 1;
  return t;
}

// One history and candidates that are not in it, with vectors given by hand. Every third behaviour, from the first on,
// was searched.
struct Hand {
  static constexpr int32_t user = 7;
  TinyData tiny;
  ModelSettings settings = small_settings();
  RunSettings run = small_run();
  Baseline<MeanPool> host;
  Batch batch;
  FusedBatch fused;
  Hand(const Tensor& history, const Tensor& targets, std::vector<int32_t> queries = {})
      : host(settings, Vocabulary::of(tiny.data, settings), tiny.data, Rng(1)) {
    const Target target{user, static_cast<int32_t>(history.size(1))};
    std::vector<int32_t> items;
    const auto own = tiny.data.user_items(user);
    for (int32_t item = 1; std::ssize(items) < targets.size(1); ++item)
      if (std::find(own.begin(), own.end(), item) == own.end()) items.push_back(item);
    queries.resize(items.size(), 0);
    run.history = history.size(1);
    batch = make_batch(tiny.data, std::span(&target, 1), run.history, items, queries);
    fused = {host.encoders(tiny.data, batch.items, batch.queries, Mode()), targets, history};
  }
  UnitInput input(bool training_loss = false) const {
    return {tiny.data, batch, host.encoders, host.fusion, fused, run, training_loss};
  }
  template <class Unit>
  Unit unit() const {
    return build<Unit>(settings, tiny.data, Rng(5));
  }
  template <class Unit>
  Retrieved retrieve(const Unit& unit) const {
    return *unit(input(), Mode()).retrieved;
  }
};

// The behaviours of each row, padding as -1.
std::vector<std::vector<int32_t>> chosen(const Retrieved& r) {
  std::vector<std::vector<int32_t>> rows(static_cast<std::size_t>(r.rows()));
  for (int64_t i = 0; i < std::ssize(r.positions); ++i)
    rows[i / r.k].push_back(r.mask.data()[i] != 0 ? r.positions[i] : -1);
  return rows;
}
using Rows = std::vector<std::vector<int32_t>>;

real dot(const real* a, const real* b) { return std::inner_product(a, a + d, b, real{0}); }
// Row i of a tensor [..., d].
const real* row(const Tensor& t, int64_t i) { return t.data() + i * d; }

// Signs bit by bit: how many bits of two vectors agree.
int64_t equal_bits(const real* a, const real* b, const Tensor& planes, const std::vector<real>& bias) {
  int64_t equal = 0;
  for (int64_t bit = 0; bit < planes.size(0); ++bit)
    equal += (dot(a, row(planes, bit)) + bias[bit] > 0) == (dot(b, row(planes, bit)) + bias[bit] > 0);
  return equal;
}

struct Forgetful {
  Buffer planes{Tensor::zeros({2})};
  void visit(auto&&) const {}
};

}  // namespace

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

  // Head h sees coordinate h alone.
  static void watch_one_coordinate_each(const TargetAttention& attention) {
    Tensor q = Tensor::zeros({2, d, d}), k = Tensor::zeros({2, d, d});
    for (int64_t h = 0; h < 2; ++h)
      for (int64_t i = 0; i < d; ++i) {
        q.write()[(h * d + i) * d + i] = 1;
        if (i == h) k.write()[(h * d + i) * d + i] = 1;
      }
    set(attention.wq, q);
    set(attention.wk, k);
  }

  TEST_CASE("TWIN keeps one set by the heads' weighted scores, or a set a head: they differ where heads disagree") {
    Hand hand(vectors({{5, -4}, {-4, 5}, {3, 3}, {0, 0}}), vectors({{1, 1}}));
    hand.run.k = 1;
    const Twin twin = hand.unit<Twin>();
    watch_one_coordinate_each(twin.attention);
    CHECK(chosen(hand.retrieve(twin)) == Rows{{2}});  // nobody's first choice, but the best for both
    set(*twin.head_logits, Tensor::from({2}, {3, 0}));
    CHECK(chosen(hand.retrieve(twin)) == Rows{{0}});  // the first head counts for more
    const TwinHeads heads = hand.unit<TwinHeads>();
    watch_one_coordinate_each(heads.attention);
    CHECK(chosen(hand.retrieve(heads)) == Rows{{0}, {1}});
    CHECK(!heads.head_logits);
  }

  TEST_CASE("TWIN's cross features: searched behaviours and recent ones can be preferred") {
    Hand hand(vectors({{1}, {2}, {3}, {4}}), vectors({{1, 1}}));
    hand.run.k = 2;
    const Twin twin = hand.unit<Twin>();
    watch_one_coordinate_each(twin.attention);
    CHECK(chosen(hand.retrieve(twin)) == Rows{{3, 2}});
    set(twin.searched_bias, Tensor::from({1, 2}, {100, 100}));  // behaviours 0 and 3 were searched
    CHECK(chosen(hand.retrieve(twin)) == Rows{{3, 0}});
    Tensor ages = Tensor::zeros({hand.settings.ages, 2});
    ages.write()[2 * 2] = 300;  // two ago, in the eyes of the first head
    set(*twin.age_bias, ages);
    CHECK(chosen(hand.retrieve(twin)) == Rows{{2, 3}});
  }

  TEST_CASE("TWIN's two stages agree: the order kept is that of the attention's own logits") {
    Hand hand(randn({1, 6, d}, 1), randn({1, 2, d}, 2));
    for (const int64_t k : {6, 3}) {
      hand.run.k = k;
      const Twin twin = hand.unit<Twin>();
      set(*twin.head_logits, Tensor::from({2}, {1, -1}));
      set(twin.searched_bias, Tensor::from({1, 2}, {0.5, -0.5}));
      const Tensor weight = scale(softmax(*twin.head_logits), 2).value();
      const Tensor alpha = twin.relevance(hand.fused.targets, hand.fused.history, hand.batch).value();
      const Interest found = twin(hand.input(), Mode());
      std::vector<Var> lifelong;
      for (int64_t t = 0; t < 2; ++t) {
        const std::vector<int32_t> kept = chosen(*found.retrieved)[t];
        const auto score = [&](int32_t l) {
          return weight.at({0}) * alpha.at({0, 2 * t, l}) + weight.at({1}) * alpha.at({0, 2 * t + 1, l});
        };
        for (std::size_t i = 1; i < kept.size(); ++i) CHECK(score(kept[i - 1]) >= score(kept[i]));
        for (int32_t l = 0; l < 6; ++l)
          if (std::find(kept.begin(), kept.end(), l) == kept.end()) CHECK(score(l) <= score(kept.back()));
        // Textbook second stage on what was kept.
        const Var keys = embedding(reshape(hand.fused.history, {6, d}), Ids(kept));
        std::vector<Var> heads;
        for (int64_t h = 0; h < 2; ++h) {
          Tensor logits = Tensor::empty({1, k});
          for (int64_t i = 0; i < k; ++i) logits.write()[i] = alpha.at({0, 2 * t + h, kept[i]});
          const Var values = matmul(keys, reshape(slice(twin.attention.wv, 0, h, h + 1), {d, d}));
          heads.push_back(scale(matmul(softmax(logits), values), weight.at({h})));
        }
        lifelong.push_back(matmul(concat(heads, 1), twin.attention.wo));
      }
      check_close(found.lifelong.value(), reshape(concat(lifelong, 0), {1, 2, d}).value());
    }
  }

  TEST_CASE(
      "QIN's first stage drops what the query does not like, even if the item would; without a query it asks "
      "with the item") {
    Hand hand(vectors({{9, -5}, {1, 3}, {2, 2}, {3, 1}, {0, 4}}), vectors({{1}, {1}}), {1, 0});
    hand.run.k1 = 3;
    hand.run.k = 2;
    Tensor queries = Tensor::zeros({std::ssize(hand.batch.queries), d});
    queries.write()[hand.batch.targets.query[0] * d + 1] = 1;
    hand.fused.channels.query = queries;
    const Qin qin = hand.unit<Qin>();
    for (const SoftSearch* search : {&qin.by_query, &qin.by_item}) {
      set(search->wa, identity());
      set(search->wb, identity());
    }
    CHECK(chosen(hand.retrieve(qin)) == Rows{{2, 1}, {0, 3}});
    hand.run.k1 = 1;
    CHECK_THROWS_WITH_AS(hand.retrieve(qin), "--k1 1: must be at least --k 2", Error);
  }

  TEST_CASE("QIN's query takes part in attention and loss only where there is one") {
    Hand asked(randn({1, 6, d}, 1), randn({1, 2, d}, 2), {1, 1}), hidden(randn({1, 6, d}, 1), randn({1, 2, d}, 2));
    const Qin qin = asked.unit<Qin>();
    const auto loss = [&](const Hand& hand) { return qin(hand.input(true), Mode()).own_loss.value().item(); };
    const auto lifelong = [&](const Hand& hand) { return qin(hand.input(), Mode()).lifelong.value().to_vector(); };
    const auto before = lifelong(hidden), with_query = lifelong(asked);
    const real hidden_loss = loss(hidden), asked_loss = loss(asked);
    set(qin.query_attention.attention.wv, randn({2, d, d}, 7));
    set(qin.by_query.head.mlp.layers[1].weight, randn({1, small_settings().hidden}, 8));
    CHECK(lifelong(hidden) == before);
    CHECK(lifelong(asked) != with_query);
    CHECK(loss(hidden) == hidden_loss);
    CHECK(loss(asked) != asked_loss);
    CHECK(!qin(asked.input(), Mode()).own_loss.defined());
  }

  TEST_CASE("QIN's query loss leaves rows without a query out, by cross entropy and by softmax") {
    const TinyData tiny;
    RunSettings run = small_run();
    const Batch batch = small_batch(tiny.data, run);
    const int64_t rows = batch.size(), candidates = batch.candidates();
    Tensor weight = Tensor::full({rows, candidates}, 1);
    std::fill_n(weight.write(), candidates, real{0});  // the first row asked nothing
    const Tensor logits = randn({rows, candidates}, 1);
    for (const char* form : {"bce", "softmax"}) {
      run.ctr_loss = form;
      Tensor moved = logits.clone();
      moved.write()[0] += 5;
      CHECK(ctr_loss(moved, batch, run, weight).value().item() == ctr_loss(logits, batch, run, weight).value().item());
      CHECK(ctr_loss(moved, batch, run).value().item() != ctr_loss(logits, batch, run).value().item());
    }
  }

  TEST_CASE("every baseline keeps min(K, L) real behaviours and never padding") {
    const TinyData tiny;
    for (const int64_t k : {1, 4, 50}) {
      RunSettings run = small_run();
      run.k = k;
      const Batch batch = small_batch(tiny.data, run);
      for (const KindAndForm& which : baselines()) {
        const std::string& kind = which.kind;
        if (which.form == "authors") continue;
        CAPTURE(kind);
        const auto retrieved = small_model(kind, tiny.data, small_settings())->retrieve(tiny.data, batch, run);
        CHECK(retrieved.has_value() == (kind != "sdim" && kind != "sasrec"));
        if (!retrieved) continue;
        CHECK(retrieved->rows() % batch.size() == 0);
        const int64_t rows_of_one = retrieved->rows() / batch.size();
        const Rows rows = chosen(*retrieved);
        for (int64_t r = 0; r < retrieved->rows(); ++r) {
          const int32_t length = history_length(batch, r / rows_of_one);
          std::set<int32_t> kept;
          for (const int32_t l : rows[r])
            if (l >= 0) CHECK(kept.insert(l).second);
          for (const int32_t l : kept) CHECK(l < length);
          const int64_t most = std::min<int64_t>(k, length);
          CHECK((kind == "sim_hard" ? std::ssize(kept) <= most : std::ssize(kept) == most));
        }
      }
    }
  }
}

TEST_SUITE("baselines: formulas") {
  TEST_CASE("DIN's folded activation unit equals the textbook one on [e ; s ; e - s ; e ∘ s]") {
    const Hand hand(randn({1, 5, d}, 1), randn({1, 3, d}, 2));
    const Din din = hand.unit<Din>();
    set(din.slope, randn({hand.settings.hidden}, 3));
    std::vector<Var> rows;
    for (int64_t t = 0; t < 3; ++t)
      for (int64_t l = 0; l < 5; ++l) {
        const Var e = slice(hand.fused.targets, 1, t, t + 1), s = slice(hand.fused.history, 1, l, l + 1);
        const Var x = din.first(concat({e, s, e - s, e * s}, -1));
        rows.push_back(din.last(relu(x) - din.slope * relu(scale(x, -1))));
      }
    check_close(din.activations(hand.fused.targets, hand.fused.history).value(),
                reshape(concat(rows, 1), {1, 3, 5}).value());
  }

  TEST_CASE("SIM's relevance learns from its own prediction, and only while training asks for it") {
    const Hand hand(randn({1, 5, d}, 1), randn({1, 3, d}, 2));
    const Sim sim = hand.unit<Sim>();
    CHECK(!sim(hand.input(), Mode()).own_loss.defined());
    const Var loss = sim(hand.input(true), Mode()).own_loss;
    const Var r = sim.search.scores(hand.fused.targets, hand.fused.history);
    const Var sum = scale(matmul(r, hand.fused.history), static_cast<real>(1.0 / 5));
    const Var own = sim.search.head(sum, mean(hand.fused.history, 1), hand.fused.targets, Mode());
    check_close(loss.value(), bce_with_logits(own, candidate_labels(hand.batch)).value());
    backward(loss);
    CHECK(sim.search.wa.var().grad().defined());
    CHECK(!sim.esu.attention.wq.var().grad().defined());
  }

  TEST_CASE("SASRec's loss is that of the next item after each prefix, which score() sees without what follows") {
    const TinyData tiny;
    RunSettings run = small_run();
    run.position_negatives = 3;
    SasRec model = build<SasRec>(small_settings(), Vocabulary::of(tiny.data, small_settings()), Rng(3));
    set(model.positions, Tensor::zeros(model.positions.shape()));  // counted from the end, they tell prefixes apart
    const Target target{7, 9};
    const Batch batch = make_batch(tiny.data, std::span(&target, 1), {run.history, 4, 0.0}, Rng(2));
    const Mode mode;
    const Ids items = next_items(tiny.data, batch, batch.mask, 3, mode.rng.split("negatives"));
    REQUIRE(items.shape() == Shape({9, 4}));
    const auto own = tiny.data.user_items(7);
    std::vector<Var> logits;
    for (int64_t l = 0; l < 9; ++l) {
      std::vector<int32_t> candidates;
      for (int64_t c = 0; c < 4; ++c) candidates.push_back(batch.items[items[l * 4 + c]]);
      CHECK(candidates[0] == own[l + 1]);
      for (int64_t c = 1; c < 4; ++c) CHECK(std::find(own.begin(), own.end(), candidates[c]) == own.end());
      const Target prefix{7, static_cast<int32_t>(l + 1)};
      const Batch seen =
          make_batch(tiny.data, std::span(&prefix, 1), run.history, candidates, std::vector<int32_t>(4, 0));
      logits.emplace_back(model.score(tiny.data, seen, run));
    }
    Tensor labels = Tensor::zeros({9, 4});
    for (int64_t l = 0; l < 9; ++l) labels.write()[l * 4] = 1;
    check_close(model.loss(tiny.data, batch, run, mode, nullptr).value(),
                bce_with_logits(concat(logits, 0), labels).value());
  }

  TEST_CASE("SASRec reads the order of the last P behaviours and nothing older") {
    const TinyData tiny;
    const RunSettings run = small_run();
    ModelSettings s = small_settings();
    s.positions = 3;
    const auto model = small_model("sasrec", tiny.data, s);
    const Target target{7, 9};
    Batch batch = make_batch(tiny.data, std::span(&target, 1), {run.history, 4, 1.0}, Rng(2));
    const auto scores = [&](const std::vector<int32_t>& order) {
      std::vector<int32_t> items, queries;
      for (const int32_t l : order) {
        items.push_back(batch.history.item[l]);
        queries.push_back(batch.history.query[l]);
      }
      Batch moved = batch;
      moved.history = {Ids({1, 9}, std::move(queries)), Ids({1, 9}, std::move(items))};
      return model->score(tiny.data, moved, run).to_vector();
    };
    const auto before = scores({0, 1, 2, 3, 4, 5, 6, 7, 8});
    CHECK(scores({5, 4, 3, 2, 1, 0, 6, 7, 8}) == before);
    CHECK(scores({0, 1, 2, 3, 4, 5, 7, 6, 8}) != before);
  }
}

TEST_SUITE("baselines: the authors' forms") {
  TEST_CASE("their attention equals the textbook form with projections and biases, padding as zero vectors") {
    Hand hand(randn({1, 4, d}, 1), randn({1, 2, d}, 2));
    hand.run.history = 6;
    const AuthorsAttention attention(hand.settings, Rng(3));
    const AuthorsHistory history(hand.input());
    REQUIRE(history.length() == 6);
    const Retrieved all = retrieve_rows(1, 6, 6, [](int64_t) { return std::vector<int32_t>{0, 1, 2, 3, 4, 5}; });
    const Var keys = concat({hand.fused.history, Tensor::zeros({1, 2, d})}, 1), key_bias = randn({1, d}, 4);
    std::vector<Var> heads;
    for (int64_t h = 0; h < 2; ++h) {
      const auto project = [&](const Var& x, const Var& w, const Var& b) {
        return matmul(x, reshape(slice(w, 0, h, h + 1), {d, d})) + b;
      };
      const auto bias = [&](const FrozenProjection& p) { return reshape(slice(p.bias, 0, h, h + 1), {1, d}); };
      const Var q = project(hand.fused.targets, attention.scores.query.weight, bias(attention.scores.query)),
                k = project(keys, attention.scores.key, key_bias),
                v = project(keys, attention.value.weight, bias(attention.value));
      heads.push_back(matmul(softmax(scale(matmul_transposed(q, k), static_cast<real>(1 / std::sqrt(8.0)))), v));
    }
    check_close(attention(hand.fused.targets, history, all).value(), attention.output(concat(heads, -1)).value());
  }

  TEST_CASE("padding can outrank a behaviour, in the faithful form never") {
    Hand hand(vectors({{-1}, {-2}, {-3}}), vectors({{1}}));
    hand.run.history = 6;
    hand.run.k = 4;
    const AuthorsSim theirs = hand.unit<AuthorsSim>();
    const Sim ours = hand.unit<Sim>();
    for (const Linear* map : {&theirs.wq, &theirs.wk}) {
      set(map->weight, identity());
      set(*map->bias, Tensor::zeros({d}));
    }
    set(ours.search.wa, identity());
    set(ours.search.wb, identity());
    const Retrieved found = hand.retrieve(theirs);
    CHECK(chosen(found) == Rows{{-1, -1, -1, 0}});
    CHECK(found.positions == std::vector<int32_t>{3, 4, 5, 0});
    CHECK(chosen(hand.retrieve(ours)) == Rows{{0, 1, 2}});
    CHECK(chosen(hand.retrieve(hand.unit<AuthorsMeanPool>())) == Rows{{2, 1, 0, -1}});
  }

  TEST_CASE("their SIM learns from the unscaled sum over all places") {
    Hand hand(randn({1, 4, d}, 1), randn({1, 2, d}, 2));
    hand.run.history = 6;
    set(hand.host.encoders.empty_query, randn({1, d}, 3));  // so that padding is not zero
    hand.fused.channels = hand.host.encoders(hand.tiny.data, hand.batch.items, hand.batch.queries, Mode());
    const AuthorsSim sim = hand.unit<AuthorsSim>();
    const Var pad = hand.host.fusion(hand.fused.channels, {Ids({0, 0}), Ids({0, 0})});
    const Var rows = concat({hand.fused.history, reshape(pad, {1, 2, d})}, 1);
    const Var r = matmul_transposed(sim.wq(hand.fused.targets), sim.wk(rows));
    const Var own = sim.own_head(matmul(r, rows), {}, hand.fused.targets, Mode());
    check_close(sim(hand.input(true), Mode()).own_loss.value(),
                bce_with_logits(own, candidate_labels(hand.batch)).value());
  }

  TEST_CASE("their TWIN keeps a set a head by frozen scores, their QIN reads item ids alone") {
    Hand hand(randn({1, 6, d}, 1), randn({1, 2, d}, 2));
    hand.run.k = 1;
    const AuthorsTwin twin = hand.unit<AuthorsTwin>();
    const Tensor scores = twin.attention.scores(hand.fused.targets, hand.fused.history).value();
    const Rows kept = chosen(hand.retrieve(twin));
    REQUIRE(kept.size() == 4);
    for (int64_t r = 0; r < 4; ++r)
      CHECK(kept[r][0] == std::max_element(scores.data() + r * 6, scores.data() + r * 6 + 6) - scores.data() - r * 6);

    const TinyData tiny;
    const RunSettings run = small_run();
    const auto model = small_model("qin", tiny.data, KindAndForm{"qin", "authors"}.settings());
    const Batch batch = small_batch(tiny.data, run);
    const auto before = model->score(tiny.data, batch, run).to_vector();
    int changed = 0;
    for (const NamedParam& p : model->params())
      if (p.name.starts_with("encoders.text") || p.name.starts_with("encoders.attribute")) {
        Tensor value = p.var.value();
        value.fill(1);
        ++changed;
      }
    CHECK(changed > 3);
    CHECK(model->score(tiny.data, batch, run).to_vector() == before);
    // Nothing else learns either: neither what selects nor what other channels hold.
    for (const std::string& name : without_gradient(*model, tiny.data))
      CHECK((name.starts_with("encoders.") || name.starts_with("fusion.")));
  }

  TEST_CASE("their padding is that of the run, not of the batch: a user's scores do not depend on who else is there") {
    const TinyData tiny;
    const RunSettings run = small_run();
    const std::vector<Target> targets{{7, 9}, {3, 1}};
    const std::vector<int32_t> items{1, 2, 3, 4}, queries(4, 0);
    const Batch both = make_batch(tiny.data, targets, run.history, items, queries);
    const Batch alone = make_batch(tiny.data, std::span(targets).last(1), run.history, std::span(items).last(2),
                                   std::span(queries).last(2));
    for (const KindAndForm& which : baselines()) {
      CAPTURE(which.kind);
      CAPTURE(which.form);
      const auto model = small_model(which.kind, tiny.data, which.settings());
      const Tensor together = model->score(tiny.data, both, run), apart = model->score(tiny.data, alone, run);
      for (int64_t t = 0; t < 2; ++t)
        CHECK(std::abs(together.at({1, t}) - apart.at({0, t})) <= tolerance * std::abs(apart.at({0, t})) + 1e-12);
    }
  }

  TEST_CASE("models without such a form say so") {
    const TinyData tiny;
    ModelSettings s = small_settings();
    s.form = "authors";
    for (const char* kind : {"seminar", "psu", "din", "sdim", "sasrec", "sim_hard", "twin_heads"})
      CHECK_THROWS_WITH_AS(
          make_model(kind, s, tiny.data, Rng(1)),
          fmt::format("--form authors: {} has no such form, only mean_pool, sim, eta, twin, qin have", kind).c_str(),
          Error);
    CHECK_THROWS_WITH_AS(make_model("magic", s, tiny.data, Rng(1)),
                         doctest::Contains("--model: must be one of seminar, psu, mean_pool, din, sim,"), Error);
  }
}

TEST_SUITE("baselines: every model") {
  TEST_CASE("every parameter gets a gradient in one step") {
    const TinyData tiny;
    for (const KindAndForm& which : baselines())
      for (const char* fusion : {"lambda", "gate"}) {
        if (which.kind == "qin" && which.form == "authors") continue;  // its own test
        CAPTURE(which.kind);
        CAPTURE(which.form);
        CHECK(without_gradient(*small_model(which.kind, tiny.data, which.settings(fusion)), tiny.data) ==
              std::vector<std::string>());
      }
  }

  TEST_CASE("the gradients of the whole losses agree with differences along random directions") {
    if (sizeof(real) != 8) return;
    const TinyData tiny;
    for (const KindAndForm& which : baselines()) {
      CAPTURE(which.kind);
      CAPTURE(which.form);
      check_loss_gradients(*small_model(which.kind, tiny.data, which.settings("gate")), tiny.data);
    }
  }

  TEST_CASE("padding reaches no loss, no score and no gradient: its vectors may be anything") {
    const TinyData tiny;
    for (const KindAndForm& which : baselines()) {
      if (which.form == "authors") continue;
      CAPTURE(which.kind);
      check_padding_unread(*small_model(which.kind, tiny.data, small_settings()), tiny.data);
    }
  }

  TEST_CASE("a history of one behaviour, or of none, has scores and a loss") {
    const TinyData tiny;
    RunSettings run = small_run();
    for (const KindAndForm& which : baselines())
      for (const int32_t position : {0, 1}) {
        CAPTURE(which.kind);
        CAPTURE(which.form);
        CAPTURE(position);
        const auto model = small_model(which.kind, tiny.data, which.settings());
        const Target target{5, position};
        const Batch batch = make_batch(tiny.data, std::span(&target, 1), {run.history, 2, 0.0}, Rng(2));
        for (const real s : model->score(tiny.data, batch, run).to_vector()) CHECK(std::isfinite(s));
        if (position == 0) continue;
        const Var loss = model->loss(tiny.data, batch, run, {true, 0.1, Rng(4)}, nullptr);
        CHECK(std::isfinite(loss.value().item()));
        backward(loss);
      }
  }

  TEST_CASE("training lowers the loss and leaves frozen tensors as they were") {
    const TinyData tiny;
    for (const KindAndForm& which : baselines()) {
      CAPTURE(which.kind);
      CAPTURE(which.form);
      const auto model = small_model(which.kind, tiny.data, which.settings());
      std::vector<std::vector<real>> before;
      for (const NamedParam& p : model->frozen()) before.push_back(p.var.value().to_vector());
      CHECK(before.empty() == !(which.form == "authors" || which.kind == "eta" || which.kind == "sdim"));
      const RunSettings run = small_run();
      const Batch batch = small_batch(tiny.data, run);
      Adam adam(model->params(), {.lr = 2e-2});
      std::vector<real> losses;
      for (int step = 0; step < 60; ++step) {
        const Var loss = model->loss(tiny.data, batch, run, {true, 0, Rng(4)}, nullptr);
        losses.push_back(loss.value().item());
        backward(loss);
        adam.step();
      }
      // On data so small the authors' narrow head may learn no more than how rare clicks are.
      CHECK(losses.back() < (which.form == "authors" ? 0.95 : 0.8) * losses.front());
      for (std::size_t i = 0; i < before.size(); ++i) CHECK(model->frozen()[i].var.value().to_vector() == before[i]);
    }
  }

  TEST_CASE("model files: round trip with equal scores, frozen tensors included") {
    const TinyData tiny;
    for (const KindAndForm& which : baselines()) {
      CAPTURE(which.kind);
      CAPTURE(which.form);
      check_round_trip(which.kind, which.settings("gate"), tiny);
    }
  }

  TEST_CASE("the same seed gives the same model file byte for byte, with 1, 2 and 3 threads") {
    const TinyData tiny;
    for (const KindAndForm& which : baselines()) {
      CAPTURE(which.kind);
      CAPTURE(which.form);
      check_same_bytes(which.kind, which.settings(), tiny);
    }
  }

  TEST_CASE("a frozen tensor that visit() does not list is a bug") { CHECK_THROWS_AS(build<Forgetful>(), Bug); }
}
