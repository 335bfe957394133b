// The model: formulas against their textbook twins, gradients of whole losses, retrieval, determinism, files.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>

#include "seminar/model/seminar_model.h"
#include "tests/model_checks.h"

using namespace seminar;

TEST_SUITE("seminar") {
  TEST_CASE("decomposed attention scores equal those of the fused vectors (paper section 2)") {
    for (double norm : {0.1, 1.0, 20.0}) {
      const Tensor gamma = softmax(randn({4}, 1)).value();
      Rng rng(2);
      const Tensor xt = Tensor::normal({3, 4, 8}, rng, norm), xl = Tensor::normal({3, 5, 4, 8}, rng, norm);
      const Tensor wq = randn({2, 8, 8}, 3), wk = randn({2, 8, 8}, 4);
      const Tensor apart = decomposed_scores(xt, xl, gamma, wq, wk).value();
      const Var q = reshape(fuse(xt, gamma), {3, 1, 8}), k = fuse(xl, gamma);
      const Tensor together = target_scores(q, k, wq, wk).value();
      const double size = norm * norm;
      check_close(scale(apart, static_cast<real>(1 / size)).value(),
                  scale(together, static_cast<real>(1 / size)).value());
    }
  }

  TEST_CASE("folded target attention equals the textbook form with key and value projections") {
    const int64_t batch = 2, targets = 3, length = 5, d = 8, heads = 2;
    const Tensor q = randn({batch, targets, d}, 1), keys = randn({batch, length, d}, 2);
    const Tensor wq = randn({heads, d, d}, 3), wk = randn({heads, d, d}, 4), wv = randn({heads, d, d}, 5),
                 wo = randn({heads * d, d}, 6);
    const Tensor mask = Tensor::from({batch, length}, {1, 0, 1, 1, 0, 1, 1, 0, 0, 0});
    std::vector<Var> per_head;
    for (int64_t h = 0; h < heads; ++h) {
      const auto head = [&](const Tensor& w) { return reshape(slice(w, 0, h, h + 1), {d, d}); };
      const Var a =
          scale(matmul_transposed(matmul(q, head(wq)), matmul(keys, head(wk))), static_cast<real>(1 / std::sqrt(8.0)));
      per_head.push_back(matmul(softmax(a, mask), matmul(keys, head(wv))));
    }
    const Var textbook = matmul(concat(per_head, -1), wo);
    check_close(target_attention(q, keys, mask, wq, wk, wv, wo).value(), textbook.value());
  }

  TEST_CASE("fusion by tables equals the textbook forms, and absent channels take no part") {
    for (const char* form : {"lambda", "gate"}) {
      ModelSettings s = small_settings(form);
      s.lambda = 0.3;
      const Fusion fusion = build<Fusion>(s, 2, Rng(1));
      Channels c{randn({3, 8}, 2), {randn({4, 8}, 3), randn({4, 8}, 4)}, Tensor::full({4, 2}, 1)};
      const PairIds pairs{Ids({0, 2, 1, 2, 0}), Ids({3, 0, 1, 2, 2})};
      std::vector<Var> rows{embedding(c.query, pairs.query), embedding(c.item[0], pairs.item),
                            embedding(c.item[1], pairs.item)};
      for (Var& r : rows) r = reshape(r, {5, 1, 8});
      const Var stacked = concat(rows, 1);
      Var expected;
      if (fusion.item_logits) {
        const Tensor w = softmax(*fusion.item_logits).value();
        const real l = static_cast<real>(0.3);
        expected = fuse(stacked, Tensor::from({3}, {l, (1 - l) * w.data()[0], (1 - l) * w.data()[1]}));
      } else {
        const Var weight =
            concat({fusion.gate[0].weight.var(), fusion.gate[1].weight.var(), fusion.gate[2].weight.var()}, 1);
        expected = gated_fuse(stacked, weight, fusion.gate[0].bias->var());
      }
      check_close(fusion(c, pairs).value(), expected.value());

      real* present = c.present.write();
      present[2 * 2] = 0;  // item 2 has no text
      const Tensor gamma = fusion.weights(c, pairs).value();
      CHECK(gamma.at({3, 1}) == 0);
      CHECK(gamma.at({2, 1}) > 0);
      for (int64_t n = 0; n < 5; ++n)
        CHECK(gamma.at({n, 0}) + gamma.at({n, 1}) + gamma.at({n, 2}) == doctest::Approx(1));
    }
  }

  TEST_CASE("every parameter gets a gradient in one step") {
    const TinyData tiny;
    for (const char* kind : {"psu", "seminar"})
      for (const char* fusion : {"lambda", "gate"})
        for (const char* text : {"transformer", "bag"}) {
          CAPTURE(kind);
          CAPTURE(fusion);
          CAPTURE(text);
          CHECK(without_gradient(*small_model(kind, tiny.data, small_settings(fusion, text)), tiny.data).empty());
        }
  }

  TEST_CASE("the gradients of the whole losses agree with differences along random directions") {
    if (sizeof(real) != 8) return;
    const TinyData tiny;
    for (const char* kind : {"psu", "seminar"})
      for (const char* fusion : {"lambda", "gate"}) {
        CAPTURE(kind);
        check_loss_gradients(*small_model(kind, tiny.data, small_settings(fusion)), tiny.data);
      }
  }

  TEST_CASE("the relevance loss is ln 2 where the network says nothing, and needs a searched pair") {
    const TinyData tiny;
    RunSettings run = small_run();
    run.next_weight = run.align_weight = 0;
    const Psu psu = build<Psu>(small_settings(), Vocabulary::of(tiny.data, small_settings()), Rng(3));
    Batch batch = small_batch(tiny.data, run);
    const auto loss = [&] {
      return static_cast<double>(psu.loss(tiny.data, batch, run, Mode(), nullptr).value().item());
    };
    CHECK(std::abs(loss() - std::log(2)) > 1e-3);
    Tensor last = psu.relevance.layers.back().weight.var().value(),
           bias = psu.relevance.layers.back().bias->var().value();
    last.fill(0);
    bias.fill(0);
    CHECK(loss() == doctest::Approx(std::log(2)));
    batch.history.query = Ids(batch.history.query.shape(), std::vector<int32_t>(batch.mask.numel(), 0));
    CHECK_THROWS_WITH_AS(loss(), doctest::Contains("nothing to learn from"), Error);
  }

  TEST_CASE("GSU keeps the best real behaviours, fewer where fewer are real, the older of equals") {
    const Tensor scores = Tensor::from({2, 1, 4}, {1, 3, 3, 9, 5, 4, 0, 0});
    const Tensor mask = Tensor::from({2, 4}, {1, 1, 1, 0, 1, 0, 0, 0});
    const Retrieved r = retrieve_top_k(scores, mask, 1, 2);
    CHECK(r.k == 2);
    CHECK(r.positions == std::vector<int32_t>{1, 2, 0, 0});
    CHECK(r.mask.to_vector() == std::vector<real>{1, 1, 1, 0});
    CHECK(retrieve_top_k(scores, mask, 1, 50).k == 4);
    CHECK_THROWS_WITH_AS(retrieve_top_k(scores, mask, 1, 0), "retrieval: k must be at least 1: 0", Error);
    // Two heads: the sum decides.
    const Tensor two = Tensor::from({1, 2, 3}, {0, 5, 1, 4, 0, 1});
    CHECK(retrieve_top_k(two, Tensor::full({1, 3}, 1), 1, 1).positions == std::vector<int32_t>{1});
  }

  TEST_CASE("ESU over all behaviours equals attention over the whole history") {
    ModelSettings s = small_settings();
    s.ages = 0;
    const Esu esu = build<Esu>(s, Rng(1));
    const Tensor targets = randn({2, 3, 8}, 2), history = randn({2, 5, 8}, 3);
    const Tensor mask = Tensor::from({2, 5}, {1, 1, 1, 1, 1, 1, 1, 0, 0, 0});
    const Gsu gsu = build<Gsu>(s, 3, Rng(4));
    const Retrieved all = retrieve_top_k(gsu.scores(targets, history).value(), mask, 3, 5);
    check_close(esu.x_lifelong(targets, history, all, std::vector<int32_t>(10, 1)).value(),
                esu.attention(targets, history, mask).value());
  }

  TEST_CASE("G starts as the identity") {
    const Gsu gsu = build<Gsu>(small_settings(), 2, Rng(4));
    const Channels c{randn({3, 8}, 2), {randn({4, 8}, 3)}, Tensor::full({4, 1}, 1)};
    check_close(gsu.project(c).query.value(), c.query.value());
    check_close(gsu.project(c).item[0].value(), c.item[0].value());
  }

  TEST_CASE("padding reaches no loss, no score and no gradient: its vectors may be anything") {
    const TinyData tiny;
    for (const char* kind : {"psu", "seminar"}) {
      CAPTURE(kind);
      check_padding_unread(*small_model(kind, tiny.data, small_settings()), tiny.data);
    }
  }

  TEST_CASE("the same seed gives the same model file byte for byte, with 1, 2 and 3 threads") {
    const TinyData tiny;
    for (const char* kind : {"psu", "seminar"}) check_same_bytes(kind, small_settings(), tiny);
  }

  TEST_CASE("training lowers the loss and can be stopped") {
    const TinyData tiny;
    for (const char* kind : {"psu", "seminar"}) {
      RunSettings run = small_run();
      run.epochs = 30;
      run.lr = 1e-2;
      run.dropout = 0;
      std::vector<double> losses;
      const auto model = small_model(kind, tiny.data, small_settings());
      TrainOptions options;
      options.progress = [&](const TrainProgress& p) {
        losses.push_back(p.loss[0].value);
        return true;
      };
      const TrainReport report = train(*model, tiny.data, run, options);
      CHECK(losses.back() < 0.8 * losses.front());
      CHECK(report.steps == std::ssize(losses));
      CHECK(report.best_epoch >= 1);
      int64_t calls = 0;
      options.progress = [&](const TrainProgress&) { return ++calls < 3; };
      CHECK(train(*model, tiny.data, run, options).stopped);
      CHECK(calls == 3);
    }
  }

  TEST_CASE("model files: round trip with equal scores, and refusals") {
    const TinyData tiny;
    const std::string path = tiny.folder / "model.safetensors";
    for (const char* kind : {"psu", "seminar"}) check_round_trip(kind, small_settings("gate"), tiny);
    const std::string bytes = read_file(path);
    for (std::size_t cut : {std::size_t{0}, std::size_t{7}, std::size_t{100}, bytes.size() - 1}) {
      const std::string broken = tiny.folder / "broken.safetensors";
      write_file(broken, bytes.substr(0, cut));
      CHECK_THROWS_AS(load_model(broken, tiny.data), Error);
    }
    DatasetBuilder other = tiny_builder();
    other.add_event(0, 0, 0, 5000, other.events());
    other.write(tiny.folder / "other");
    CHECK_THROWS_WITH_AS(load_model(path, Dataset::open(tiny.folder / "other")),
                         doctest::Contains("made for another data set"), Error);
    SafetensorsWriter wrong;
    wrong.meta("format", "something else");
    wrong.save(path);
    CHECK_THROWS_WITH_AS(load_model(path, tiny.data), doctest::Contains("not a model of this program"), Error);
  }

  TEST_CASE("SEMINAR restored from a PSU starts with its vectors") {
    const TinyData tiny;
    const auto psu = small_model("psu", tiny.data, small_settings());
    const auto model = make_model("seminar", small_settings(), tiny.data, Rng(77));
    auto& s = dynamic_cast<SeminarModel&>(*model);
    const auto& p = dynamic_cast<const Psu&>(*psu);
    s.restore(p, true);
    const std::vector<int32_t> items{0, 1, 5}, queries{0, 1};
    const Channels a = s.gsu.project(s.encoders(tiny.data, items, queries, Mode())),
                   b = p.encoders(tiny.data, items, queries, Mode());
    check_close(a.query.value(), b.query.value());
    check_close(a.item[0].value(), b.item[0].value());
    check_close(a.item[1].value(), b.item[1].value());
    check_close(s.esu.attention.wq.var().value(), p.attention.wq.var().value());
  }

  TEST_CASE("restoring takes over every module's values, bit for bit") {
    const TinyData tiny;
    for (const char* fusion : {"lambda", "gate"}) {
      const auto psu = small_model("psu", tiny.data, small_settings(fusion));
      for (const NamedParam& p : psu->params()) {
        Tensor x = p.var.value();
        const Tensor drawn = randn(x.shape(), std::hash<std::string>()(p.name));
        std::copy_n(drawn.data(), drawn.numel(), x.write());
      }
      const auto model = make_model("seminar", small_settings(fusion), tiny.data, Rng(77));
      auto& s = dynamic_cast<SeminarModel&>(*model);
      const auto& p = dynamic_cast<const Psu&>(*psu);
      s.restore(p, true);
      const auto check_equal = [](const Params& from, const Params& to) {
        for (const NamedParam& wanted : from) {
          CAPTURE(wanted.name);
          const auto found =
              std::find_if(to.begin(), to.end(), [&](const NamedParam& other) { return other.name == wanted.name; });
          REQUIRE(found != to.end());
          CHECK(found->var.value().to_vector() == wanted.var.value().to_vector());
        }
      };
      check_equal(parameters(p.encoders), parameters(s.encoders));
      check_equal(parameters(p.fusion), parameters(s.fusion));
      check_equal(parameters(p.age), parameters(s.esu.age));
      check_equal(parameters(p.attention), parameters(s.gsu.attention));
      check_equal(parameters(p.attention), parameters(s.esu.attention));
      check_equal(parameters(p.head), parameters(s.gsu.head));
      check_equal(parameters(p.head), parameters(s.head));
    }
  }

  TEST_CASE("by default every model takes over the encoders alone, and nothing else moves") {
    const TinyData tiny;
    const auto psu = small_model("psu", tiny.data, small_settings("gate"));
    for (const NamedParam& p : psu->params()) {
      Tensor x = p.var.value();
      const Tensor drawn = randn(x.shape(), std::hash<std::string>()(p.name));
      std::copy_n(drawn.data(), drawn.numel(), x.write());
    }
    std::map<std::string, std::vector<real>> learned;
    for (const NamedParam& p : psu->params()) learned[p.name] = p.var.value().to_vector();
    for (const ModelKind& kind : model_kinds()) {
      CAPTURE(kind.name);
      const auto model = make_model(kind.name, small_settings("gate"), tiny.data, Rng(77));
      if (kind.name == std::string("psu")) {
        CHECK_THROWS_WITH_AS(model->restore(dynamic_cast<const Psu&>(*psu), false),
                             "restore: a psu model takes over nothing from a psu", Error);
        continue;
      }
      for (const bool all : {false, true}) {
        std::map<std::string, std::vector<real>> before;
        for (const NamedParam& p : model->params()) before[p.name] = p.var.value().to_vector();
        model->restore(dynamic_cast<const Psu&>(*psu), all);
        for (const NamedParam& p : model->params()) {
          CAPTURE(p.name);
          if (p.name.starts_with("encoders.") || (all && p.name.starts_with("fusion.")))
            CHECK(p.var.value().to_vector() == learned.at(p.name));
          else if (!all || kind.name != std::string("seminar"))
            CHECK(p.var.value().to_vector() == before.at(p.name));
        }
      }
    }
    ModelSettings wide = small_settings("gate");
    wide.dim = 16;
    CHECK_THROWS_WITH_AS(make_model("din", wide, tiny.data, Rng(1))->restore(dynamic_cast<const Psu&>(*psu), false),
                         doctest::Contains("restore: 'words.table'"), Error);
  }

  TEST_CASE("settings: ranges and JSON") {
    ModelSettings s = small_settings("gate");
    const std::string json = settings_json(s);
    ModelSettings back = model_settings_from_json(json, "here");
    CHECK(settings_json(back) == json);
    CHECK(model_settings_from_json("{}", "here").dim == ModelSettings().dim);  // a setting that a file does not have
    CHECK_THROWS_WITH_AS(model_settings_from_json("[", "here"), doctest::Contains("here: settings: not valid JSON"),
                         Error);
    CHECK_THROWS_WITH_AS(model_settings_from_json("[]", "here"), "here: settings are not a JSON object", Error);
    s.fusion = "magic";
    CHECK_THROWS_WITH_AS(check_settings(s), "--fusion: must be one of lambda, gate: 'magic'", Error);
    RunSettings run;
    run.k = 0;
    CHECK_THROWS_WITH_AS(check_settings(run), "--k: must be from 1 to 100000: 0", Error);
    run.k = 1;
    run.lr = std::nan("");
    CHECK_THROWS_AS(check_settings(run), Error);
  }
}
