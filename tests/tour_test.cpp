// The tour's exercises (docs/tour): answers on paper against the library; templates and solutions of what is to be
// written.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "nn/clip_loss.h"
#include "pq/multimodal.h"
#include "seminar/evaluation/bootstrap.h"
#include "seminar/evaluation/metrics.h"
#include "seminar/model/gsu.h"

using namespace seminar;

namespace {

void check_near(const Tensor& t, const std::vector<double>& expected) {
  const std::vector<real> values = t.to_vector();
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    CHECK(values[i] == doctest::Approx(expected[i]).epsilon(1e-5).scale(1));
}

Tensor numbers(const Shape& shape) {
  Tensor t = Tensor::empty(shape);
  for (int64_t i = 0; i < t.numel(); ++i) t.write()[i] = static_cast<real>(i);
  return t;
}

// A script of apps/, run with these arguments: its exit code and all that it prints.
struct Verdict {
  int code;
  std::string out;
};
Verdict script(const std::string& path, const std::string& arguments) {
  FILE* pipe = ::popen(fmt::format("bash '{}/apps/{}' {} 2>&1", SEMINAR_SOURCE_DIR, path, arguments).c_str(), "r");
  REQUIRE(pipe);
  std::string out;
  std::array<char, 4096> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) out.append(buffer.data(), n);
  return {WEXITSTATUS(::pclose(pipe)), out};
}
Verdict graded(const std::string& arguments) { return script("tour/check.sh", arguments); }

}  // namespace

