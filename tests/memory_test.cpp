// The estimate of memory against the pool's own count, and the limit.
#include <doctest/doctest.h>

#include "seminar/data/synthetic.h"
#include "seminar/training/memory.h"
#include "seminar/training/model_file.h"
#include "seminar/training/trainer.h"
#include "tensor/pool.h"
#include "tests/tiny_data.h"

using namespace seminar;

namespace {

// The most that f() had in use, above what was in use before.
template <class F>
int64_t peak_of(const F& f) {
  const int64_t before = pool::stats().live_bytes;
  pool::reset_peak();
  f();
  return pool::stats().peak_bytes - before;
}

void check_factor(const char* what, int64_t estimate, int64_t measured) {
  CAPTURE(what);
  const double factor = static_cast<double>(estimate) / static_cast<double>(measured);
  CAPTURE(factor);
  CHECK(factor > 0.5);
  CHECK(factor < 2);
}

// 70 users, 600 items, with or without channels of ready-made vectors.
Dataset generated(const std::string& dir) {
  SyntheticSettings options;
  options.users = 70;
  options.items = 600;
  options.min_length = 20;
  options.max_length = 40;
  generate_dataset(options, dir, nullptr);
  return Dataset::open(dir);
}

}  // namespace

TEST_SUITE("memory") {
  TEST_CASE("estimates are within a factor of two of what training and evaluation take") {
    const TemporaryFolder folder;
    const Dataset data = generated(folder / "data");
    int turn = 0;
    for (const char* kind : {"psu", "seminar", "mean_pool"})
      for (const char* text : {"transformer", "bag"})
        for (const int64_t history : {10, 40}) {
          CAPTURE(kind);
          CAPTURE(text);
          CAPTURE(history);
          ModelSettings s;
          s.dim = 16 << turn % 2;
          s.heads = 1 + turn % 4;
          s.text = text;
          s.features = ++turn % 3 == 0 ? "none" : "all";
          RunSettings run;
          run.history = history;
          run.batch = 32 << turn % 3;
          run.k = 20;
          run.epochs = 1;
          run.targets = 1;
          run.eval_negatives = 19;
          std::unique_ptr<Model> model;
          MemoryEstimate training, evaluation;
          const int64_t trained = peak_of([&] {
            model = make_model(kind, s, data, Rng(1));
            training = estimate_training(*model, data, run);
            train(*model, data, run);
          });
          check_factor("training", training.total(), trained);
          evaluation = estimate_evaluation(*model, data, run);
          const int64_t scored = peak_of([&] { evaluate(*model, data, run, {}); });
          check_factor("evaluation", evaluation.work, scored);
        }
  }

  TEST_CASE("beyond the limit an allocation is an Error, below it what is cached makes room") {
    const int64_t limit = pool::stats().live_bytes + (4 << 20);
    { const Tensor cached = Tensor::zeros({600000}); }
    pool::set_limit(limit);
    CHECK_THROWS_WITH_AS(Tensor::zeros({4 << 20}), doctest::Contains("would pass the limit of "), Error);
    {
      const Tensor fits = Tensor::zeros({800000});
      CHECK(pool::stats().live_bytes <= limit);
    }
    pool::set_limit(0);
    CHECK(Tensor::zeros({4 << 20}).numel() == 4 << 20);
  }
}
