// The baselines' formulas against their textbook twins, and what the authors' forms do differently.
#include <set>

#include "seminar/baselines/authors.h"
#include "seminar/baselines/din.h"
#include "seminar/baselines/sasrec.h"
#include "seminar/baselines/sim.h"
#include "tests/baseline_checks.h"

using namespace seminar;

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
    const Var own = sim.search.head.y_hat(sum, mean(hand.fused.history, 1), hand.fused.targets, Mode());
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
      for (int64_t c = 1; c < 4; ++c)  // not had before, nor what comes next
        CHECK(std::find(own.begin(), own.begin() + l + 2, candidates[c]) == own.begin() + l + 2);
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

  TEST_CASE("SASRec's negatives are items of the batch by id, none that their user had by then") {
    const TinyData tiny;
    const Batch batch = make_batch(tiny.data, all_targets(tiny.data), {12, 4, 0.0}, Rng(2));
    const Ids items = next_items(tiny.data, batch, batch.mask, 2, Rng(4));
    int64_t at = 0, others = 0;
    for (int64_t b = 0; b < batch.size(); ++b) {
      const auto own = tiny.data.user_items(batch.rows[b].user);
      std::set<int32_t> of_row;
      for (int64_t c = 1; c < 5; ++c) of_row.insert(batch.items[batch.targets.item[b * 5 + c]]);
      for (int32_t l = 0; l < history_length(batch, b); ++l, at += 3) {
        const auto known = own.first(static_cast<std::size_t>(batch.begins[b] + l + 2));
        CHECK(batch.items[items[at]] == known.back());
        for (int64_t n = 1; n < 3; ++n) {
          const int32_t item = batch.items[items[at + n]];
          CHECK(item != 0);
          CHECK(std::find(known.begin(), known.end(), item) == known.end());
          others += of_row.count(item) == 0;
        }
      }
    }
    CHECK(at == items.numel());
    CHECK(others > at / 3);  // most come from other rows
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
    const Var own = sim.own_head.y_hat(matmul(r, rows), {}, hand.fused.targets, Mode());
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
