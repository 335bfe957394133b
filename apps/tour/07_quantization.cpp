// Chapter 7: product quantization: scores of coded behaviours by table look-ups (docs/tour/7-quantization.md).
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "seminar/retrieval/search.h"

using namespace seminar;

int main() {
  // By hand: d = 2, two sub-quantizers of width 1 with centroids -1 and +1. (0.7, -0.2) is coded (1, 0).
  const MultimodalQuantizer small({ProductQuantizer(Tensor::from({2, 2, 1}, {-1, 1, -1, 1}))});
  const auto code = small.encode(Tensor::from({1, 1, 2}, {0.7F, -0.2F}));
  const Tensor table = small.asymmetric_table(Tensor::from({1, 2}, {3, 5}), Tensor::scalar(1).reshape({1}));
  fmt::print("code ({}, {}); the target (3, 5) scores it {:g} by look-up, {:g} exactly\n\n", code[0], code[1],
             small.scan(table, code)[0], 3 * 0.7 - 5 * 0.2);

  // Three channels, d = 16. Components differ in size, and targets look at some more than at others.
  const int64_t channels = 3, d = 16, length = 1000, targets = 20, k = 32;
  Rng rng(17);
  const auto draw = [&](int64_t rows, double steepness) {
    Tensor x = Tensor::normal({rows, d}, rng);
    for (int64_t i = 0; i < x.numel(); ++i) x.write()[i] *= static_cast<real>(std::pow(steepness, i % d));
    return x;
  };
  const Tensor gamma = Tensor::full({channels}, 1 / static_cast<real>(channels));
  const Tensor corpus = draw(3000, 0.8), asked = draw(500, 1.2), history = draw(length * channels, 0.8);
  const KeySet keys{history.reshape({length, channels, d}), Tensor::full({length, channels}, gamma.at({0}))};
  const ScoreTransform transform = score_transform(corpus, asked, 4);
  const auto quantizer = [&](const Tensor& points) {
    std::vector<ProductQuantizer> each;
    for (int64_t c = 0; c < channels; ++c)
      each.push_back(
          ProductQuantizer::train(points.slice(0, c * 1000, (c + 1) * 1000), 4, {32, 10, static_cast<uint64_t>(c)}));
    return std::make_shared<const MultimodalQuantizer>(std::move(each));
  };
  const auto plain = quantizer(corpus), mapped = quantizer(matmul(corpus, transform.key).value());

  // Look-ups give the inner product with what the code remembers, no more and no less.
  const Tensor t = asked.slice(0, 0, channels);
  const auto codes = plain->encode(keys.channels);
  const auto looked_up = plain->scan(plain->asymmetric_table(t, gamma), codes);
  const auto multiplied = plain->score_decoded(fused_target({t, gamma}), codes, gamma);
  real largest = 0;
  for (std::size_t l = 0; l < codes.size() / 12; ++l)
    largest = std::max(largest, std::abs(looked_up[l] - multiplied[l]));
  fmt::print("look-ups equal decoding and multiplying: {}\n", largest < 1e-4 ? "yes" : "no");

  const SearchMethodPtr exact = exact_search();
  const auto report = [&](const char* name, const SearchMethodPtr& method) {
    const auto index = method->index(keys), truth = exact->index(keys);
    double found = 0;
    for (int64_t i = 0; i < targets; ++i) {
      const SearchTarget one{asked.slice(0, i * channels, (i + 1) * channels), gamma};
      const auto best = truth->top(one, k);
      for (const int32_t l : index->top(one, k)) found += std::count(best.begin(), best.end(), l) > 0;
    }
    fmt::print("{:<32} {:>6.1f} bytes a behaviour, Recall@32 {:.2f}\n", name, method->bytes_per_key(keys),
               found / static_cast<double>(k * targets));
  };
  report("exact, fused", exact);
  report("PQ 4 x 32, target coded", pq_search(plain, true, 1));
  report("PQ 4 x 32", pq_search(plain, false, 1));
  report("PQ 4 x 32, score transform", transformed_search(pq_search(mapped, false, 1), transform));
  report("PQ 4 x 32, exact second pass", pq_search(plain, false, 4));
  fmt::print("tables: {} numbers for all pairs of centroids, {} for one target\n", plain->pair_tables().numel(),
             plain->asymmetric_table(t, gamma).numel());
}
