// The tensor floor: views, products, rows, random numbers.
#include <doctest/doctest.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "tensor/gemm.h"
#include "tensor/parallel.h"
#include "tensor/pool.h"
#include "tensor/rows.h"
#include "tests/instruction_sets.h"

using namespace seminar;

namespace {

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

  TEST_CASE("an undefined tensor, or one that was moved from, is empty and says so") {
    Tensor t = Tensor::from({2, 3}, {0, 1, 2, 3, 4, 5});
    const Tensor taken = std::move(t);
    CHECK(taken.at({1, 2}) == 5);
    const Tensor never;
    for (const Tensor* undefined : {&static_cast<const Tensor&>(t), &never}) {
      CHECK(!undefined->defined());
      CHECK(undefined->numel() == 0);
      CHECK(undefined->rank() == 0);
      CHECK(undefined->data() == nullptr);
      CHECK_THROWS_WITH_AS(undefined->clone(), "clone: the tensor is undefined", Error);
      CHECK_THROWS_WITH_AS(undefined->contiguous(), "contiguous: the tensor is undefined", Error);
      CHECK_THROWS_WITH_AS(undefined->to_vector(), "to_vector: the tensor is undefined", Error);
      CHECK_THROWS_WITH_AS(undefined->item(), "item: the tensor is undefined", Error);
      CHECK_THROWS_WITH_AS(undefined->at({}), "at: the tensor is undefined", Error);
      CHECK_THROWS_WITH_AS(undefined->reshape({1}), "reshape: the tensor is undefined", Error);
      CHECK_THROWS_WITH_AS(undefined->slice(0, 0, 0), "slice: the tensor is undefined", Error);
      CHECK_THROWS_WITH_AS(undefined->transpose(), "transpose: the tensor is undefined", Error);
      CHECK_THROWS_WITH_AS(undefined->swap_axes(0, 1), "swap_axes: the tensor is undefined", Error);
      CHECK_THROWS_WITH_AS(sum_all(*undefined), "sum: input 0 is undefined", Error);
      CHECK_THROWS_WITH_AS(sum_axis(*undefined, 0), "sum: input 0 is undefined", Error);
      CHECK_THROWS_WITH_AS(binary("add", Binary::add, taken, *undefined), "add: input 1 is undefined", Error);
      CHECK_THROWS_WITH_AS(gather_rows("pick", *undefined, Ids({0})), "pick: input 0 is undefined", Error);
      CHECK_THROWS_AS(matmul(taken, *undefined), Error);
    }
    t = taken;  // and may be assigned to
    CHECK(t.at({1, 2}) == 5);
    Ids ids({1, 2});
    const Ids taken_ids = std::move(ids);
    CHECK(taken_ids.numel() == 2);
    CHECK(ids.numel() == 0);
    CHECK(ids.span().empty());
    CHECK(ids.shape() == Shape{0});
  }

  TEST_CASE("sizes, axes and products are checked") {
    const Tensor t = Tensor::zeros({2, 3});
    CHECK(t.size(-2) == 2);
    CHECK(t.size(1) == 3);
    for (int axis : {2, -3, 100}) {
      CAPTURE(axis);
      CHECK_THROWS_WITH_AS(t.size(axis), fmt::format("size: axis {} of a tensor with 2 axes", axis).c_str(), Error);
      CHECK_THROWS_AS(t.shape()[axis], Error);
    }
    CHECK_THROWS_WITH_AS(Tensor::scalar(1).size(0), "size: axis 0 of a tensor with 0 axes", Error);
    constexpr int64_t large = int64_t{1} << 40;
    CHECK_THROWS_WITH_AS(t.reshape({-2, -2}), "reshape: negative size: [-2, -2]", Error);
    CHECK_THROWS_WITH_AS(t.reshape({-2, -3}), "reshape: negative size: [-2, -3]", Error);
    CHECK_THROWS_WITH_AS(t.reshape({large, large}), doctest::Contains("reshape: too large"), Error);
    CHECK_THROWS_WITH_AS(t.reshape({-1, large, large}), doctest::Contains("reshape: too large"), Error);
    CHECK_THROWS_WITH_AS(t.reshape({int64_t{1} << 62, 4, -1}), doctest::Contains("reshape: too large"), Error);
    CHECK_THROWS_WITH_AS(Tensor::zeros({0, 3}).reshape({-1, 0}), "reshape: [0, 3] does not fit [-1, 0]", Error);
    CHECK_THROWS_WITH_AS(Ids({large, large}, {}), doctest::Contains("ids: too large"), Error);
    CHECK_THROWS_WITH_AS(Ids({-1, -1}, {1}), "ids: negative size: [-1, -1]", Error);
    CHECK_THROWS_AS(Shape({large, large}).numel(), Error);
    CHECK(Shape({large, large, 0}).numel() == 0);
    Tensor table = Tensor::zeros({4, 2}), flat = Tensor::zeros({3});
    CHECK_THROWS_WITH_AS(scatter_add_rows(table, Ids({1, 4}), Tensor::zeros({2, 2})),
                         "scatter_add_rows: index 4 outside a table of 4 rows", Error);
    CHECK_THROWS_WITH_AS(scatter_add_rows(table, Ids({-1}), Tensor::zeros({1, 2})), "group_by_id: negative id: -1",
                         Error);
    CHECK_THROWS_WITH_AS(scatter_add_rows(table, Ids({1, 2}), Tensor::zeros({1, 2})),
                         "scatter_add_rows: 2 ids and rows [1, 2] for a table [4, 2]", Error);
    CHECK_THROWS_WITH_AS(add_into(flat, Tensor::zeros({4})), "add_into: [4] is added to [3]", Error);
    CHECK_THROWS_WITH_AS(sum_to(t, {4}), "sum_to: [2, 3] is not [4] repeated", Error);
    CHECK(sum_to(Tensor::full({2, 3, 4}, 1), {3, 1}).to_vector() == std::vector<real>{8, 8, 8});
  }

