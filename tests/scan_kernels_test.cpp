// The kernels of scans on every instruction set against their formulas, and the selection of the best scores.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "pq/select.h"
#include "pq/topk.h"
#include "tests/instruction_sets.h"

using namespace seminar;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<const ScanKernels*> available_kernels() {
  return tables_of_this_cpu<ScanKernels>({&scan_kernels_base, SEMINAR_X86(&scan_kernels_avx2, &scan_kernels_avx512)});
}

}  // namespace

TEST_SUITE("scan kernels") {
  TEST_CASE("SEMINAR_ISA reaches the scan kernels") { CHECK(scan_kernels().isa == std::string(kernels().isa)); }

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

  TEST_CASE("code_sums of every instruction set against its formula") {
    Rng rng(6);
    const int64_t tables = 4, size = 9, keys = 3 * kernel_lanes;
    const Tensor table = Tensor::normal({tables, size}, rng, 1);
    std::vector<uint16_t> codes;
    for (int64_t i = 0; i < tables * keys; ++i) codes.push_back(static_cast<uint16_t>(rng.below(size)));
    for (const ScanKernels* kernels : available_kernels()) {
      CAPTURE(kernels->isa);
      std::vector<real> y(static_cast<std::size_t>(keys));
      kernels->code_sums(keys, tables, size, table.data(), codes.data(), keys, y.data());
      for (int64_t l = 0; l < keys; ++l) {
        double sum = 0;
        for (int64_t t = 0; t < tables; ++t) sum += table.data()[t * size + codes[t * keys + l]];
        REQUIRE(y[l] == doctest::Approx(sum).epsilon(1e-5));
      }
    }
  }

  TEST_CASE("byte_tables and byte_code_scores against their formulas") {
    Rng rng(12);
    for (const ScanKernels* k : available_kernels())
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
          real steps[channels], least[channels], least_size;
          for (int64_t c = 0; c < channels; ++c)
            steps[c] = k->byte_tables(tables, size, table.data() + c * tables * size,
                                      bytes.data() + c * tables * byte_table, least + c, &least_size);
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
        for (const ScanKernels* kernels : available_kernels()) {
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
}
