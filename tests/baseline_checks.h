// Cases of baselines small enough to follow by hand. For tests with doctest only.
#pragma once

#include <numeric>

#include "seminar/baselines/mean_pool.h"
#include "tests/model_checks.h"

namespace seminar::inline SEMINAR_PRECISION {

inline constexpr int64_t d = 8;

struct KindAndForm {
  std::string kind, form;
  ModelSettings settings(const std::string& fusion = "lambda") const {
    ModelSettings s = small_settings(fusion);
    s.form = form;
    return s;
  }
};

inline std::vector<KindAndForm> baselines() {
  std::vector<KindAndForm> all;
  for (const ModelKind& kind : model_kinds()) {
    if (kind.name == std::string("seminar") || kind.name == std::string("psu")) continue;
    all.push_back({kind.name, "faithful"});
    if (kind.make_authors) all.push_back({kind.name, "authors"});
  }
  return all;
}

/// Vectors given by their first numbers, the rest zeros: [1, n, d].
inline Tensor vectors(std::initializer_list<std::vector<real>> rows) {
  Tensor t = Tensor::zeros({1, static_cast<int64_t>(rows.size()), d});
  real* y = t.write();
  for (const std::vector<real>& row : rows) {
    std::copy(row.begin(), row.end(), y);
    y += d;
  }
  return t;
}

inline void set(const Param& p, const Tensor& value) {
  REQUIRE(value.numel() == p.shape().numel());
  Tensor target = p.var().value();
  std::copy_n(value.data(), value.numel(), target.write());
}

inline Tensor identity() {
  Tensor t = Tensor::zeros({1, d, d});
  for (int64_t i = 0; i < d; ++i) t.write()[i * d + i] = 1;
  return t;
}

/// One history and candidates that are not in it, with vectors given by hand. Every third behaviour, from the first on,
/// was searched.
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

/// The behaviours of each row, padding as -1.
inline std::vector<std::vector<int32_t>> chosen(const Retrieved& r) {
  std::vector<std::vector<int32_t>> rows(static_cast<std::size_t>(r.rows()));
  for (int64_t i = 0; i < std::ssize(r.positions); ++i)
    rows[i / r.k].push_back(r.mask.data()[i] != 0 ? r.positions[i] : -1);
  return rows;
}
using Rows = std::vector<std::vector<int32_t>>;

inline real dot(const real* a, const real* b) { return std::inner_product(a, a + d, b, real{0}); }
/// Row i of a tensor [..., d].
inline const real* row(const Tensor& t, int64_t i) { return t.data() + i * d; }

/// Signs bit by bit: how many bits of two vectors agree.
inline int64_t equal_bits(const real* a, const real* b, const Tensor& planes, const std::vector<real>& bias) {
  int64_t equal = 0;
  for (int64_t bit = 0; bit < planes.size(0); ++bit)
    equal += (dot(a, row(planes, bit)) + bias[bit] > 0) == (dot(b, row(planes, bit)) + bias[bit] > 0);
  return equal;
}

}  // namespace seminar::inline SEMINAR_PRECISION
