// Models whose parameters are drawn large enough that scores differ, and requests with the training code's answers.
#pragma once

#include <algorithm>
#include <memory>

#include "seminar/model/seminar_model.h"
#include "seminar/training/model_file.h"
#include "tests/runtime/fixture.h"
#include "tests/tiny_data.h"

namespace seminar {

inline std::unique_ptr<SeminarModel> random_model(const ModelSettings& settings, const Dataset& data, uint64_t seed) {
  std::unique_ptr<Model> model = make_model("seminar", settings, data, Rng(seed));
  for (const NamedParam& p : model->params()) {
    Tensor x = p.var.value();
    Rng stream = Rng(seed).split(p.name);
    const Tensor noise = Tensor::normal(x.shape(), stream, 0.2);
    real* y = x.write();
    for (int64_t i = 0; i < x.numel(); ++i) y[i] += noise.data()[i];
  }
  return std::unique_ptr<SeminarModel>(dynamic_cast<SeminarModel*>(model.release()));
}

// A random request; the answer is the training code's with the model's retriever. `history` behaviours are looked at.
inline RankRequest random_request(const SeminarModel& model, const Dataset& data, int64_t history, int64_t k,
                                  Rng& rng) {
  Target target{static_cast<int32_t>(rng.below(data.users())), 0};
  target.position = static_cast<int32_t>(1 + rng.below(std::ssize(data.user_items(target.user))));
  const int64_t n = 1 + rng.below(6);
  std::vector<int32_t> items, queries;
  RankRequest r;
  r.k = static_cast<int>(k);
  for (int64_t i = 0; i < n; ++i) {
    items.push_back(static_cast<int32_t>(1 + rng.below(data.items())));
    queries.push_back(static_cast<int32_t>(rng.below(data.queries())));
    r.candidates.insert(r.candidates.end(), {items.back(), queries.back()});
  }
  for (int64_t p = std::max<int64_t>(0, target.position - history); p < target.position; ++p)
    r.history.insert(r.history.end(), {data.user_items(target.user)[p], data.user_queries(target.user)[p]});
  RunSettings run;
  run.history = history;
  run.k = k;
  const Batch batch = make_batch(data, std::span(&target, 1), history, items, queries);
  r.scores = model.score(data, batch, run).to_vector();
  const Retrieved found = *model.retrieve(data, batch, run);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < k; ++j)
      r.retrieved.push_back(j < found.k && found.mask.data()[i * found.k + j] != 0 ? found.positions[i * found.k + j]
                                                                                   : -1);
  return r;
}

}  // namespace seminar
