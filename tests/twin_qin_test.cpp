// TWIN and QIN, whose two stages must agree; and what every baseline keeps.
#include <set>

#include "seminar/baselines/qin.h"
#include "seminar/baselines/twin.h"
#include "tests/baseline_checks.h"

using namespace seminar;

TEST_SUITE("baselines: TWIN and QIN") {
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
