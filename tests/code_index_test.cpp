// Scans of codes of 8 bits and the index over codes against scoring all.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "pq/byte_scan.h"
#include "pq/code_index.h"
#include "tensor/gemm.h"
#include "tensor/rows.h"
#include "tests/tiny_data.h"

using namespace seminar;

namespace {

Tensor draw(const Shape& shape, uint64_t seed) {
  Rng rng(seed);
  return Tensor::normal(shape, rng);
}

}  // namespace

TEST_SUITE("codes") {
  TEST_CASE("ByteKeys::top: what scoring all would give, where enough are scored again") {
    Rng rng(9);
    for (const int64_t length : {1, 40, 3000}) {
      const Tensor keys = Tensor::normal({length, 30}, rng, 1);
      const ByteKeys bytes(keys);
      std::vector<real> scores(static_cast<std::size_t>(bytes.scores_size()));
      for (const int64_t k : {1, 7, 64}) {
        const Tensor target = Tensor::normal({30}, rng, 1);
        std::vector<Found> found(static_cast<std::size_t>(length)), all(found);
        for (int64_t l = 0; l < length; ++l)
          all[l] = {kernels().dot(30, keys.data() + l * 30, target.data()), static_cast<int32_t>(l)};
        keep_top(length, k, all.data());
        const int64_t count = bytes.top({target.data(), 30}, keys, k, 2 * k, scores.data(), found.data());
        REQUIRE(count == std::min(length, k));
        for (int64_t i = 0; i < count; ++i) REQUIRE(found[i].position == all[i].position);
      }
    }
  }

  TEST_CASE("ByteKeys: the largest number of a key comes back exactly, whatever the bits") {
    Rng rng(12);
    const Tensor keys = Tensor::normal({40, 6}, rng, 3);
    for (int bits = 2; bits <= 8; ++bits) {
      const ByteKeys bytes(keys, bits);
      std::vector<real> scores(static_cast<std::size_t>(bytes.scores_size()));
      for (int64_t j = 0; j < 6; ++j) {
        std::vector<real> unit(6, 0);
        unit[static_cast<std::size_t>(j)] = 1;
        bytes.scores(unit, scores.data());
        for (int64_t l = 0; l < 40; ++l) {
          real size = 0;
          for (int64_t i = 0; i < 6; ++i) size = std::max(size, std::abs(keys.at({l, i})));
          const double step = static_cast<double>(size) / ((1 << (bits - 1)) - 1), exact = keys.at({l, j});
          const bool is_largest = std::abs(keys.at({l, j})) == size;
          CHECK(std::abs(static_cast<double>(scores[l]) - exact) <= (is_largest ? 1e-6 * size : 0.5001 * step));
        }
      }
    }
  }

  TEST_CASE("ByteKeys refuses what it can't code or score, naming it") {
    const real nan = static_cast<real>(std::nan("")), infinite = std::numeric_limits<real>::infinity();
    const Tensor keys = draw({20, 4}, 1);
    for (const real bad : {nan, infinite, -infinite}) {
      Tensor spoilt = keys.clone();
      spoilt.write()[13] = bad;
      CHECK_THROWS_WITH_AS(ByteKeys{spoilt}, "8-bit keys: key 3 is not finite", Error);
    }
    CHECK_THROWS_WITH_AS(ByteKeys(Tensor::zeros({3, 0})), "8-bit keys: needs 1 to 1024 numbers a key, not 0", Error);
    CHECK_THROWS_WITH_AS(ByteKeys(Tensor::zeros({1, 1025})), "8-bit keys: needs 1 to 1024 numbers a key, not 1025",
                         Error);
    CHECK_THROWS_AS(ByteKeys(Tensor::zeros({4})), Error);
    CHECK_THROWS_AS(ByteKeys{Tensor()}, Error);
    for (const int bits : {-1, 0, 1, 9, 40})
      CHECK_THROWS_WITH_AS(ByteKeys(keys, bits), doctest::Contains("8-bit keys: needs 2 to 8 bits"), Error);
    const ByteKeys bytes(keys);
    std::vector<real> scores(static_cast<std::size_t>(bytes.scores_size())), target(4, 1);
    std::vector<Found> found(20);
    for (const real bad : {nan, infinite}) {
      std::vector<real> spoilt = target;
      spoilt[2] = bad;
      CHECK_THROWS_WITH_AS(bytes.scores(spoilt, scores.data()), "8-bit keys: number 2 of the target is not finite",
                           Error);
      CHECK_THROWS_AS(bytes.top(spoilt, keys, 3, 6, scores.data(), found.data()), Error);
    }
    CHECK_THROWS_WITH_AS(bytes.scores(std::vector<real>(3, 1), scores.data()),
                         "8-bit keys: a target of 3 numbers for keys of 4", Error);
    const auto top = [&](const Tensor& of, int64_t k) {
      return bytes.top(target, of, k, 2 * k, scores.data(), found.data());
    };
    CHECK_THROWS_AS(top(keys, 0), Error);
    CHECK_THROWS_WITH_AS(top(draw({4, 20}, 2).transpose(), 3), doctest::Contains("not as a view"), Error);
    CHECK_THROWS_AS(top(draw({19, 4}, 2), 3), Error);
    CHECK(top(keys, 3) == 3);
    // A view is coded like its copy; numbers at the ends of the range stay finite.
    const Tensor turned = draw({4, 20}, 3).transpose();
    std::vector<real> of_view(scores), of_copy(scores);
    ByteKeys(turned).scores(target, of_view.data());
    ByteKeys(turned.clone()).scores(target, of_copy.data());
    CHECK(of_view == of_copy);
    for (const real tiny : {std::numeric_limits<real>::denorm_min(), std::numeric_limits<real>::min()}) {
      ByteKeys(keys).scores(std::vector<real>(4, tiny), scores.data());
      for (const real score : scores) CHECK(std::isfinite(score));
    }
  }

  // y_l = Σ_c γ_cl (steps_c Σ_t bytes[t, code_tl] + least_c), for CPUs without a faster form.
  static bool plain_code_scores(int64_t n, int64_t channels, int64_t tables, const uint8_t* bytes, const uint8_t* low,
                                const uint8_t* high, int64_t stride, const real* gamma, const real* steps,
                                const real* least, real* y) {
    for (int64_t l = 0; l < n; ++l) {
      y[l] = 0;
      for (int64_t c = 0; c < channels; ++c) {
        real sum = 0;
        for (int64_t t = c * tables; t < (c + 1) * tables; ++t)
          sum += bytes[t * byte_table + low[t * stride + l] + 256 * (high[(t * stride + l) / 8] >> (l % 8) & 1)];
        y[l] += (gamma ? gamma[c * stride + l] : 1) * (steps[c] * sum + least[c]);
      }
    }
    return true;
  }

  // Compares index.top with scoring all keys, by this CPU's kernels and with the scan of bytes in its plain form.
  static void check_code_index(const std::vector<uint16_t>& codes, const Tensor& table, const Tensor& gamma,
                               std::initializer_list<int64_t> ks) {
    const int64_t channels = table.size(0), tables = table.size(1), centroids = table.size(2);
    const int64_t per_key = channels * tables, length = std::ssize(codes) / per_key;
    const CodeIndex index(codes, channels, tables, centroids, gamma);
    ScanKernels plain = scan_kernels();
    plain.byte_code_scores = plain_code_scores;
    std::vector<Found> all(static_cast<std::size_t>(length));
    for (int64_t l = 0; l < length; ++l) {
      real score = 0;
      for (int64_t c = 0; c < channels; ++c) {
        real sum = 0;
        for (int64_t t = c * tables; t < (c + 1) * tables; ++t)
          sum += table.data()[t * centroids + codes[l * per_key + t]];
        score += (gamma.defined() ? gamma.data()[l * channels + c] : 1) * sum;
      }
      all[l] = {score, static_cast<int32_t>(l)};
    }
    for (const int64_t k : ks)
      for (const ScanKernels* kernels : {&scan_kernels(), static_cast<const ScanKernels*>(&plain)}) {
        std::vector<Found> best = all;
        const int64_t count = keep_top(length, k, best.data());
        const auto found = index.top(table, k, *kernels);
        REQUIRE(std::ssize(found) == count);
        for (int64_t i = 0; i < count; ++i) {
          REQUIRE(found[i].position == best[i].position);
          REQUIRE(found[i].score == best[i].score);
        }
      }
  }

  TEST_CASE("CodeIndex: the best of all scores by the tables, with weights of any sign or none, for any size") {
    Rng rng(11);
    for (const int64_t length : {1, 63, 64, 700, 3000})
      for (const int64_t centroids : {4, 256, 512, 600})
        for (const int weights : {0, 1, 2, 3}) {
          const int64_t channels = 3, tables = 4;
          std::vector<uint16_t> codes;
          for (int64_t i = 0; i < length * channels * tables; ++i)
            codes.push_back(static_cast<uint16_t>(rng.below(centroids)));
          const Tensor drawn = Tensor::normal({length, channels}, rng, 1);
          Tensor gamma = drawn.clone();  // 1: of any sign, 2: not negative, 3: not positive
          for (int64_t i = 0; i < gamma.numel() && weights >= 2; ++i)
            gamma.write()[i] *= weights == 2 ? gamma.data()[i] : -gamma.data()[i];
          check_code_index(codes, Tensor::normal({channels, tables, centroids}, rng, 1),
                           weights == 0 ? Tensor() : gamma, {1, 20, 100});
        }
    const CodeIndex index(std::vector<uint16_t>(6000, 1), 1, 2, 4, {});
    Tensor table = Tensor::full({1, 2, 4}, 1);
    table.write()[1] = static_cast<real>(std::nan(""));
    CHECK_THROWS_WITH_AS(index.top(table, 5), "code index: a score is NaN", Error);
    const Tensor weights = Tensor::full({3, 1}, static_cast<real>(std::nan("")));
    CHECK_THROWS_WITH_AS(CodeIndex(std::vector<uint16_t>(6, 1), 1, 2, 4, weights),
                         "code index: a weight of key 0 is not finite", Error);
    CHECK_THROWS_AS(CodeIndex({}, 0, 2, 4, {}), Error);
  }

  TEST_CASE("CodeIndex prunes by the whole error of the bytes") {
    // Entries 0, .51, .49 and 255 make steps of 1. In bytes a key of 4 × .49 scores 0 and keys of 3 × .51 score 3, yet
    // 1.96 is more than 1.53. All others are 2 × .51, so that the bound is above 2.
    const int64_t length = 10000, k = 4;
    Tensor table = Tensor::zeros({1, 4, 4});
    for (int64_t t = 0; t < 4; ++t) {
      table.write()[t * 4 + 1] = static_cast<real>(0.51);
      table.write()[t * 4 + 2] = static_cast<real>(0.49);
      table.write()[t * 4 + 3] = 255;
    }
    std::vector<uint16_t> codes(static_cast<std::size_t>(length * 4), 0);
    for (int64_t l = 0; l < length; ++l) std::fill_n(codes.begin() + l * 4, 2, uint16_t{1});
    std::fill_n(codes.begin() + 5000 * 4, 4, uint16_t{2});
    for (int64_t i = 0; i < k; ++i) std::fill_n(codes.begin() + (i * 1001 + 3) * 4, 3, uint16_t{1});
    check_code_index(codes, table, {}, {k});
    Tensor weights = Tensor::full({length, 1}, -1), turned = table.clone();
    for (int64_t i = 0; i < turned.numel(); ++i) turned.write()[i] *= -1;
    check_code_index(codes, turned, weights, {k});
    // Rows that start far from 0 on both sides: their sums in float are off by more than the bytes are.
    Rng rng(13);
    Tensor far = Tensor::normal({1, 8, 256}, rng, 1);
    for (int64_t i = 0; i < far.numel(); ++i) far.write()[i] += static_cast<real>(i / 256 < 4 ? 1e7 : -1e7);
    std::vector<uint16_t> drawn;
    for (int64_t i = 0; i < 3000 * 8; ++i) drawn.push_back(static_cast<uint16_t>(rng.below(256)));
    check_code_index(drawn, far, {}, {1, 20, 100});
  }
}
