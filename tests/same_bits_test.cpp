// The row kernels give the same bits on every instruction set with fused multiply-add: AVX2 and AVX-512 are compared
// here where the CPU has both. Plain x86-64 rounds products by themselves, so it is compared within a tolerance.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "tensor/tensor.h"
#include "tests/instruction_sets.h"

using namespace seminar;

namespace {

using Numbers = std::vector<real>;

Numbers draw(Rng& rng, int64_t n, double size = 1) {
  const Tensor x = Tensor::normal({n}, rng, size);
  return {x.data(), x.data() + n};
}

Numbers positive(Numbers x) {
  for (real& v : x) v = std::abs(v) + static_cast<real>(1e-3);
  return x;
}

// What every kernel makes of the same random numbers, for lengths below, at and above whole vectors.
std::map<std::string, Numbers> results(const Kernels& k) {
  std::map<std::string, Numbers> out;
  const auto keep = [&](const std::string& name, const Numbers& y) {
    out[name].insert(out[name].end(), y.begin(), y.end());
  };
  Rng rng(77);
  for (const int64_t n : {1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 257}) {
    const Numbers x = draw(rng, n, 5), g = draw(rng, n), w = draw(rng, n), above = positive(x);
    Numbers y(x.size()), mask(x.size()), dx = w, dw = g, db = x;
    for (real& m : mask) m = rng.chance(0.5) ? 1 : 0;
    keep("dot", {k.dot(n, x.data(), g.data())});
    keep("sum", {k.sum(n, x.data())});
    k.axpy(n, static_cast<real>(1.7), x.data(), dx.data());
    keep("axpy", dx);
    for (const real* m : {static_cast<const real*>(nullptr), static_cast<const real*>(mask.data())}) {
      k.softmax(n, y.data(), x.data(), m);
      keep("softmax", y);
    }
    dx = w;
    k.softmax_grad(n, dx.data(), g.data(), y.data());
    keep("softmax_grad", dx);
    k.log_softmax_grad(n, dx.data(), g.data(), x.data());
    keep("log_softmax_grad", dx);
    keep("log_sum_exp", {k.log_sum_exp(n, x.data())});
#define UNARY(name, ...)                                                                         \
  {                                                                                              \
    const Numbers& of = std::string(#name) == "log" || std::string(#name) == "sqrt" ? above : x; \
    dx = w;                                                                                      \
    k.unary(Unary::name, n, y.data(), of.data());                                                \
    keep(#name, y);                                                                              \
    k.unary_grad(Unary::name, n, dx.data(), g.data(), of.data(), y.data());                      \
    keep(#name " gradient", dx);                                                                 \
  }
#include "tensor/unary_functions.h"
    for (const Binary op : {Binary::add, Binary::sub, Binary::mul, Binary::div}) {
      k.binary(op, n, y.data(), x.data(), 1, above.data(), 1);
      keep("binary", y);
    }
    real mean = 0, rstd = 0;
    k.layer_norm(n, y.data(), x.data(), w.data(), g.data(), static_cast<real>(1e-5), &mean, &rstd);
    keep("layer_norm", y);
    dx = w;
    k.layer_norm_grad(n, dx.data(), dw.data(), db.data(), g.data(), x.data(), w.data(), mean, rstd);
    for (const Numbers& d : {dx, dw, db}) keep("layer_norm_grad", d);
    Numbers p = x, m = g, v = above;
    k.adam(n, p.data(), m.data(), v.data(), w.data(),
           {static_cast<real>(0.9), static_cast<real>(0.999), static_cast<real>(1e-8), static_cast<real>(0.01),
            static_cast<real>(1.1), static_cast<real>(0.001)});
    for (const Numbers& d : {p, m, v}) keep("adam", d);
    const Numbers point = draw(rng, 5), centroids = draw(rng, 5 * n);
    Numbers distances(x.size());
    keep("nearest", {static_cast<real>(k.nearest(5, n, point.data(), centroids.data(), distances.data()))});
    keep("nearest", distances);
    for (const int64_t rows : {1, 4, 6}) {
      const Numbers a = draw(rng, rows * 7), b = draw(rng, 7 * n);
      Numbers c = draw(rng, rows * n), sum = g;
      std::vector<const real*> b_rows;
      for (int64_t i = 0; i < 7; ++i) b_rows.push_back(b.data() + i * n);
      for (const bool add : {false, true}) {
        k.small_gemm(rows, n, 7, static_cast<real>(0.3), a.data(), 7, 1, b.data(), n, add, c.data(), n);
        keep("small_gemm", c);
        k.weighted_sum(n, 7, a.data(), b_rows.data(), add, sum.data());
        keep("weighted_sum", sum);
      }
    }
  }
  for (int64_t targets = 1; targets <= 7; ++targets) {
    const Numbers x = draw(rng, targets * 13), columns = draw(rng, 3 * 13 * kernel_lanes);
    Numbers y(static_cast<std::size_t>(targets * 3 * kernel_lanes));
    k.column_dots(13, 3, targets, x.data(), columns.data(), y.data(), 3 * kernel_lanes);
    keep("column_dots", y);
  }
  for (const int64_t n : {2, 5, 16, 20, 33})
    for (const double spread : {1.0, 60.0}) {
      const int64_t ld = round_up(n, kernel_lanes);
      Numbers s = draw(rng, n * ld, spread), work(static_cast<std::size_t>(3 * ld));
      real moment = 0;
      const real loss = k.clip_loss_rows(n, ld, s.data(), work.data(), &moment);
      keep("clip_loss_rows", s);
      keep("clip_loss_rows", {loss, moment});
    }
  return out;
}

}  // namespace

TEST_SUITE("tensor") {
  TEST_CASE("kernels give the same bits on AVX2 and AVX-512, and nearly the same on plain x86-64") {
    const auto tables = tables_of_this_cpu<Kernels>({&kernels_base, SEMINAR_X86(&kernels_avx2, &kernels_avx512)});
    const auto base = results(*tables[0]);
    for (const Kernels* k : tables) {
      CAPTURE(k->isa);
      const auto own = results(*k), with_fma = results(*tables[std::min<std::size_t>(1, tables.size() - 1)]);
      for (const auto& result : own) {
        const std::string& name = result.first;
        const Numbers& y = result.second;
        CAPTURE(name);
        const Numbers& expected = base.at(name);
        REQUIRE(y.size() == expected.size());
        if (k != tables[0]) CHECK(y == with_fma.at(name));
        for (std::size_t i = 0; i < y.size(); ++i)
          REQUIRE(std::abs(y[i] - expected[i]) <= 2e-4 * (1 + std::abs(expected[i])));
      }
    }
  }
}
