// What every model must satisfy, and the small inputs its tests share. For tests with doctest only.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "nn/optim.h"
#include "seminar/training/model_file.h"
#include "seminar/training/trainer.h"
#include "tensor/io/file.h"
#include "tensor/parallel.h"
#include "tests/tiny_data.h"

namespace seminar::inline SEMINAR_PRECISION {

inline constexpr double tolerance = sizeof(real) == 8 ? 1e-10 : 2e-4;

inline void check_close(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const auto va = a.to_vector(), vb = b.to_vector();
  for (std::size_t i = 0; i < va.size(); ++i)
    REQUIRE(std::abs(va[i] - vb[i]) <= tolerance * std::max<double>(1, std::abs(vb[i])));
}

/// All training targets, in one batch.
inline std::vector<Target> all_targets(const Dataset& data) { return EpochTargets(data, 0, 1000, 1000, Rng(1))(0); }

inline Batch small_batch(const Dataset& data, const RunSettings& run) {
  return make_batch(data, all_targets(data), {run.history, run.negatives, run.hide_query}, Rng(2));
}

inline Tensor randn(const Shape& shape, uint64_t seed) {
  Rng rng(seed);
  return Tensor::normal(shape, rng);
}

inline std::unique_ptr<Model> small_model(const std::string& kind, const Dataset& data, const ModelSettings& s) {
  return make_model(kind, s, data, Rng(3));
}

/// Names of the parameters that one training step leaves without a gradient.
inline std::vector<std::string> without_gradient(const Model& model, const Dataset& data) {
  const RunSettings run = small_run();
  backward(model.loss(data, small_batch(data, run), run, {true, 0.1, Rng(4)}, nullptr));
  std::vector<std::string> idle;
  for (const NamedParam& p : model.params()) {
    double size = 0;
    if (p.var.grad().defined())
      for (const real g : p.var.grad().to_vector()) size += std::abs(g);
    for (const SparseGradient& rows : p.var.sparse_grads())
      for (const real g : rows.rows.to_vector()) size += std::abs(g);
    CAPTURE(p.name);
    CHECK(std::isfinite(size));
    if (size == 0) idle.push_back(p.name);
  }
  zero_grad(model.params());
  return idle;
}

/// The gradients of the whole loss agree with differences along a random direction of each parameter.
inline void check_loss_gradients(const Model& model, const Dataset& data) {
  RunSettings run = small_run();
  run.k = run.k1 = 100;  // a fixed selection, so that the loss is smooth
  const Batch batch = small_batch(data, run);
  const auto loss = [&] { return model.loss(data, batch, run, {true, 0, Rng(4)}, nullptr); };
  backward(loss());
  for (const NamedParam& p : model.params()) {
    CAPTURE(p.name);
    Tensor direction = randn(p.var.shape(), 9);
    double slope = 0;
    if (p.var.grad().defined())
      for (int64_t i = 0; i < direction.numel(); ++i) slope += p.var.grad().data()[i] * direction.data()[i];
    for (const SparseGradient& rows : p.var.sparse_grads()) {
      const int64_t d = rows.rows.size(-1);
      for (int64_t i = 0; i < rows.ids.numel(); ++i)
        for (int64_t j = 0; j < d; ++j) slope += rows.rows.data()[i * d + j] * direction.data()[rows.ids[i] * d + j];
    }
    const double step = 1e-7;  // so small that hardly a ReLU turns within it
    const auto moved = [&](double by) {
      Tensor value = p.var.value();
      const Tensor before = value.clone();
      real* x = value.write();
      for (int64_t i = 0; i < direction.numel(); ++i) x[i] += static_cast<real>(by * direction.data()[i]);
      const double y = [&] {
        const NoGrad guard;
        return static_cast<double>(loss().value().item());
      }();
      std::copy_n(before.data(), before.numel(), value.write());
      return y;
    };
    const double numeric = (moved(step) - moved(-step)) / (2 * step);
    CHECK(std::abs(numeric - slope) <= 1e-6 * std::max(1.0, std::abs(slope)));
  }
}

/// Padding reaches no loss, no score and no gradient: the vectors of the padding item may be anything.
inline void check_padding_unread(const Model& model, const Dataset& data) {
  const RunSettings run = small_run();
  const Batch batch = small_batch(data, run);
  const auto mask = batch.mask.to_vector();
  REQUIRE(std::find(mask.begin(), mask.end(), real{0}) != mask.end());
  const auto loss = [&] { return model.loss(data, batch, run, Mode(), nullptr); };
  const real before = loss().value().item();
  const std::vector<real> scores = model.score(data, batch, run).to_vector();
  const Params params = model.params();
  const auto ids = std::find_if(params.begin(), params.end(),
                                [](const NamedParam& p) { return p.name.ends_with("item_ids.table"); });
  REQUIRE(ids != params.end());
  Tensor table = ids->var.value();
  for (int64_t i = 0; i < table.size(1); ++i) table.write()[i] = 100;  // the row of the padding item
  CHECK(loss().value().item() == before);
  CHECK(model.score(data, batch, run).to_vector() == scores);
  backward(loss());
  for (const SparseGradient& part : ids->var.sparse_grads())
    for (int64_t i = 0; i < part.ids.numel(); ++i)
      for (int64_t j = 0; j < part.rows.size(1) && part.ids[i] == 0; ++j) CHECK(part.rows.at({i, j}) == 0);
}

/// The same seed gives the same model file byte for byte, with 1, 2 and 3 threads.
inline void check_same_bytes(const std::string& kind, const ModelSettings& settings, const TinyData& tiny) {
  const int before = threads();
  std::string first;
  for (const int n : {1, 2, 3, 1}) {
    set_threads(n);
    const RunSettings run = small_run();
    const auto model = small_model(kind, tiny.data, settings);
    train(*model, tiny.data, run);
    const std::string path = tiny.folder / "model.safetensors";
    save_model(*model, tiny.data, run, path);
    const std::string bytes = read_file(path);
    if (first.empty()) first = bytes;
    CHECK(bytes == first);
  }
  set_threads(before);
}

/// A model file gives back the kind and the scores.
inline void check_round_trip(const std::string& kind, const ModelSettings& settings, const TinyData& tiny) {
  const RunSettings run = small_run();
  const std::string path = tiny.folder / "model.safetensors";
  const auto model = small_model(kind, tiny.data, settings);
  save_model(*model, tiny.data, run, path);
  const auto again = load_model(path, tiny.data);
  CHECK(again->kind() == kind);
  const Batch batch = small_batch(tiny.data, run);
  CHECK(again->score(tiny.data, batch, run).to_vector() == model->score(tiny.data, batch, run).to_vector());
}

}  // namespace seminar::inline SEMINAR_PRECISION
