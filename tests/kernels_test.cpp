// The kernels of every instruction set.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "tensor/rows.h"
#include "tests/instruction_sets.h"

using namespace seminar;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
// Relative error of a kernel against libm in double.
constexpr double kernel_tolerance = sizeof(real) == 8 ? 1e-14 : 1e-6;

std::vector<const Kernels*> available_kernels() {
  return tables_of_this_cpu<Kernels>({&kernels_base, SEMINAR_X86(&kernels_avx2, &kernels_avx512)});
}

}  // namespace

TEST_SUITE("kernels") {
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
          Unary::tanh, [](double v) { return std::tanh(v); }, -infinity);
      compare(
          Unary::log, [](double v) { return std::log(v); }, 0);
      compare(
          Unary::softplus, [](double v) { return std::max(v, 0.0) + std::log1p(std::exp(-std::abs(v))); }, -80);
      {
        // Numbers without a leading bit, huge ones, and what has no logarithm.
        const real tiny = std::numeric_limits<real>::denorm_min(), huge = std::numeric_limits<real>::max();
        const std::vector<real> at{
            tiny, 3 * tiny, huge, 1, 0, -1, static_cast<real>(infinity), static_cast<real>(std::nan(""))};
        std::vector<real> of(at.size());
        k->unary(Unary::log, std::ssize(at), of.data(), at.data());
        for (std::size_t i = 0; i < 3; ++i)
          CHECK(of[i] == doctest::Approx(std::log(static_cast<double>(at[i]))).epsilon(1e-6));
        CHECK(of[3] == 0);
        CHECK(of[4] == static_cast<real>(-infinity));
        CHECK(std::isnan(of[5]));
        CHECK(of[6] == static_cast<real>(infinity));
        CHECK(std::isnan(of[7]));
        k->unary(Unary::tanh, std::ssize(at), of.data(), at.data());
        CHECK(of[0] == tiny);
        CHECK(of[2] == 1);
        CHECK(of[6] == 1);
        CHECK(std::isnan(of[7]));
      }
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
        Rng first(3), second(4);
        const Tensor a = Tensor::normal({length}, first), b = Tensor::normal({length}, second);
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

  TEST_CASE("softmax keeps NaN that takes part, of every instruction set, masked or not") {
    const real nan = static_cast<real>(std::nan(""));
    for (const Kernels* k : available_kernels())
      for (const std::size_t n : {1, 3, 16, 17, 40})
        for (std::size_t bad = 0; bad < n; ++bad)
          for (const bool all_bad : {false, true}) {
            CAPTURE(k->isa);
            CAPTURE(n);
            CAPTURE(bad);
            std::vector<real> x(n, all_bad ? nan : real{1}), mask(n, 1), y(n), masked(n);
            x[bad] = nan;
            k->softmax(std::ssize(x), y.data(), x.data(), nullptr);
            k->softmax(std::ssize(x), masked.data(), x.data(), mask.data());
            for (std::size_t i = 0; i < n; ++i) {
              REQUIRE(std::isnan(y[i]));
              REQUIRE(std::isnan(masked[i]));
            }
            if (all_bad || n == 1) continue;
            mask[bad] = 0;  // takes no part
            k->softmax(std::ssize(x), masked.data(), x.data(), mask.data());
            for (std::size_t i = 0; i < n; ++i)
              REQUIRE(masked[i] == doctest::Approx(i == bad ? 0 : 1.0 / static_cast<double>(n - 1)));
          }
  }

  TEST_CASE("SEMINAR_ISA reaches every kernel table; a set is taken only if the CPU has all of its features") {
    const char* const names[] = {"base", "avx2", "avx512"};
    const char* wish = std::getenv("SEMINAR_ISA");
    bool known = false;
    const Isa isa = widest_isa(wish ? wish : "", known);
    REQUIRE(known);
    CHECK(cpu_isa() == isa);
    const std::string name = names[static_cast<int>(isa)];
    CHECK(kernels().isa == name);
    CHECK(vector_kernels().isa == name);
    CHECK(widest_isa("base", known) == Isa::base);
    CHECK(widest_isa("avx2", known) <= Isa::avx2);
    widest_isa("sse9", known);
    CHECK(!known);
#if defined(__x86_64__) && defined(__linux__)
    // What Linux tells of the CPU, by its names.
    std::ifstream file("/proc/cpuinfo");
    std::string line;
    while (std::getline(file, line) && !line.starts_with("flags")) continue;
    const auto has = [&](std::initializer_list<const char*> features) {
      return std::all_of(features.begin(), features.end(),
                         [&](const char* f) { return (line + " ").find(fmt::format(" {} ", f)) != std::string::npos; });
    };
    const bool avx2 = has({"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3", "avx", "avx2", "bmi1", "bmi2",
                           "f16c", "fma", "abm", "movbe", "xsave"}),
               avx512 = avx2 && has({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"});
    CHECK(widest_isa("", known) == (avx512 ? Isa::avx512 : avx2 ? Isa::avx2 : Isa::base));
#endif
  }

  TEST_CASE("column_dots of every instruction set against its formula") {
    Rng rng(6);
    const int64_t n = 13, blocks = 3, keys = blocks * kernel_lanes;
    const Tensor columns = Tensor::normal({blocks, n, kernel_lanes}, rng, 1), x = Tensor::normal({7, n}, rng, 1);
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
            k->small_gemm(m, n, depth, 2, a.data(), depth, 1, b.data(), n, add, c.write(), n);
            k->transpose(m, n, c.data(), n, turned.write(), m);
            std::vector<const real*> row;
            for (int64_t j = 0; j < depth; ++j) row.push_back(b.data() + j * n);
            k->weighted_sum(n, depth, a.data(), row.data(), add, rows.write());
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

  TEST_CASE("clip_loss_rows of every instruction set, with scores near each other and far apart") {
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
          const real loss = k->clip_loss_rows(n, ld, y.write(), work.data(), &moment);
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
}
