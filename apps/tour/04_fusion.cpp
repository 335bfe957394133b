// Chapter 4: the sequence of query-item pairs, and how a pair's channels become one vector (docs/tour/4-fusion.md).
#include <fmt/core.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "nn/attention.h"
#include "seminar/data/dataset_builder.h"
#include "seminar/model/fusion.h"

using namespace seminar;

int main() {
  // Two streams, searches and browsing, merged in time order. A browsed item gets the empty query, number 0.
  DatasetBuilder builder;
  const int32_t user = builder.user("ada");
  for (const char* title : {"kettle", "teapot", "teacup", "lamp"}) builder.item(title);
  const int32_t tea = builder.queries.id("green tea"), light = builder.queries.id("light");
  builder.add_event(user, builder.item("teapot"), tea, 20, 0);
  builder.add_event(user, builder.item("lamp"), light, 40, 1);
  builder.add_event(user, builder.item("kettle"), 0, 10, 2);
  builder.add_event(user, builder.item("teacup"), 0, 30, 3);
  const std::string folder = std::filesystem::temp_directory_path() / fmt::format("seminar-tour-{}", ::getpid());
  builder.write(folder);
  const Dataset data = Dataset::open(folder);
  std::vector<int32_t> queries, items;
  for (std::size_t l = 0; l < data.user_items(0).size(); ++l) {
    queries.push_back(data.user_queries(0)[l]);
    items.push_back(data.user_items(0)[l]);
    fmt::print("time {}: ({}, {})\n", data.user_times(0)[l],
               queries[l] ? fmt::format("\"{}\"", data.query_text(queries[l])) : "∅", data.original_item(items[l]));
  }
  std::filesystem::remove_all(folder);

  // Channels by hand, d = 4: queries ∅, tea, light; text and image of items 1..4. Item 4 (the lamp) has no picture.
  Rng rng(3);
  const auto table = [&](int64_t rows, double norm) {
    return scale(normalize(Tensor::normal({rows, 4}, rng)), static_cast<real>(norm)).value();
  };
  Channels channels{table(3, 1), {table(5, 1), table(5, 4)}, Tensor::full({5, 2}, 1)};
  channels.present.write()[4 * 2 + 1] = 0;
  const PairIds pairs{Ids(queries), Ids(items)};
  ModelSettings settings;
  settings.lambda = 0.3;
  const Fusion fusion(settings, 2, rng);
  const Tensor gamma = fusion.weights(channels, pairs).value();
  for (int64_t l = 0; l < 4; ++l)
    fmt::print("γ of pair {}: query {:.2f}, text {:.2f}, image {:.2f}\n", l + 1, gamma.at({l, 0}), gamma.at({l, 1}),
               gamma.at({l, 2}));

  // The two lines of the decomposition: fused vectors, and channels apart. Pair 1 asks, pairs 2 and 3 answer.
  const Tensor wq = Tensor::normal({1, 4, 4}, rng, 0.5), wk = Tensor::normal({1, 4, 4}, rng, 0.5);
  const Var fused = reshape(fusion(channels, pairs), {1, 4, 4});
  const Tensor together = target_scores(slice(fused, 1, 0, 1), slice(fused, 1, 1, 3), wq, wk).value();
  std::vector<Var> stacked{reshape(embedding(channels.query, pairs.query), {1, 4, 1, 4})};
  for (const Var& x : channels.item) stacked.push_back(reshape(embedding(x, pairs.item), {1, 4, 1, 4}));
  const Var all = concat(stacked, 2);
  const Tensor apart = decomposed_scores(reshape(slice(all, 1, 0, 1), {1, 3, 4}), slice(all, 1, 1, 3),
                                         slice(gamma, 0, 0, 1).value().reshape({3}), wq, wk)
                           .value();
  for (int64_t l = 0; l < 2; ++l)
    fmt::print("score of pair {}: fused {:.4f}, channels apart {:.4f}\n", l + 2, together.at({0, 0, l}),
               apart.at({0, 0, l}));

  // Who decides? γ_ij = γ_i γ_j |x_t^(i)| |x_l^(j)|: the loud channel, image, in spite of equal γ for text.
  double weight[3], total = 0;
  for (int m = 0; m < 3; ++m) total += weight[m] = static_cast<double>(gamma.at({0, m})) * (m == 2 ? 4 : 1);
  fmt::print("share of the score's weights with image on both sides: {:.2f}, of γ alone: {:.2f}\n",
             weight[2] * weight[2] / (total * total), std::pow(static_cast<double>(gamma.at({0, 2})), 2));
}
