// Product quantization: the four ways to score agree, more codes mean less error, and the edges hold.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "pq/byte_scan.h"
#include "pq/code_index.h"
#include "pq/multimodal.h"
#include "pq/rotation.h"
#include "tensor/gemm.h"
#include "tensor/kernels.h"
#include "tensor/parallel.h"
#include "tensor/rows.h"
#include "tests/tiny_data.h"

using namespace seminar;

namespace {

constexpr double tolerance = sizeof(real) == 8 ? 1e-12 : 1e-4;

Tensor randn(const Shape& shape, uint64_t seed) {
  Rng rng(seed);
  return Tensor::normal(shape, rng);
}

double coding_error(const Tensor& points, int64_t sub_quantizers, int64_t centroids) {
  const ProductQuantizer q = ProductQuantizer::train(points, sub_quantizers, {centroids, 15, 1});
  const Tensor back = q.decode(q.encode(points));
  double error = 0;
  for (int64_t i = 0; i < points.numel(); ++i)
    error += std::pow(static_cast<double>(points.data()[i] - back.data()[i]), 2);
  return error;
}

MultimodalQuantizer small_quantizer() {
  std::vector<ProductQuantizer> channels;
  for (uint64_t c = 0; c < 3; ++c) channels.push_back(ProductQuantizer::train(randn({60, 8}, 10 + c), 4, {16, 10, c}));
  return MultimodalQuantizer(std::move(channels));
}

}  // namespace