  TEST_CASE("long sums are exact where their parts are, along every axis") {
    constexpr int64_t n = 20'000'000;
    const Tensor ones = Tensor::full({n}, 1);
    CHECK(sum_all(ones) == n);
    CHECK(sum_axis(ones, 0).item() == n);
    const auto all_are = [](const Tensor& t, int64_t expected) {
      return std::all_of(t.data(), t.data() + t.numel(), [=](real v) { return v == static_cast<real>(expected); });
    };
    for (const Shape& shape : {Shape{2, n / 4, 2}, Shape{n / 2, 2}, Shape{2, n / 2}, Shape{1, n, 1}})
      for (int axis = 0; axis < shape.rank(); ++axis) {
        CAPTURE(fmt::format("{}", shape));
        CHECK(all_are(sum_axis(ones.reshape(shape), axis), shape[axis]));
      }
    // With 100 instead of 1, a float that sums in sequence loses digits after 167,772 numbers.
    CHECK(all_are(sum_axis(Tensor::full({2, 300'000, 2}, 100), 1), 30'000'000));
  }

  TEST_CASE("denormal numbers are flushed in a scope, in every thread, and nowhere else") {
    const int before = threads();
    set_threads(2);
    const real tiny = std::numeric_limits<real>::denorm_min() * 1024;
    const Tensor x = Tensor::full({4 * element_grain}, tiny);
    const auto kept = [&] {
      const std::vector<real> y = binary("mul", Binary::mul, x, Tensor::scalar(real{0.5})).to_vector();
      return std::count_if(y.begin(), y.end(), [](real v) { return v > 0; });
    };
    CHECK(kept() == x.numel());
#if defined(__SSE__) || defined(__aarch64__)
    {
      const FlushDenormals guard;
      CHECK(kept() == 0);
    }
#endif
    CHECK(kept() == x.numel());
    set_threads(before);
  }

  TEST_CASE("products and loops leave OpenMP's settings to the host") {
    const int before = threads(), openmp = omp_get_max_threads();
    omp_set_num_threads(3);
    set_threads(2);
    matmul(randn({300, 200}, 1), randn({200, 300}, 2));
    CHECK(omp_get_max_threads() == 3);
    omp_set_num_threads(openmp);
    set_threads(before);
  }

  TEST_CASE("memory that the system does not have: the cache goes back first, then an exception") {
    if (!pool::caching()) return;
    Tensor::zeros({1 << 20});
    CHECK(pool::stats().cached_bytes > 0);
    CHECK_THROWS_AS(Tensor::empty({int64_t{1} << 44}), std::bad_alloc);
    CHECK(pool::stats().cached_bytes == 0);
    CHECK(Tensor::full({1 << 20}, 1).at({5}) == 1);
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

  TEST_CASE("group_by_id: small and large ids give the same kind of answer") {
    for (int32_t step : {1, 1000000}) {
      const Groups g = group_by_id(std::vector<int32_t>{2 * step, 0, 2 * step, step, 0});
      CHECK(g.ids == std::vector<int32_t>{0, step, 2 * step});
      CHECK(g.order == std::vector<int32_t>{1, 4, 3, 0, 2});
      CHECK(g.offsets == std::vector<int64_t>{0, 2, 3, 5});
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
