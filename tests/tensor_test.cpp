// The tensor floor: views, products, kernels of every instruction set, rows, top-k, random numbers.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "tensor/gemm.h"
#include "tensor/parallel.h"
#include "tensor/rows.h"
#include "tensor/select.h"
#include "tensor/topk.h"

namespace seminar::inline SEMINAR_PRECISION {
extern const Kernels kernels_base;
#ifdef __x86_64__
extern const Kernels kernels_avx2, kernels_avx512;
#endif
}  // namespace seminar::inline SEMINAR_PRECISION

using namespace seminar;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
// Relative error of a kernel against libm in double.
constexpr double kernel_tolerance = sizeof(real) == 8 ? 1e-14 : 1e-6;

std::vector<const Kernels*> available_kernels() {
  std::vector<const Kernels*> all{&kernels_base};
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) all.push_back(&kernels_avx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    all.push_back(&kernels_avx512);
#endif
  return all;
}

Tensor randn(const Shape& shape, uint64_t seed) {
  Rng rng(seed);
  return Tensor::normal(shape, rng);
}

Tensor naive_product(const Tensor& a, const Tensor& b) {
  Tensor c = Tensor::zeros({a.size(0), b.size(1)});
  real* y = c.write();
  for (int64_t i = 0; i < a.size(0); ++i)
    for (int64_t j = 0; j < b.size(1); ++j)
      for (int64_t k = 0; k < a.size(1); ++k) y[i * b.size(1) + j] += a.at({i, k}) * b.at({k, j});
  return c;
}

}  // namespace