TEST_SUITE("pq") {
  TEST_CASE("eigenvectors of a symmetric matrix: orthonormal, A v = λ v, largest first; repeated and zero values too") {
    const auto check_eigen = [](const Tensor& a) {
      const EigenDecomposition e = symmetric_eigen(a);
      const int64_t d = a.size(0);
      CHECK(std::is_sorted(e.values.rbegin(), e.values.rend()));
      for (int64_t i = 0; i < d; ++i)
        for (int64_t j = 0; j < d; ++j) {
          double dot = 0, image = 0;
          for (int64_t k = 0; k < d; ++k) {
            dot += static_cast<double>(e.vectors.at({k, i}) * e.vectors.at({k, j}));
            image += static_cast<double>(a.at({i, k}) * e.vectors.at({k, j}));
          }
          CHECK(dot == doctest::Approx(i == j ? 1 : 0).epsilon(1e-5).scale(1));
          CHECK(image ==
                doctest::Approx(e.values[j] * static_cast<double>(e.vectors.at({i, j}))).epsilon(1e-4).scale(1));
        }
    };
    const Tensor x = randn({7, 5}, 3);
    check_eigen(matmul(x.transpose(), x));
    check_eigen(Tensor::zeros({3, 3}));
    check_eigen(Tensor::from({3, 3}, {2, 0, 0, 0, 2, 0, 0, 0, 1}));
    check_eigen(Tensor::from({1, 1}, {4}));
    CHECK_THROWS_AS(symmetric_eigen(randn({2, 3}, 1)), Error);
    CHECK_THROWS_AS(symmetric_eigen(Tensor::full({2, 2}, std::numeric_limits<real>::quiet_NaN())), Error);
  }

  TEST_CASE("transforms leave inner products as they are and make stretched vectors cheaper to code") {
    // Variances fall by half from axis to axis; targets look at few directions.
    Tensor keys = randn({2000, 8}, 4), targets = randn({500, 8}, 5);
    for (int64_t i = 0; i < keys.numel(); ++i) keys.write()[i] *= std::pow(real{0.5}, static_cast<real>(i % 8));
    for (int64_t i = 0; i < targets.numel(); ++i) targets.write()[i] *= i % 8 >= 3 && i % 8 < 5 ? real{4} : real{0.1};
    const ScoreTransform t = score_transform(keys, targets, 4);
    const Tensor k = matmul(keys, t.key), q = matmul(targets, t.target);
    double before = 0, after = 0;
    const auto score = [](const Tensor& a, int64_t i, const Tensor& b, int64_t j) {
      double s = 0;
      for (int64_t c = 0; c < 8; ++c) s += static_cast<double>(a.at({i, c}) * b.at({j, c}));
      return s;
    };
    for (int64_t i = 0; i < 50; ++i)
      CHECK(score(q, i, k, i) == doctest::Approx(score(targets, i, keys, i)).epsilon(1e-3).scale(1));
    // Mean squared error of scores by codes of the same size.
    const ProductQuantizer plain = ProductQuantizer::train(keys, 4, {8, 20, 1}),
                           mapped = ProductQuantizer::train(k, 4, {8, 20, 1});
    const Tensor plain_keys = plain.decode(plain.encode(keys)), mapped_keys = mapped.decode(mapped.encode(k));
    for (int64_t i = 0; i < 500; ++i)
      for (int64_t j = 0; j < 20; ++j) {
        const double exact = score(targets, i, keys, j);
        before += std::pow(score(targets, i, plain_keys, j) - exact, 2);
        after += std::pow(score(q, i, mapped_keys, j) - exact, 2);
      }
    CHECK(after < 0.5 * before);
    CHECK(coding_error(matmul(keys, opq_rotation(keys, 4)), 4, 8) < coding_error(keys, 4, 8));
    CHECK_THROWS_AS(opq_rotation(keys, 3), Error);
    CHECK_THROWS_AS(score_transform(keys, randn({4, 7}, 1), 4), Error);
  }

  TEST_CASE("the paper's pair tables, folded tables and decoding give the same scores; so do exact targets") {
    const MultimodalQuantizer q = small_quantizer();
    const Tensor behaviours = randn({20, 3, 8}, 1), target = randn({3, 8}, 2),
                 gamma = Tensor::from({3}, {0.5, 0.3, 0.2});
    const auto codes = q.encode(behaviours), target_codes = q.encode(target.reshape({1, 3, 8}));
    const auto fuse = [&](const Tensor& x) {
      Tensor y = Tensor::zeros({8});
      real* out = y.write();
      for (int64_t i = 0; i < 24; ++i) out[i % 8] += gamma.data()[i / 8] * x.data()[i];
      return y;
    };
    Tensor decoded = Tensor::empty({3, 8});
    real* out = decoded.write();
    for (int64_t c = 0; c < 3; ++c) {
      const Tensor x = q.channels()[c].decode(std::span(target_codes).subspan(static_cast<std::size_t>(c) * 4, 4));
      std::copy_n(x.data(), 8, out + c * 8);
    }
    const auto pairs = q.score_pairs(q.pair_tables(), target_codes, codes, gamma);
    const auto folded = q.scan(q.folded_table(target_codes, gamma), codes);
    const auto symmetric = q.score_decoded(fuse(decoded), codes, gamma);
    const auto asymmetric = q.scan(q.asymmetric_table(target, gamma), codes);
    const auto exact_target = q.score_decoded(fuse(target), codes, gamma);
    for (std::size_t l = 0; l < 20; ++l) {
      CHECK(std::abs(pairs[l] - symmetric[l]) < tolerance);
      CHECK(std::abs(folded[l] - symmetric[l]) < tolerance);
      CHECK(std::abs(asymmetric[l] - exact_target[l]) < tolerance);
    }
    CHECK(q.scan(q.asymmetric_table(target, gamma), {}).empty());
    CHECK_THROWS_WITH_AS(q.scan(q.asymmetric_table(target, gamma), std::vector<uint16_t>(12, 16)),
                         doctest::Contains("code 16 of 16 centroids"), Error);
    CHECK_THROWS_WITH_AS(q.scan(q.asymmetric_table(target, gamma), std::vector<uint16_t>(13, 0)),
                         doctest::Contains("13 codes, 12 a behaviour"), Error);
  }

  TEST_CASE("more centroids or sub-quantizers, less error") {
    const Tensor points = randn({400, 8}, 3);
    double last = 1e30;
    for (int64_t k : {1, 4, 16, 64}) {
      const double e = coding_error(points, 2, k);
      CHECK(e < last);
      last = e;
    }
    last = 1e30;
    for (int64_t s : {1, 2, 4, 8}) {
      const double e = coding_error(points, s, 16);
      CHECK(e < last);
      last = e;
    }
  }

  TEST_CASE("points that are centroids come back exactly") {
    const ProductQuantizer q(randn({4, 16, 2}, 4));
    std::vector<uint16_t> codes;
    for (uint16_t i = 0; i < 16; ++i)
      for (uint16_t b = 0; b < 4; ++b) codes.push_back(static_cast<uint16_t>((i + b * 3) % 16));
    CHECK(q.encode(q.decode(codes)) == codes);
  }

  TEST_CASE("codebooks and codes are the same for any number of threads") {
    const int before = threads();
    const Tensor points = randn({3000, 8}, 5);
    std::vector<real> books;
    std::vector<uint16_t> codes;
    for (int n : {1, 2, 3, 8}) {
      set_threads(n);
      const ProductQuantizer q = ProductQuantizer::train(points, 2, {32, 5, 1});
      if (n == 1) {
        books = q.codebooks().to_vector();
        codes = q.encode(points);
      }
      CHECK(q.codebooks().to_vector() == books);
      CHECK(q.encode(points) == codes);
    }
    set_threads(before);
  }

  TEST_CASE("edges: one point, equal points, fewer points than centroids, NaN, wrong sizes") {
    for (const Tensor& points : {randn({1, 4}, 6), Tensor::full({50, 4}, 3), Tensor::zeros({5, 4}), randn({5, 4}, 7)}) {
      const ProductQuantizer q = ProductQuantizer::train(points, 2, {8, 10, 1});
      const std::vector<real> back = q.decode(q.encode(points)).to_vector(), expected = points.to_vector();
      for (std::size_t i = 0; i < back.size(); ++i) CHECK(std::abs(back[i] - expected[i]) < 1e-2);
    }
    Tensor bad = Tensor::zeros({3, 4});
    bad.write()[5] = static_cast<real>(std::nan(""));
    CHECK_THROWS_WITH_AS(kmeans(bad, {2, 5, 1}), "kmeans: point 1 is not finite: nan", Error);
    CHECK_THROWS_WITH_AS(kmeans(Tensor::zeros({0, 4}), {2, 5, 1}), doctest::Contains("kmeans: needs points"), Error);
    CHECK_THROWS_WITH_AS(kmeans(Tensor::zeros({3, 4}), {0, 5, 1}), doctest::Contains("clusters must be at least 1"),
                         Error);
    CHECK_THROWS_WITH_AS(ProductQuantizer::train(Tensor::zeros({3, 4}), 3, {2, 5, 1}),
                         doctest::Contains("3 sub-quantizers do not divide"), Error);
    CHECK_THROWS_WITH_AS(ProductQuantizer(Tensor::zeros({2, 2000, 2})),
                         doctest::Contains("1 to 1024 centroids, not 2000"), Error);
    CHECK_THROWS_WITH_AS(ProductQuantizer(Tensor::zeros({2, 2, 2})).decode(std::vector<uint16_t>{0, 2}),
                         "decode: code 2 of 2 centroids", Error);
    CHECK_THROWS_AS(ProductQuantizer(Tensor::zeros({2, 2, 2})).encode(bad), Error);
  }

  TEST_CASE("codebooks in a file") {
    const TemporaryFolder folder;
    const MultimodalQuantizer q = small_quantizer();
    SafetensorsWriter writer;
    add_quantizer(writer, "pq", q);
    writer.save(folder / "pq.safetensors");
    const SafetensorsFile file(folder / "pq.safetensors");
    const MultimodalQuantizer back = load_quantizer(file, "pq");
    REQUIRE(back.channels().size() == 3);
    for (std::size_t c = 0; c < 3; ++c)
      CHECK(back.channels()[c].codebooks().to_vector() == q.channels()[c].codebooks().to_vector());
    CHECK_THROWS_WITH_AS(load_quantizer(file, "other"), doctest::Contains("no codebooks 'other.0'"), Error);
  }

  TEST_CASE("k-means: groups of equal points are their own centroids, exactly") {
    Rng rng(21);
    for (const int64_t each : {2, 3, 7, 49, 100}) {
      const int64_t groups = 5, d = 3;
      const Tensor distinct = Tensor::normal({groups, d}, rng, 100);
      Tensor points = Tensor::empty({groups * each, d});
      real* p = points.write();
      for (int64_t i = 0; i < points.numel(); ++i) p[i] = distinct.data()[i % (groups * d)];
      const KMeansResult result = kmeans(points, {groups, 20, 3});
      CHECK(result.inertia == 0);
      for (int64_t i = 0; i < points.size(0); ++i)
        for (int64_t j = 0; j < d; ++j) CHECK(result.centroids.at({result.assignment[i], j}) == points.at({i, j}));
    }
  }

  TEST_CASE("k-means: a centroid is the mean of its points, and each point is with its nearest") {
    const Tensor points = randn({500, 4}, 31);
    const KMeansResult result = kmeans(points, {7, 200, 5});
    double inertia = 0;
    for (int64_t k = 0; k < 7; ++k)
      for (int64_t j = 0; j < 4; ++j) {
        double sum = 0, count = 0;
        for (int64_t i = 0; i < 500; ++i)
          if (result.assignment[i] == k) {
            sum += points.at({i, j});
            count += 1;
          }
        REQUIRE(count > 0);
        CHECK(result.centroids.at({k, j}) == doctest::Approx(sum / count).epsilon(1e-5));
      }
    for (int64_t i = 0; i < 500; ++i) {
      const auto distance = [&](int64_t k) {
        double s = 0;
        for (int64_t j = 0; j < 4; ++j) s += std::pow(points.at({i, j}) - result.centroids.at({k, j}), 2);
        return s;
      };
      for (int64_t k = 0; k < 7; ++k) CHECK(distance(result.assignment[i]) <= distance(k) + 1e-6);
      inertia += distance(result.assignment[i]);
    }
    CHECK(result.inertia == doctest::Approx(inertia).epsilon(1e-5));
  }

  TEST_CASE("OPQ's rotation: principal axes in the columns, products of variances equal") {
    // Variances 8, 4, 2, 1 on axes that are turned; two sub-vectors get {8, 1} and {4, 2}.
    const Tensor turn = symmetric_eigen(matmul(randn({4, 4}, 1).transpose(), randn({4, 4}, 1))).vectors;
    Tensor straight = randn({20000, 4}, 2);
    real* x = straight.write();
    for (int64_t i = 0; i < straight.numel(); ++i) x[i] *= std::sqrt(real{8} / static_cast<real>(1 << (i % 4)));
    const auto covariance = [](const Tensor& points) {
      return binary("scale", Binary::div, matmul(points.transpose(), points),
                    Tensor::full({1, 1}, static_cast<real>(points.size(0))));
    };
    const auto check_axes = [&](const Tensor& moved) {
      const Tensor c = covariance(moved);
      for (int64_t i = 0; i < 4; ++i)
        for (int64_t j = 0; j < 4; ++j)
          if (i != j) CHECK(std::abs(c.at({i, j})) < 0.02 * std::sqrt(c.at({i, i}) * c.at({j, j})));
      return c;
    };
    const Tensor points = matmul(straight, turn.transpose()), rotation = opq_rotation(points, 2);
    const Tensor identity = matmul(rotation.transpose(), rotation);
    for (int64_t i = 0; i < 4; ++i)
      for (int64_t j = 0; j < 4; ++j) CHECK(std::abs(identity.at({i, j}) - (i == j ? 1 : 0)) < 1e-5);
    const Tensor c = check_axes(matmul(points, rotation));
    CHECK(c.at({0, 0}) * c.at({1, 1}) == doctest::Approx(8).epsilon(0.05));
    CHECK(c.at({2, 2}) * c.at({3, 3}) == doctest::Approx(8).epsilon(0.05));
    // score_transform ends with the same rotation, of the stretched keys.
    const ScoreTransform t = score_transform(points, randn({3000, 4}, 3), 2);
    check_axes(matmul(points, t.key));
  }
}
