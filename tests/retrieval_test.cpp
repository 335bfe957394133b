// Ways of retrieval: each method's selection rule on small cases, the edges, RQ-VAE's gradients, and the GSU of a model
// by codes.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "nn/optim.h"
#include "seminar/evaluation/evaluate.h"
#include "seminar/retrieval/batch_retriever.h"
#include "seminar/retrieval/rq_vae.h"
#include "seminar/studies/recall_study.h"
#include "seminar/training/model_file.h"
#include "tensor/parallel.h"
#include "tests/tiny_data.h"

using namespace seminar;

namespace {

Tensor randn(const Shape& shape, uint64_t seed) {
  Rng rng(seed);
  return Tensor::normal(shape, rng);
}

struct Case {
  KeySet keys;
  SearchTarget target;
};

Case random_case(int64_t length, int64_t channels = 3, int64_t d = 8) {
  Rng rng(9);
  return {{randn({length, channels, d}, 1), Tensor::uniform({length, channels}, rng, 0, 1), {}},
          {randn({channels, d}, 2), Tensor::uniform({channels}, rng, 0, 1)}};
}

std::shared_ptr<const MultimodalQuantizer> quantizer_for(const Tensor& x, int64_t s, int64_t k) {
  std::vector<ProductQuantizer> channels;
  for (int64_t c = 0; c < x.size(1); ++c)
    channels.push_back(ProductQuantizer::train(x.slice(1, c, c + 1).contiguous().reshape({x.size(0), x.size(2)}), s,
                                               {k, 20, static_cast<uint64_t>(c)}));
  return std::make_shared<MultimodalQuantizer>(std::move(channels));
}

// Every method, the codes trained on the keys themselves.
std::vector<SearchMethodPtr> all_methods(const KeySet& keys) {
  const auto quantizer = quantizer_for(keys.length() > 0 ? keys.channels : randn({4, 3, 8}, 5), 4, 4);
  std::vector<SearchMethodPtr> methods{exact_search(),
                                       recent_search(),
                                       random_search(1),
                                       lsh_search(70, 1),
                                       lsh_cascade_search(8, 1),
                                       scalar_search(8, 1),
                                       scalar_search(4, 4),
                                       cascade_search(true),
                                       cascade_search(false),
                                       pq_search(quantizer, true, 1),
                                       pq_search(quantizer, false, 2)};
  methods.push_back(decoded_search("same", 8, 1, [](int64_t, const Tensor& x) { return x; }));
  return methods;
}

double recall(const std::vector<int32_t>& found, const std::vector<int32_t>& truth) {
  const std::set<int32_t> set(truth.begin(), truth.end());
  return static_cast<double>(std::count_if(found.begin(), found.end(), [&](int32_t l) { return set.count(l) != 0; })) /
         static_cast<double>(truth.size());
}

double mean_square(const Tensor& a, const Tensor& b) {
  double s = 0;
  for (int64_t i = 0; i < a.numel(); ++i) s += std::pow(static_cast<double>(a.data()[i] - b.data()[i]), 2);
  return s / static_cast<double>(a.numel());
}

}  // namespace

