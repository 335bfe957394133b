// Chapter 6: GSU looks at all L behaviours cheaply, ESU at the K best of them closely (docs/tour/6-gsu-esu.md).
#include <fmt/core.h>

#include <cmath>

#include "seminar/model/esu.h"
#include "seminar/model/gsu.h"

int main() {
  using namespace seminar;
  // By hand: two heads, four behaviours, the last one padding. One set for all heads, by the sum of their scores.
  const Tensor by_head = Tensor::from({1, 2, 4}, {3, 0, 2, 9, 0, 1, 2, 9}),
               real_ones = Tensor::from({1, 4}, {1, 1, 1, 0});
  const Retrieved two = retrieve_top_k(by_head, real_ones, 1, 2);
  fmt::print("head 1 likes behaviour 0 best, head 2 behaviour 2; K = 2 keeps {} and {}\n", two.positions[0],
             two.positions[1]);
  fmt::print("K = 10 keeps {:.0f}: padding never\n\n", [&] {
    double kept = 0;
    for (const real m : retrieve_top_k(by_head, real_ones, 1, 10).mask.to_vector()) kept += static_cast<double>(m);
    return kept;
  }());

  // A history of 1,000, a target of norm 6, and the GSU and ESU of a model just restored from a PSU: equal attentions.
  ModelSettings settings;
  settings.dim = 16, settings.heads = 2, settings.ages = 0;
  Rng rng(7);
  const int64_t length = 1000, d = settings.dim;
  Gsu gsu(settings, 3, rng.split("gsu"));
  const Esu esu(settings, rng.split("esu"));
  gsu.attention = esu.attention;
  const Var history = Tensor::normal({1, length, d}, rng);
  const Var target = scale(normalize(Tensor::normal({1, 1, d}, rng)), 6);
  const Tensor mask = Tensor::full({1, length}, 1);
  const Var scores = gsu.scores(target, history);
  const Tensor weights = softmax(scores).value(), whole = esu.attention(target, history, mask).value();
  const auto norm = [](const Tensor& t) {
    double square = 0;
    for (const real x : t.to_vector()) square += static_cast<double>(x) * static_cast<double>(x);
    return std::sqrt(square);
  };
  for (const int64_t k : {1, 10, 50, 200, 1000}) {
    const Retrieved kept = retrieve_top_k(scores.value(), mask, 1, k);
    double mass = 0;  // what the kept behaviours weigh in attention over all L, mean of the two heads
    for (const int32_t l : kept.positions)
      mass += static_cast<double>(weights.at({0, 0, l}) + weights.at({0, 1, l})) / 2;
    const Var x = esu.x_lifelong(target, history, kept, std::vector<int32_t>(static_cast<std::size_t>(length), 1));
    fmt::print("K = {:>4}: {:>5.1f} % of the attention, x_lifelong off by {:>5.1f} %\n", k, 100 * mass,
               100 * norm((x - whole).value()) / norm(whole));
  }

  // Selection needs no heads: Σ_h W_h^Q W_h^Kᵀ folds into one matrix, and a behaviour costs d multiplications.
  const Tensor q = matmul(target, gsu.folded()).value();
  const Retrieved folded = retrieve_top_k(matmul_transposed(q, history).value(), mask, 1, 50);
  fmt::print("the same 50 by one folded vector: {}\n",
             folded.positions == retrieve_top_k(scores.value(), mask, 1, 50).positions ? "yes" : "no");
}