TEST_SUITE("tensor") {
  TEST_CASE("views share numbers, reshape copies only what it must") {
    Tensor t = Tensor::from({2, 3}, {0, 1, 2, 3, 4, 5});
    CHECK(t.transpose().at({2, 1}) == 5);
    CHECK(t.transpose().data() == t.data());
    CHECK(!t.transpose().is_contiguous());
    CHECK(t.transpose().contiguous().to_vector() == std::vector<real>{0, 3, 1, 4, 2, 5});
    CHECK(t.slice(1, 1, 3).to_vector() == std::vector<real>{1, 2, 4, 5});
    CHECK(t.slice(0, 1, 2).is_contiguous());
    CHECK(t.reshape({3, -1}).at({2, 1}) == 5);
    CHECK(t.transpose().reshape({6}).to_vector() == std::vector<real>{0, 3, 1, 4, 2, 5});
    t.slice(0, 1, 2).write()[0] = 9;
    CHECK(t.at({1, 0}) == 9);
    Tensor column = t.slice(1, 0, 1);
    column.fill(7);
    CHECK(t.to_vector() == std::vector<real>{7, 1, 2, 7, 4, 5});
    CHECK(Tensor::zeros({0, 3}).to_vector().empty());
    CHECK_THROWS_WITH_AS(t.reshape({4}), "reshape: [2, 3] does not fit [4]", Error);
    CHECK_THROWS_WITH_AS(Tensor::empty({-1}), "tensor: negative size: [-1]", Error);
    CHECK_THROWS_WITH_AS(Tensor::empty({int64_t{1} << 40, int64_t{1} << 40}), doctest::Contains("tensor: too large"),
                         Error);
    CHECK_THROWS_WITH_AS(t.item(), "item: needs one element, not shape [2, 3]", Error);
  }

  TEST_CASE("products agree with the definition, for any layout and the same bits for any number of threads") {
    const int before = threads();
    for (const auto& [m, k, n] : {std::array<int64_t, 3>{1, 1, 1},
                                  {5, 3, 4},
                                  {70, 1, 33},
                                  {300, 64, 200},
                                  {20, 3000, 8},
                                  {3, 200, 900},
                                  {0, 3, 2},
                                  {4, 0, 5}})
      for (bool ta : {false, true})
        for (bool tb : {false, true}) {
          const Tensor a = ta ? randn({k, m}, 1).transpose() : randn({m, k}, 1),
                       b = tb ? randn({n, k}, 2).transpose() : randn({k, n}, 2);
          const Tensor expected = naive_product(a, b);
          std::vector<real> first;
          for (int t : {1, 2, 3, 8}) {
            set_threads(t);
            const std::vector<real> c = matmul(a, b).to_vector();
            if (t == 1) first = c;
            CHECK(c == first);
          }
          for (std::size_t i = 0; i < first.size(); ++i)
            REQUIRE(std::abs(first[i] - expected.data()[i]) <=
                    (sizeof(real) == 8 ? 1e-12 : 1e-4) * std::sqrt(static_cast<double>(k)));
        }
    set_threads(before);
  }

  TEST_CASE("kernels of every instruction set agree with libm") {
    std::vector<real> x, y(1);
    for (double v = -104; v < 88; v += 0.37) x.push_back(static_cast<real>(v));
    y.resize(x.size());
    for (const Kernels* k : available_kernels()) {
      CAPTURE(k->isa);
      const int64_t n = std::ssize(x);
      const auto compare = [&](Unary op, double (*f)(double), double low) {
        k->unary(op, n, y.data(), x.data());
        for (std::size_t i = 0; i < x.size(); ++i)
          if (const double v = static_cast<double>(x[i]); v > low) {
            // exp(-v²) in gelu's tail magnifies the rounding of v².
            const double allowed = kernel_tolerance * (op == Unary::gelu && v < 0 ? 1 + v * v / 8 : 1);
            REQUIRE(std::abs(static_cast<double>(y[i]) - f(v)) <= allowed * std::abs(f(v)));
          }
      };
      compare(
          Unary::exp, [](double v) { return std::exp(v); }, -87);
      compare(
          Unary::sigmoid, [](double v) { return 1 / (1 + std::exp(-v)); }, -80);
      compare(
          Unary::gelu, [](double v) { return 0.5 * v * std::erfc(-v / std::sqrt(2.0)); }, -9);
      std::vector<real> edge{static_cast<real>(-infinity), -200, 200, static_cast<real>(infinity),
                             static_cast<real>(std::nan(""))};
      k->unary(Unary::exp, 5, edge.data(), edge.data());
      CHECK(edge[0] == 0);
      CHECK(edge[1] < 1e-80 + std::numeric_limits<real>::min());
      CHECK(edge[3] == static_cast<real>(infinity));
      CHECK(std::isnan(edge[4]));
      for (int64_t length : {1, 5, 16, 33, 100}) {
        const Tensor a = randn({length}, 3), b = randn({length}, 4);
        double dot = 0, sum = 0;
        for (int64_t i = 0; i < length; ++i) {
          dot += static_cast<double>(a.data()[i]) * static_cast<double>(b.data()[i]);
          sum += static_cast<double>(a.data()[i]);
        }
        CHECK(k->dot(length, a.data(), b.data()) == doctest::Approx(dot).epsilon(1e-4));
        CHECK(k->sum(length, a.data()) == doctest::Approx(sum).epsilon(1e-4));
      }
    }
  }

  TEST_CASE("softmax rows: masks, large numbers, nothing left") {
    for (const Kernels* k : available_kernels()) {
      std::vector<real> x{1000, 999, -1000, 3}, mask{1, 1, 1, 0}, y(4);
      k->softmax(4, y.data(), x.data(), mask.data());
      CHECK(y[0] == doctest::Approx(1 / (1 + std::exp(-1.0))));
      CHECK(y[2] == 0);
      CHECK(y[3] == 0);
      mask = {0, 0, 0, 0};
      k->softmax(4, y.data(), x.data(), mask.data());
      CHECK(y == std::vector<real>{0, 0, 0, 0});
      CHECK(k->log_sum_exp(0, x.data()) == -static_cast<real>(infinity));
    }
  }

  TEST_CASE("top_k: best first, the lower index among equals, masks, fewer than k") {
    const std::vector<real> scores{3, 9, 9, 1, 9, 5}, mask{1, 1, 0, 1, 1, 1};
    CHECK(top_k(scores, {}, 3) == std::vector<int32_t>{1, 2, 4});
    CHECK(top_k(scores, mask, 3) == std::vector<int32_t>{1, 4, 5});
    CHECK(top_k(scores, mask, 10) == std::vector<int32_t>{1, 4, 5, 0, 3});
    CHECK(top_k({}, {}, 3).empty());
    CHECK_THROWS_WITH_AS(top_k(scores, {}, 0), "top_k: k must be at least 1: 0", Error);
    const std::vector<real> bad{1, static_cast<real>(std::nan(""))};
    CHECK_THROWS_WITH_AS(top_k(bad, {}, 1), "top_k: score 1 is NaN", Error);
    CHECK(top_k(bad, std::vector<real>{1, 0}, 1) == std::vector<int32_t>{0});
  }

  TEST_CASE("select_top: what sorting all gives, for any size, k, order, ties, infinities, and in a ring") {
    Rng rng(5);
    const auto check_against_sort = [&](const std::vector<real>& scores, int64_t first, int64_t k) {
      const int64_t n = std::ssize(scores);
      std::vector<Found> all, found(scores.size());
      for (int64_t p = 0; p < n; ++p) all.push_back({scores[(first + p) % n], static_cast<int32_t>(p)});
      std::stable_sort(all.begin(), all.end(), [](const Found& a, const Found& b) { return a.score > b.score; });
      const int64_t count = select_top(n, scores.data(), first, k, found.data());
      REQUIRE(count == std::min(n, k));
      for (int64_t i = 0; i < count; ++i) {
        REQUIRE(found[i].position == all[i].position);
        REQUIRE(found[i].score == all[i].score);
      }
    };
    for (const int64_t n : {1, 2, 15, 16, 17, 100, 1000, 3001, 10000})
      for (const int64_t k : {1, 3, 32, 128, 999})
        for (int kind = 0; kind < 6; ++kind) {
          CAPTURE(n);
          CAPTURE(k);
          CAPTURE(kind);
          std::vector<real> scores;
          for (int64_t i = 0; i < n; ++i)
            scores.push_back(kind == 0         ? static_cast<real>(rng.normal())
                             : kind == 1       ? static_cast<real>(rng.below(4))  // many ties
                             : kind == 2       ? static_cast<real>(i)
                             : kind == 3       ? static_cast<real>(-i)
                             : kind == 4       ? static_cast<real>(1)
                             : rng.chance(0.1) ? static_cast<real>(rng.chance(0.5) ? infinity : -infinity)
                                               : static_cast<real>(rng.uniform()) * 1e-30f);
          check_against_sort(scores, kind % 2 == 0 ? 0 : rng.below(n), k);
          scores[static_cast<std::size_t>(rng.below(n))] = static_cast<real>(std::nan(""));
          std::vector<Found> found(scores.size());
          REQUIRE(select_top(n, scores.data(), 0, k, found.data()) == -1);
        }
  }

  TEST_CASE("scan kernels of every instruction set against their plain forms") {
    Rng rng(6);
    const int64_t n = 13, blocks = 3, tables = 4, size = 9, keys = blocks * kernel_lanes;
    const Tensor columns = Tensor::normal({blocks, n, kernel_lanes}, rng, 1), x = Tensor::normal({7, n}, rng, 1),
                 table = Tensor::normal({tables, size}, rng, 1);
    std::vector<uint16_t> codes;
    for (int64_t i = 0; i < tables * keys; ++i) codes.push_back(static_cast<uint16_t>(rng.below(size)));
    for (const Kernels* kernels : available_kernels()) {
      CAPTURE(kernels->isa);
      for (int64_t targets = 1; targets <= 7; ++targets) {
        std::vector<real> y(static_cast<std::size_t>(targets * keys));
        kernels->column_dots(n, blocks, targets, x.data(), columns.data(), y.data(), keys);
        for (int64_t t = 0; t < targets; ++t)
          for (int64_t l = 0; l < keys; ++l) {
            double sum = 0;
            for (int64_t j = 0; j < n; ++j)
              sum += static_cast<double>(x.data()[t * n + j]) *
                     columns.data()[(l / kernel_lanes * n + j) * kernel_lanes + l % kernel_lanes];
            REQUIRE(y[t * keys + l] == doctest::Approx(sum).epsilon(1e-5));
          }
      }
      std::vector<real> y(static_cast<std::size_t>(keys));
      kernels->code_sums(keys, tables, size, table.data(), codes.data(), keys, y.data());
      for (int64_t l = 0; l < keys; ++l) {
        double sum = 0;
        for (int64_t t = 0; t < tables; ++t) sum += table.data()[t * size + codes[t * keys + l]];
        REQUIRE(y[l] == doctest::Approx(sum).epsilon(1e-5));
      }
    }
  }

  TEST_CASE("kernels on small matrices of every instruction set against their formulas") {
    Rng rng(7);
    for (const Kernels* k : available_kernels()) {
      CAPTURE(k->isa);
      for (const int64_t m : {1, 4, 6, 20})
        for (const int64_t n : {3, 16, 20, 32, 50})
          for (const bool add : {false, true}) {
            CAPTURE(m);
            CAPTURE(n);
            const int64_t depth = 7;
            const Tensor a = Tensor::normal({m, depth}, rng), b = Tensor::normal({depth, n}, rng);
            Tensor c = Tensor::full({m, n}, 1), turned = Tensor::empty({n, m}), rows = Tensor::full({1, n}, 1);
            k->small_product(m, n, depth, 2, a.data(), depth, 1, b.data(), n, add, c.write(), n);
            k->transpose(m, n, c.data(), n, turned.write(), m);
            std::vector<const real*> row;
            for (int64_t j = 0; j < depth; ++j) row.push_back(b.data() + j * n);
            k->weighted_rows(n, depth, a.data(), row.data(), add, rows.write());
            for (int64_t i = 0; i < m; ++i)
              for (int64_t j = 0; j < n; ++j) {
                double sum = 0;
                for (int64_t p = 0; p < depth; ++p) sum += static_cast<double>(a.at({i, p})) * b.at({p, j});
                REQUIRE(c.at({i, j}) == doctest::Approx(2 * sum + (add ? 1 : 0)).epsilon(1e-5));
                REQUIRE(turned.at({j, i}) == c.at({i, j}));
                if (i == 0) REQUIRE(rows.at({0, j}) == doctest::Approx(sum + (add ? 1 : 0)).epsilon(1e-5));
              }
          }
    }
  }

  TEST_CASE("contrast of every instruction set, with scores near each other and far apart") {
    Rng rng(10);
    for (const Kernels* k : available_kernels())
      for (const int64_t n : {2, 5, 16, 20, 33})
        for (const double spread : {1.0, 100.0}) {
          CAPTURE(k->isa);
          CAPTURE(n);
          CAPTURE(spread);
          const int64_t ld = (n + kernel_lanes - 1) / kernel_lanes * kernel_lanes;
          const Tensor x = Tensor::normal({n, ld}, rng, spread);
          const auto s = [&](int64_t i, int64_t j) { return static_cast<double>(x.at({i, j})); };
          // log Σ exp of row or column i.
          const auto lse = [&](int64_t i, bool column) {
            double most = -infinity, sum = 0;
            for (int64_t j = 0; j < n; ++j) most = std::max(most, column ? s(j, i) : s(i, j));
            for (int64_t j = 0; j < n; ++j) sum += std::exp((column ? s(j, i) : s(i, j)) - most);
            return most + std::log(std::max(1.0, sum));  // the largest adds 1
          };
          Tensor y = x.clone();
          std::vector<real> work(static_cast<std::size_t>(3 * ld));
          real moment = 0;
          const real loss = k->contrast(n, ld, y.write(), work.data(), &moment);
          double expected = 0, expected_moment = 0;
          for (int64_t i = 0; i < n; ++i) {
            expected += lse(i, false) + lse(i, true) - 2 * s(i, i);
            for (int64_t j = 0; j < ld; ++j) {
              const double g =
                  j < n ? std::exp(s(i, j) - lse(i, false)) + std::exp(s(i, j) - lse(j, true)) - 2 * (i == j) : 0;
              REQUIRE(std::abs(y.at({i, j}) - g) < 1e-4);
              if (j < n) expected_moment += g * s(i, j);
            }
          }
          CHECK(loss == doctest::Approx(expected).epsilon(1e-4));
          CHECK(moment == doctest::Approx(expected_moment).epsilon(1e-4));
        }
  }

  TEST_CASE("byte_tables and byte_code_scores against their formulas") {
    Rng rng(12);
    for (const Kernels* k : available_kernels())
      for (const int64_t size : {5, 256, 512})
        for (const int64_t n : {1, 64, 700}) {
          CAPTURE(k->isa);
          const int64_t channels = 2, tables = 3, all = channels * tables, stride = (n + 63) / 64 * 64;
          const Tensor table = Tensor::normal({all, size}, rng), gamma = Tensor::uniform({channels, stride}, rng, 0, 1);
          std::vector<uint8_t> bytes(static_cast<std::size_t>(all * byte_table)), low, high;
          for (int64_t i = 0; i < all * stride; ++i)
            low.push_back(static_cast<uint8_t>(rng.below(std::min<int64_t>(size, 256))));
          for (int64_t i = 0; i < all * stride / 8; ++i)
            high.push_back(static_cast<uint8_t>(size > 256 ? rng.below(256) : 0));
          real steps[channels], least[channels];
          for (int64_t c = 0; c < channels; ++c)
            steps[c] = k->byte_tables(tables, size, table.data() + c * tables * size,
                                      bytes.data() + c * tables * byte_table, least + c);
          std::vector<real> y(static_cast<std::size_t>(stride));
          if (!k->byte_code_scores(n, channels, tables, bytes.data(), low.data(), high.data(), stride, gamma.data(),
                                   steps, least, y.data()))
            continue;
          for (int64_t l = 0; l < n; ++l) {
            double score = 0, error = 0;
            for (int64_t c = 0; c < channels; ++c) {
              double sum = 0;
              for (int64_t t = c * tables; t < (c + 1) * tables; ++t)
                sum += table.at({t, low[t * stride + l] + 256 * (high[(t * stride + l) / 8] >> (l % 8) & 1)});
              score += gamma.at({c, l}) * sum;
              error += gamma.at({c, l}) * (tables * steps[c] / 2 + 1e-5);
            }
            REQUIRE(std::abs(y[l] - score) <= error);
          }
        }
  }

  TEST_CASE("byte_scores: whole numbers, the same from every instruction set") {
    Rng rng(8);
    for (const int64_t n : {4, 8, 64, 1024})
      for (const int64_t blocks : {1, 3, 4, 9}) {
        const int64_t most = std::min<int64_t>(32767, INT32_MAX / (127 * n)), length = blocks * byte_lanes;
        std::vector<int8_t> columns;
        std::vector<int16_t> x;
        std::vector<real> scales;
        for (int64_t i = 0; i < length * n; ++i)
          columns.push_back(static_cast<int8_t>(rng.chance(0.5) ? 127 : rng.below(255) - 127));
        for (int64_t j = 0; j < n; ++j)
          x.push_back(static_cast<int16_t>(rng.chance(0.5) ? most : rng.below(2 * most) - most));
        for (int64_t l = 0; l < length; ++l) scales.push_back(static_cast<real>(rng.uniform()));
        const real factor = static_cast<real>(0.3);
        for (const Kernels* kernels : available_kernels()) {
          CAPTURE(kernels->isa);
          std::vector<real> y(static_cast<std::size_t>(length));
          kernels->byte_scores(n, blocks, x.data(), columns.data(), scales.data(), factor, y.data());
          for (int64_t l = 0; l < length; ++l) {
            int64_t sum = 0;
            for (int64_t j = 0; j < n; ++j)
              sum +=
                  int64_t{x[j]} * columns[((l / byte_lanes * n + j / 4 * 4) * byte_lanes) + l % byte_lanes * 4 + j % 4];
            REQUIRE(y[l] == static_cast<real>(sum) * scales[l] * factor);
          }
        }
      }
  }

  TEST_CASE("group_by_id: small and large ids give the same kind of answer") {
    for (int32_t step : {1, 1000000}) {
      const Groups g = group_by_id(std::vector<int32_t>{2 * step, 0, 2 * step, step, 0});
      CHECK(g.ids == std::vector<int32_t>{0, step, 2 * step});
      CHECK(g.order == std::vector<int32_t>{1, 4, 3, 0, 2});
      CHECK(g.start == std::vector<int64_t>{0, 2, 3, 5});
    }
    CHECK(group_by_id({}).ids.empty());
  }

  TEST_CASE("random numbers depend on key and place only") {
    Rng a(5), b(5);
    CHECK(a.next() == b.next());
    CHECK(Rng(5).split("x").next() != Rng(5).split("y").next());
    CHECK(Rng(5).split(1).next() == Rng(5).split(1).next());
    Rng rng(9);
    double mean = 0, square = 0;
    const int n = 100000;
    for (int i = 0; i < n; ++i) {
      const double v = rng.normal();
      mean += v / n;
      square += v * v / n;
      const int64_t d = rng.below(7);
      REQUIRE((d >= 0 && d < 7));
    }
    CHECK(std::abs(mean) < 0.015);
    CHECK(std::abs(square - 1) < 0.03);
  }
}