TEST_SUITE("retrieval") {
  TEST_CASE("exact: the fused scores by their definition, best first") {
    const Case c = random_case(20);
    std::vector<std::pair<double, int32_t>> scores;
    for (int64_t l = 0; l < 20; ++l) {
      double s = 0;
      for (int64_t i = 0; i < 3; ++i)
        for (int64_t j = 0; j < 3; ++j)
          for (int64_t k = 0; k < 8; ++k)
            s += static_cast<double>(c.target.gamma.at({i}) * c.target.channels.at({i, k}) * c.keys.gamma.at({l, j}) *
                                     c.keys.channels.at({l, j, k}));
      scores.push_back({-s, static_cast<int32_t>(l)});
    }
    std::sort(scores.begin(), scores.end());
    const auto found = exact_search()->index(c.keys)->top(c.target, 7);
    REQUIRE(found.size() == 7);
    for (std::size_t i = 0; i < 7; ++i) CHECK(found[i] == scores[i].second);
  }

  TEST_CASE("edges of every method: no key, one key, K beyond L, zeros, all equal, NaN") {
    for (const int64_t length : {0, 1, 5}) {
      const Case c = random_case(length);
      for (const SearchMethodPtr& method : all_methods(c.keys)) {
        CAPTURE(method->name());
        const auto index = method->index(c.keys);
        std::vector<int32_t> found = index->top(c.target, 50);
        std::sort(found.begin(), found.end());
        CHECK(std::ssize(found) == length);
        for (int64_t l = 0; l < std::ssize(found); ++l) CHECK(found[l] == l);
        CHECK(index->top(c.target, 2).size() == static_cast<std::size_t>(std::min<int64_t>(2, length)));
        CHECK(method->bytes_per_key(c.keys) >= 0);
      }
    }
    Case zeros = random_case(6);
    zeros.keys.channels = Tensor::zeros({6, 3, 8});
    for (const SearchMethodPtr& method : all_methods(zeros.keys)) {
      CAPTURE(method->name());
      if (method->name() == "recent" || method->name() == "random") continue;
      // Everything ties, so the lower index wins.
      CHECK(method->index(zeros.keys)->top(zeros.target, 3) == std::vector<int32_t>{0, 1, 2});
    }
    Case bad = random_case(6);
    const SearchMethodPtr exact = exact_search();
    CHECK_THROWS_WITH_AS(exact->index(bad.keys)->top(bad.target, 0), doctest::Contains("k must be at least 1"), Error);
    bad.keys.channels.write()[3] = std::numeric_limits<real>::quiet_NaN();
    CHECK_THROWS_WITH_AS(exact->index(bad.keys)->top(bad.target, 2), doctest::Contains("NaN"), Error);
    CHECK_THROWS_WITH_AS(exact->index({randn({4, 3, 8}, 1), randn({4, 2}, 1), {}}), doctest::Contains("with weights"),
                         Error);
    CHECK_THROWS_AS(lsh_search(0, 1), Error);
    CHECK_THROWS_AS(scalar_search(7, 1), Error);
  }

  TEST_CASE("recent, random, LSH: their rules") {
    const Case c = random_case(10);
    CHECK(recent_search()->index(c.keys)->top(c.target, 3) == std::vector<int32_t>{9, 8, 7});
    const auto drawn = random_search(4)->index(c.keys)->top(c.target, 5);
    CHECK(std::set<int32_t>(drawn.begin(), drawn.end()).size() == 5);
    CHECK(random_search(4)->index(c.keys)->top(c.target, 5) == drawn);
    // A key that is the target differs in no sign, one that is its negative in all.
    KeySet keys{randn({3, 1, 8}, 7), Tensor::full({3, 1}, 1), {}};
    const Tensor t = randn({1, 8}, 8);
    for (int64_t i = 0; i < 8; ++i) {
      keys.channels.write()[1 * 8 + i] = 2 * t.data()[i];
      keys.channels.write()[2 * 8 + i] = -t.data()[i];
    }
    const auto found = lsh_search(64, 3)->index(keys)->top({t, Tensor::full({1}, 1)}, 3);
    CHECK(found.front() == 1);
    CHECK(found.back() == 2);
  }

  TEST_CASE("the cascade finds a key that only one channel points to, and scores its union exactly") {
    const Case c = random_case(40);
    const auto exact = exact_search()->index(c.keys);
    for (const bool inner_product : {true, false}) {
      const auto cascade = cascade_search(inner_product)->index(c.keys);
      CHECK(cascade->top(c.target, 40) == exact->top(c.target, 40));
      // What it finds is in exact order.
      const auto all = exact->top(c.target, 40), found = cascade->top(c.target, 6);
      const auto place = [&](int32_t l) { return std::find(all.begin(), all.end(), l) - all.begin(); };
      for (std::size_t i = 1; i < found.size(); ++i) CHECK(place(found[i - 1]) < place(found[i]));
    }
    // By inner product a long vector wins, by distance a near one.
    KeySet two{Tensor::from({2, 1, 2}, {10, 0, 1, 0}), Tensor::full({2, 1}, 1), {}};
    const SearchTarget target{Tensor::from({1, 2}, {1, 0}), Tensor::full({1}, 1)};
    CHECK(cascade_search(true)->index(two)->top(target, 1) == std::vector<int32_t>{0});
    CHECK(cascade_search(false)->index(two)->top(target, 1) == std::vector<int32_t>{1});
  }

  TEST_CASE("codes: more of them find more, a second pass more still, points on centroids all") {
    const Case c = random_case(200, 3, 16);
    const auto truth = exact_search()->index(c.keys)->top(c.target, 20);
    const auto found = [&](const SearchMethodPtr& method) {
      return recall(method->index(c.keys)->top(c.target, 20), truth);
    };
    const double coarse = found(pq_search(quantizer_for(c.keys.channels, 2, 4), false, 1)),
                 fine = found(pq_search(quantizer_for(c.keys.channels, 8, 64), false, 1)),
                 refined = found(pq_search(quantizer_for(c.keys.channels, 2, 4), false, 5));
    CHECK(coarse < fine);
    CHECK(coarse < refined);
    CHECK(found(pq_search(quantizer_for(c.keys.channels, 1, 200), false, 1)) == 1);
    CHECK(found(scalar_search(4, 1)) <= found(scalar_search(8, 1)));
    CHECK(found(scalar_search(8, 1.25)) == 1);
    CHECK(scalar_search(8, 1)->bytes_per_key(c.keys) == 20);
    CHECK(pq_search(quantizer_for(c.keys.channels, 4, 16), false, 1)->bytes_per_key(c.keys) == 6);
  }

  TEST_CASE("weighted scan equals decoding, fusing and multiplying; stored codes equal fresh ones") {
    const Case c = random_case(30);
    const auto q = quantizer_for(c.keys.channels, 4, 8);
    const auto codes = q->encode(c.keys.channels);
    const Tensor target = fused_target(c.target);
    const auto scores = q->scan_weighted(q->channel_table(target), codes, c.keys.gamma);
    const Tensor keys = fused_keys({q->decode(codes), c.keys.gamma, {}});
    for (int64_t l = 0; l < 30; ++l) {
      real s = 0;
      for (int64_t i = 0; i < 8; ++i) s += keys.at({l, i}) * target.at({i});
      CHECK(scores[l] == doctest::Approx(s).epsilon(1e-5));
    }
    KeySet stored = c.keys;
    stored.codes = codes;
    const SearchMethodPtr method = pq_search(q, false, 1);
    CHECK(method->index(stored)->top(c.target, 9) == method->index(c.keys)->top(c.target, 9));
    // A transform changes neither what is exact nor what stored codes find.
    const ScoreTransform t = score_transform(c.keys.channels.reshape({90, 8}), c.target.channels, 4);
    CHECK(transformed_search(exact_search(), t)->index(c.keys)->top(c.target, 9) ==
          exact_search()->index(c.keys)->top(c.target, 9));
    CHECK_THROWS_AS(q->scan_weighted(q->channel_table(target), codes, randn({30, 2}, 1)), Error);
    CHECK_THROWS_AS(q->channel_table(randn({7}, 1)), Error);
  }

  TEST_CASE("a target is folded after its channels are coded, and the same for every method") {
    const Case c = random_case(60);
    const Tensor fold = randn({8, 8}, 11);
    const SearchTarget folded{c.target.channels, c.target.gamma, fold},
        before{matmul(c.target.channels, fold).value(), c.target.gamma};
    for (const SearchMethodPtr& method : {exact_search(), cascade_search(true), scalar_search(8, 1), lsh_search(64, 1),
                                          two_index_search(cascade_search(true))}) {
      CAPTURE(method->name());
      CHECK(method->index(c.keys)->top(folded, 10) == method->index(c.keys)->top(before, 10));
    }
    const ScoreTransform t = score_transform(c.keys.channels.reshape({180, 8}), before.channels, 4);
    CHECK(transformed_search(exact_search(), t)->index(c.keys)->top(folded, 10) ==
          exact_search()->index(c.keys)->top(before, 10));
    const auto q = quantizer_for(c.keys.channels, 4, 8);
    const Tensor coded = q->decode(q->encode(c.target.channels.reshape({1, 3, 8}))).reshape({3, 8});
    CHECK(pq_search(q, true, 1)->index(c.keys)->top(folded, 10) ==
          pq_search(q, false, 1)->index(c.keys)->top({coded, c.target.gamma, fold}, 10));
  }

  TEST_CASE("two indexes: four searches of query and item, and their union scored exactly") {
    const Case c = random_case(40);
    const SearchMethodPtr two = two_index_search(cascade_search(true));
    const auto exact = exact_search()->index(c.keys)->top(c.target, 40);
    CHECK(two->index(c.keys)->top(c.target, 40) == exact);
    CHECK(two->bytes_per_key(c.keys) == 2 * 8 * 4);
    // Key 1 is best by the sum of its item's channels, by neither of them.
    KeySet keys{Tensor::from({3, 3, 2}, {0, 0, 9, 0, -9, 0, /**/ 0, 0, 5, 0, 5, 0, /**/ 0, 0, -9, 0, 9, 0}),
                Tensor::from({3, 3}, {0.5, 0.25, 0.25, 0.5, 0.25, 0.25, 0.5, 0.25, 0.25}),
                {}};
    const SearchTarget target{Tensor::from({3, 2}, {0, 0, 1, 0, 1, 0}), Tensor::from({3}, {0.5, 0.25, 0.25})};
    CHECK(two->index(keys)->top(target, 1) == std::vector<int32_t>{1});
    CHECK(cascade_search(true)->index(keys)->top(target, 1) != std::vector<int32_t>{1});
  }

#ifdef SEMINAR_HNSWLIB
  TEST_CASE("HNSW is near the exact cascade") {
    const Case c = random_case(300);
    for (const bool inner_product : {true, false})
      CHECK(recall(hnsw_search(inner_product)->index(c.keys)->top(c.target, 20),
                   cascade_search(inner_product)->index(c.keys)->top(c.target, 20)) > 0.9);
  }
#endif

  TEST_CASE("residual codes: every level halves what is left of clustered points, or better") {
    const Tensor x = randn({400, 6}, 3);
    double before = mean_square(x, Tensor::zeros(x.shape()));
    for (const int64_t levels : {1, 2, 4}) {
      const ResidualQuantizer q(x, {levels, 32, 1});
      const double now = mean_square(x, q.decode(x));
      CHECK(now < 0.6 * before);
      before = now;
      CHECK(q.bits() == static_cast<double>(5 * levels));
    }
    CHECK_THROWS_AS(ResidualQuantizer(x, {0, 4, 1}), Error);
  }

  TEST_CASE("RQ-VAE: gradients pass straight through, codewords move to residuals, training helps") {
    RqVaeOptions o;
    o.levels = 2, o.centroids = 16, o.latent = 4, o.hidden = 12, o.steps = 300, o.batch = 64;
    const Tensor x = randn({500, 6}, 3);
    const RqVae fresh = build<RqVae>(int64_t{6}, o, Rng(1));
    const Params params = parameters(fresh);
    for (const Param& codebook : fresh.codebooks) {
      Tensor words = codebook.var().value();
      const Tensor random = randn(words.shape(), 11);
      std::copy_n(random.data(), random.numel(), words.write());
    }
    // The gradient at the encoder's output is the one at the decoder's input plus the commitment's.
    const Tensor few = randn({5, 6}, 4);
    const RqVae::Forward f = fresh(few, 0);
    backward(f.loss);
    for (const NamedParam& p : params) {
      CAPTURE(p.name);
      if (p.name.starts_with("codebooks")) {
        REQUIRE(!p.var.sparse_grads().empty());
      } else {
        REQUIRE(p.var.grad().defined());
        double largest = 0;
        for (real g : p.var.grad().to_vector()) largest = std::max(largest, std::abs(static_cast<double>(g)));
        CHECK(largest > 0);
      }
    }
    const RqVae trained = train_rq_vae(x, o);
    o.steps = 1;
    const RqVae barely = train_rq_vae(x, o);
    CHECK(mean_square(x, trained.decode(x)) < 0.7 * mean_square(x, barely.decode(x)));
    CHECK(trained.bits() == 8);
    o.steps = 20;
    CHECK(train_rq_vae(x, o).decode(x).to_vector() == train_rq_vae(x, o).decode(x).to_vector());
  }

  TEST_CASE("a model's GSU by codes: the same as exact where K holds everything, near it where it does not") {
    const TinyData tiny;
    const auto model = make_model("seminar", small_settings(), tiny.data, Rng(3));
    SeminarModel& seminar = dynamic_cast<SeminarModel&>(*model);
    RunSettings run = small_run();
    const EpochTargets epoch(tiny.data, 0, 1000, 1000, Rng(1));
    const Batch batch = make_batch(tiny.data, epoch(0), {run.history, run.negatives, run.hide_query}, Rng(2));
    run.k = 12;
    const std::vector<real> exact_all = seminar.score(tiny.data, batch, run).to_vector();
    run.k = 4;
    const Retrieved by_scores = *seminar.retrieve(tiny.data, batch, run);
    for (const std::string& kind : gsu_kinds()) {
      CAPTURE(kind);
#ifndef SEMINAR_HNSWLIB
      if (kind == "hnsw") continue;
#endif
      seminar.set_retriever(make_batch_retriever(kind, seminar, tiny.data, "", 1));
      run.k = 12;
      const std::vector<real> all = seminar.score(tiny.data, batch, run).to_vector();
      for (std::size_t i = 0; i < all.size(); ++i) CHECK(all[i] == doctest::Approx(exact_all[i]).epsilon(1e-4));
      run.k = 4;
      const Retrieved found = *seminar.retrieve(tiny.data, batch, run);
      CHECK(found.mask.to_vector() == by_scores.mask.to_vector());
      if (kind == "int8") CHECK(found.positions == by_scores.positions);
      CHECK(evaluate(seminar, tiny.data, run, {}).users == 12);
      // Training still works: the GSU learns from its exact scores.
      const Var loss = seminar.loss(tiny.data, batch, run, {true, 0, Rng(1)}, nullptr);
      backward(loss);
      CHECK(parameters(seminar.gsu.attention)[0].var.grad().defined());
      zero_grad(model->params());
    }
    CHECK_THROWS_WITH_AS(make_batch_retriever("magic", seminar, tiny.data, "", 1),
                         doctest::Contains("--gsu: must be one"), Error);
  }

  TEST_CASE("stored codes: round trip, the same bits for any number of threads, other models refused") {
    const TinyData tiny;
    const auto model = make_model("seminar", small_settings(), tiny.data, Rng(3)),
               other = make_model("seminar", small_settings(), tiny.data, Rng(4));
    const SeminarModel &a = dynamic_cast<SeminarModel&>(*model), &b = dynamic_cast<SeminarModel&>(*other);
    QuantizeOptions o;
    o.sub_quantizers = 4, o.centroids = 8;
    const std::string path = tiny.folder / "codes.safetensors";
    const int before = threads();
    std::string first;
    for (int n : {1, 2, 3}) {
      set_threads(n);
      save_quantized(quantize_model(a, tiny.data, o), a, path);
      if (first.empty()) first = read_file(path);
      CHECK(read_file(path) == first);
    }
    set_threads(before);
    const QuantizedChannels made = quantize_model(a, tiny.data, o), loaded = load_quantized(path, a, tiny.data);
    CHECK(loaded.query == made.query);
    CHECK(loaded.item == made.item);
    CHECK_THROWS_WITH_AS(load_quantized(path, b, tiny.data), doctest::Contains("made for another model"), Error);
    for (std::size_t cut : {std::size_t{0}, first.size() / 2, first.size() - 1}) {
      write_file(path, first.substr(0, cut));
      CHECK_THROWS_AS(load_quantized(path, a, tiny.data), Error);
    }
    save_model(a, tiny.data, small_run(), path);
    CHECK_THROWS_WITH_AS(load_quantized(path, a, tiny.data), doctest::Contains("make them with 'seminar quantize'"),
                         Error);
  }

  TEST_CASE("the studies: exact codes find all, more candidates find more, the same seed gives the same rows") {
    Figure2Settings s;
    s.draws = 2, s.lengths = {60}, s.ks = {4, 16}, s.corpus = 600, s.steps = 30, s.dim = 4, s.sub_quantizers = 2,
    s.centroids = 8;
    int64_t calls = 0;
    const auto rows = study_figure2(s, [&](int64_t done, int64_t total) {
      ++calls;
      CHECK(done <= total);
    });
    CHECK(calls == 6);
    const auto again = study_figure2(s, nullptr);
    REQUIRE(rows.size() == again.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      CHECK(rows[i].recall == again[i].recall);
      CHECK(rows[i].recall >= 0);
      CHECK(rows[i].recall <= 1);
      if (rows[i].method == "int8 + exact 1.25 K") CHECK(rows[i].recall > 0.9);
    }
    const TinyData tiny;
    const auto model = make_model("seminar", small_settings(), tiny.data, Rng(3));
    Table4Settings t;
    t.draws = 2, t.lengths = {30}, t.ks = {4}, t.steps = 30, t.sub_quantizers = 4, t.centroids = 4, t.candidates = 30;
    for (const RecallRow& r : study_table4(dynamic_cast<SeminarModel&>(*model), tiny.data, t, nullptr))
      if (r.method.find("+ exact") != std::string::npos) CHECK(r.recall == doctest::Approx(1));
  }
}