TEST_SUITE("tour") {
  TEST_CASE("write it yourself: the grader refuses each template in every check and accepts each solution") {
    for (int chapter = 1; chapter <= 8; ++chapter) {
      CAPTURE(chapter);
      const Verdict empty = graded(std::to_string(chapter)), solved = graded(fmt::format("{} --solution", chapter));
      CAPTURE(empty.out);
      CAPTURE(solved.out);
      CHECK(empty.code == 1);
      CHECK(empty.out.find("\n0 of ") != std::string::npos);
      CHECK(solved.code == 0);
      CHECK(solved.out.find("not yet") == std::string::npos);
      CHECK(solved.out.find("warning") == std::string::npos);
    }
  }

  TEST_CASE("write it yourself: wrong use is one line and exit code 2; a copy elsewhere is checked") {
    for (const char* wrong : {"", "9", "1 no_such_file.h", "1 --solve", "1 2 3"}) {
      CAPTURE(wrong);
      const Verdict refused = graded(wrong);
      CHECK(refused.code == 2);
      CHECK(std::count(refused.out.begin(), refused.out.end(), '\n') == 1);
    }
    for (const char* wrong : {"9", "one", "1 2", "--help"}) {
      CAPTURE(wrong);
      const Verdict refused = script("tour.sh", wrong);
      CHECK(refused.code == 2);
      CHECK(refused.out.starts_with("tour.sh: say which chapter"));
    }
    CHECK(graded(fmt::format("1 '{}/apps/tour/solutions/1_strides.h'", SEMINAR_SOURCE_DIR)).code == 0);
    CHECK(graded(fmt::format("2 '{}/apps/tour/solutions/1_strides.h'", SEMINAR_SOURCE_DIR)).code == 1);
  }

  TEST_CASE("exercise 1: a transposed slice by its strides") {
    const Tensor x = numbers({3, 4, 2}), y = x.slice(1, 1, 3).transpose();
    CHECK(y.shape() == Shape{3, 2, 2});
    CHECK(y.strides() == Shape{8, 1, 2});  // those of x, the last two swapped
    CHECK(y.data() - x.data() == 2);       // one behaviour of two numbers is skipped
    CHECK(y.at({2, 1, 0}) == 2 + 2 * 8 + 1 * 1 + 0 * 2);
    CHECK_FALSE(y.is_contiguous());
    CHECK(x.slice(0, 1, 3).is_contiguous());  // only a slice of the first axis leaves no gaps
    // A reshape of it cannot be a view: 2, 4, 3, 5 stand at no constant step.
    const Tensor flat = y.reshape({12});
    CHECK(flat.unique());
    check_near(flat.slice(0, 0, 4), {2, 4, 3, 5});
  }

  TEST_CASE("exercise 2: the gradient of a unit vector") {
    // y = x / |x|: a step along x changes nothing, so that part of g is taken out: dx = (g - y (y · g)) / |x|.
    const Var x = Var::leaf(Tensor::from({1, 2}, {3, 4}));
    backward(normalize(x), Tensor::from({1, 2}, {1, 0}));
    check_near(x.grad(), {(1 - 0.6 * 0.6) / 5, (0 - 0.8 * 0.6) / 5});
  }

  TEST_CASE("exercise 3: scores need no key projection, and doubled behaviours change nothing") {
    Rng rng(1);
    const Tensor q = Tensor::normal({1, 1, 3}, rng), keys = Tensor::normal({1, 4, 3}, rng);
    const Tensor wq = Tensor::normal({1, 3, 3}, rng), wk = Tensor::normal({1, 3, 3}, rng);
    const Tensor eye = Tensor::from({1, 3, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1});
    const Tensor with = target_scores(q, keys, wq, wk).value(),
                 without = target_scores(q, keys, matmul_transposed(wq, wk), eye).value();
    std::vector<double> expected;
    for (const real s : with.to_vector()) expected.push_back(static_cast<double>(s));
    check_near(without, expected);

    const Tensor mean = target_attention(q, keys, {}, wq, wk, eye, eye.reshape({3, 3})).value(),
                 twice = target_attention(q, concat({keys, keys}, 1), {}, wq, wk, eye, eye.reshape({3, 3})).value();
    expected.assign(mean.data(), mean.data() + 3);
    check_near(twice, expected);
  }

  TEST_CASE("exercise 4: λ, γ and a missing channel by hand") {
    ModelSettings settings;
    settings.lambda = 0.4;
    const Fusion fusion(settings, 2, Rng(1));
    Tensor logits = fusion.item_logits->var().value();
    logits.write()[0] = static_cast<real>(std::log(3));  // w = softmax(ln 3, 0) = (3/4, 1/4)
    Channels channels{numbers({1, 2}), {numbers({2, 2}), numbers({2, 2})}, Tensor::from({2, 2}, {1, 1, 1, 0})};
    const PairIds pairs{Ids({0, 0}), Ids({0, 1})};
    check_near(fusion.weights(channels, pairs).value(), {0.4, 0.6 * 0.75, 0.6 * 0.25, 0.4, 0.6, 0});
    // Pair 1: 0.4 · (0, 1) + 0.45 · (0, 1) + 0.15 · (0, 1). Pair 2: 0.4 · (0, 1) + 0.6 · (2, 3).
    check_near(fusion(channels, pairs).value(), {0, 1, 1.2, 2.2});
    // Norms: twice the image vector, twice its share of the score against any target.
    const Tensor target = Tensor::from({1, 2, 2}, {1, 2, 3, 4}), half = Tensor::from({2}, {0.5, 0.5}),
                 eye = Tensor::from({1, 2, 2}, {1, 0, 0, 1});
    const auto score = [&](real image) {
      return decomposed_scores(target, Tensor::from({1, 1, 2, 2}, {0, 0, image, 0}), half, eye, eye).value().item();
    };
    CHECK(score(2) == doctest::Approx(2 * score(1)));
    CHECK(score(1) == doctest::Approx((0.5 * (1 + 3)) * 0.5 / std::sqrt(2)));
  }

  TEST_CASE("exercise 5: the CLIP loss of two pairs, and of vectors that are all alike") {
    // Scores of a pair 0.8, of strangers 0.6: a softmax of two, so loss = ln(1 + exp(-s (0.8 - 0.6))).
    const Tensor a = Tensor::from({1, 2, 2}, {1, 0, 0, 1}),
                 b = Tensor::from({1, 2, 2}, {real(0.8), real(0.6), real(0.6), real(0.8)});
    CHECK(clip_loss(a, b, Tensor::scalar(5), 1).value().item() == doctest::Approx(std::log(1 + std::exp(-1))));
    // All alike: each of n is as good as the other; N_ch chunks of L / N_ch pay ln(L / N_ch) each.
    const Tensor same = Tensor::full({1, 12, 1}, 1);
    for (const int chunks : {1, 2, 3, 4})
      CHECK(clip_loss(same, same, Tensor::scalar(7), chunks).value().item() ==
            doctest::Approx(chunks * std::log(12.0 / chunks)));
  }

  TEST_CASE("exercise 6: which behaviours the GSU keeps") {
    const Tensor scores = Tensor::from({1, 2, 5}, {1, 4, 2, 0, 3, 3, 0, 2, 4, 3});  // sums 4 4 4 4 6
    CHECK(retrieve_top_k(scores, Tensor::full({1, 5}, 1), 1, 3).positions == std::vector<int32_t>{4, 0, 1});
    CHECK(retrieve_top_k(scores, Tensor::from({1, 5}, {0, 1, 1, 1, 1}), 1, 3).positions ==
          std::vector<int32_t>{4, 1, 2});
  }

  TEST_CASE("exercise 7: codes and a score by look-up") {
    const MultimodalQuantizer quantizer({ProductQuantizer(Tensor::from({2, 2, 2}, {1, 0, 0, 1, 1, 1, -1, 1})),
                                         ProductQuantizer(Tensor::from({2, 2, 2}, {2, 0, 0, -1, 0, 0, 1, -1}))});
    const Tensor behaviour = Tensor::from({1, 2, 4}, {real(0.9), real(0.2), real(0.8), real(1.1),  //
                                                      real(0.1), real(-0.8), real(0.9), real(-0.7)});
    const auto codes = quantizer.encode(behaviour);
    CHECK(codes == std::vector<MultimodalQuantizer::Code>{0, 0, 1, 1});
    // The target fused: ½ (2, 0, 1, 1) + ½ (0, 4, 1, 3) = (1, 2, 1, 2). Four look-ups: 1, 3 and -2, -1, weighed by ½.
    const Tensor target = Tensor::from({2, 4}, {2, 0, 1, 1, 0, 4, 1, 3}), gamma = Tensor::full({2}, 0.5);
    const Tensor table = quantizer.asymmetric_table(target, gamma);
    CHECK(table.at({0, 0, 0}) == doctest::Approx(0.5 * 1));
    CHECK(table.at({0, 1, 0}) == doctest::Approx(0.5 * 3));
    CHECK(table.at({1, 0, 1}) == doctest::Approx(0.5 * -2));
    CHECK(table.at({1, 1, 1}) == doctest::Approx(0.5 * -1));
    CHECK(quantizer.scan(table, codes)[0] == doctest::Approx(0.5));
    CHECK(quantizer.score_decoded(Tensor::from({4}, {1, 2, 1, 2}), codes, gamma)[0] == doctest::Approx(0.5));
  }

  TEST_CASE("exercise 8: an interval by hand, and the gain of a tie") {
    // 36 hits among 100 users: 0.36 ± 1.96 √(0.36 · 0.64 / 100) = 0.36 ± 0.094.
    std::vector<double> hits(100, 0.0);
    std::fill_n(hits.begin(), 36, 1.0);
    const Interval interval = bootstrap(hits, 1);
    CHECK(interval.mean == doctest::Approx(0.36));
    CHECK(std::abs(interval.low - (0.36 - 0.094)) < 0.02);
    CHECK(std::abs(interval.high - (0.36 + 0.094)) < 0.02);
    // One negative above, three level: ranks 2 to 5 with equal chance, and only rank 2 counts in NDCG@2.
    CHECK(ndcg({1, 3, 9}, 2) == doctest::Approx(0.25 / std::log2(3)));
  }
}
