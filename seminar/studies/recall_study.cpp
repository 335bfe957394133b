#include "seminar/studies/recall_study.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <unordered_set>

#include "seminar/retrieval/search_variants.h"
#include "tensor/gemm.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

struct Problem {
  KeySet keys;
  SearchTarget target;
};

// Recall and time of one method at one K over the draws.
struct Tally {
  std::vector<double> recall;
  double seconds = 0, bytes = 0;
};

using Tallies = std::map<std::pair<std::size_t, int64_t>, Tally>;  // by method and K

void measure(const std::vector<SearchMethodPtr>& methods, const Problem& problem, std::span<const int64_t> ks,
             Tallies& tallies) {
  const auto exact = exact_search()->index(problem.keys);
  for (std::size_t m = 0; m < methods.size(); ++m) {
    const auto index = methods[m]->index(problem.keys);
    for (const int64_t k : ks) {
      const std::vector<int32_t> best = exact->top(problem.target, k);
      const std::unordered_set<int32_t> truth(best.begin(), best.end());
      const auto begin = std::chrono::steady_clock::now();
      const std::vector<int32_t> found = index->top(problem.target, k);
      Tally& t = tallies[{m, k}];
      t.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      t.bytes = methods[m]->bytes_per_key(problem.keys);
      const auto hits = std::count_if(found.begin(), found.end(), [&](int32_t l) { return truth.count(l) != 0; });
      t.recall.push_back(static_cast<double>(hits) / static_cast<double>(truth.size()));
    }
  }
}

void add_rows(std::vector<RecallRow>& rows, const std::string& setting, int64_t length,
              const std::vector<SearchMethodPtr>& methods, const Tallies& tallies) {
  for (const auto& [key, t] : tallies) {
    const double n = static_cast<double>(t.recall.size());
    double mean = 0, square = 0;
    for (const double r : t.recall) mean += r / n;
    for (const double r : t.recall) square += (r - mean) * (r - mean);
    rows.push_back({setting, methods[key.first]->name(), length, key.second, mean,
                    n > 1 ? std::sqrt(square / (n - 1) / n) : 0, t.seconds / n * 1e6, t.bytes});
  }
}

#ifdef SEMINAR_HNSWLIB
constexpr bool with_hnsw = true;
#else
constexpr bool with_hnsw = false;
#endif

struct Case {
  const char* name;
  bool different_norms, different_weights;
};
constexpr Case cases[] = {{"same norm, same weights", false, false},
                          {"different norms, same weights", true, false},
                          {"same norm, different weights", false, true}};

constexpr int64_t drawn_channels = 4;

// Vectors [n, C, d] of a case.
Tensor draw_vectors(const Case& c, int64_t n, int64_t d, Rng rng) {
  constexpr real mu[] = {real{0.25}, real{0.5}, 1, 2};
  Tensor x = Tensor::normal({n, drawn_channels, d}, rng);
  real* y = x.write();
  for (int64_t r = 0; r < n * drawn_channels; ++r) {
    real* v = y + r * d;
    real square = 0;
    for (int64_t i = 0; i < d; ++i) square += v[i] * v[i];
    for (int64_t i = 0; i < d; ++i) v[i] = c.different_norms ? v[i] + mu[r % drawn_channels] : v[i] / std::sqrt(square);
  }
  return x;
}

Tensor weights(const Case& c, int64_t n) {
  Tensor g = Tensor::empty({n, drawn_channels});
  real* y = g.write();
  for (int64_t i = 0; i < n * drawn_channels; ++i)
    y[i] = c.different_weights ? static_cast<real>(i % drawn_channels + 1) / 10 : real{0.25};
  return g;
}

}  // namespace

std::vector<RecallRow> study_figure2(const Figure2Settings& s, const StudyProgress& progress) {
  std::vector<RecallRow> rows;
  const int64_t total = std::ssize(s.lengths) * std::ssize(cases) * s.draws;
  int64_t done = 0;
  const Rng rng(static_cast<uint64_t>(s.seed));
  const uint64_t seed = static_cast<uint64_t>(s.seed);
  for (const Case& c : cases) {
    const Rng case_rng = rng.split(c.name);
    const Tensor corpus = draw_vectors(c, s.corpus, s.dim, case_rng.split("corpus"));
    std::vector<SearchMethodPtr> fixed{cascade_search(false), cascade_search(true)};
    if (with_hnsw) {
      fixed.push_back(hnsw_search(false));
      fixed.push_back(hnsw_search(true));
    }
    fixed.push_back(two_index_search(cascade_search(true)));
    fixed.push_back(lsh_cascade_search(64, seed));
    fixed.push_back(lsh_search(64 * drawn_channels, seed));
    const auto of_corpus = train_quantizer(corpus, s.sub_quantizers, s.centroids, seed);
    for (const bool coded : {true, false}) fixed.push_back(renamed(pq_search(of_corpus, coded, 1), ", corpus"));
    const double bits = static_cast<double>(s.sub_quantizers) * std::log2(static_cast<double>(s.centroids));
    for (const SearchMethodPtr& rival : residual_rivals(corpus, bits, 1, seed, s.steps)) fixed.push_back(rival);
    for (const int width : {8, 4}) {
      fixed.push_back(scalar_search(width, 1));
      fixed.push_back(scalar_search(width, width == 8 ? 1.25 : 4));
    }
    for (const int64_t length : s.lengths) {
      Tallies tallies;
      std::vector<SearchMethodPtr> methods;
      for (int64_t draw = 0; draw < s.draws; ++draw) {
        const Rng draw_rng = case_rng.split(static_cast<uint64_t>(length)).split(static_cast<uint64_t>(draw));
        Problem p{{draw_vectors(c, length, s.dim, draw_rng.split("keys")), weights(c, length), {}},
                  {draw_vectors(c, 1, s.dim, draw_rng.split("target")).reshape({drawn_channels, s.dim}),
                   weights(c, 1).reshape({drawn_channels})}};
        const auto own = train_quantizer(p.keys.channels, s.sub_quantizers, s.centroids, seed);
        methods = {renamed(pq_search(own, true, 1), ", own"), renamed(pq_search(own, false, 1), ", own")};
        methods.insert(methods.end(), fixed.begin(), fixed.end());
        measure(methods, p, s.ks, tallies);
        if (progress) progress(++done, total);
      }
      add_rows(rows, c.name, length, methods, tallies);
    }
  }
  return rows;
}

std::vector<RecallRow> study_table4(const SeminarModel& model, const Dataset& data, const Table4Settings& s,
                                    const StudyProgress& progress) {
  check(data.users() >= 4, "table4: needs at least 4 users, half of them held out: {}", data.users());
  const ChannelTables tables = channel_tables(model, data);
  std::vector<Tensor> all{tables.query};
  all.insert(all.end(), tables.item.begin(), tables.item.end());
  const int64_t count = std::ssize(all), d = tables.query.size(1);
  const Tensor folded = model.gsu.folded();
  const uint64_t seed = static_cast<uint64_t>(s.seed);
  const Rng rng(seed);

  struct Pairs {
    std::vector<int32_t> query, item;
  };
  const auto add_user = [&](Pairs& pairs, int64_t user) {
    const auto items = data.user_items(user), queries = data.user_queries(user);
    pairs.item.insert(pairs.item.end(), items.begin(), items.end());
    pairs.query.insert(pairs.query.end(), queries.begin(), queries.end());
  };
  const auto keys_of = [&](const Pairs& pairs) { return key_set(model, tables, pairs.query, pairs.item); };

  // Even places of a random order of users train the codebooks, odd ones are searched.
  const Permutation order(data.users(), rng.split("users"));
  Pairs corpus;
  std::vector<int64_t> held_out;
  for (int64_t i = 0; i < data.users(); ++i) i % 2 == 0 ? add_user(corpus, order(i)) : held_out.push_back(order(i));
  // Every channel's vectors once, as the codes are stored.
  const auto distinct = [](std::vector<int32_t> ids) {
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
  };
  std::vector<Tensor> distinct_vectors;
  for (int64_t c = 0; c < count; ++c)
    distinct_vectors.push_back(gather_rows("table4", all[c], Ids(distinct(c == 0 ? corpus.query : corpus.item))));
  // Codebooks of the channels as they are, or mapped by `map` [d, d].
  const auto codebooks = [&](const Tensor& map) {
    std::vector<ProductQuantizer> quantizers;
    for (int64_t c = 0; c < count; ++c)
      quantizers.push_back(
          ProductQuantizer::train(map.defined() ? matmul(distinct_vectors[c], map) : distinct_vectors[c],
                                  s.sub_quantizers, {s.centroids, 25, rng.split(static_cast<uint64_t>(c)).next()}));
    return std::make_shared<const MultimodalQuantizer>(std::move(quantizers));
  };
  const auto quantizer = codebooks({});

  Pairs sampled;  // for the residual rivals, which see behaviours as often as they occur
  const Permutation pick(std::ssize(corpus.item), rng.split("sample"));
  for (int64_t i = 0; i < std::min<int64_t>(s.corpus, std::ssize(corpus.item)); ++i) {
    sampled.query.push_back(corpus.query[pick(i)]);
    sampled.item.push_back(corpus.item[pick(i)]);
  }
  const double bits = static_cast<double>(s.sub_quantizers) * std::log2(static_cast<double>(s.centroids));
  const KeySet sampled_keys = keys_of(sampled);
  const Tensor points = sampled_keys.channels;
  // What targets look like: the sampled items without a query, folded.
  const KeySet sampled_targets = keys_of({std::vector<int32_t>(sampled.item.size(), 0), sampled.item});
  const ScoreTransform transform =
      score_transform(fused_keys(sampled_keys), matmul(fused_keys(sampled_targets), folded), s.sub_quantizers);
  const auto transformed = codebooks(transform.key);
  const Tensor mapped = matmul(points.reshape({-1, d}), transform.key).reshape(points.shape());
  std::vector<SearchMethodPtr> methods;
  for (const double candidates : {1.0, s.candidates}) {
    methods.push_back(pq_search(quantizer, true, candidates));
    methods.push_back(pq_search(quantizer, false, candidates));
    methods.push_back(transformed_search(pq_search(transformed, false, candidates), transform));
    for (const SearchMethodPtr& rival : residual_rivals(points, bits, candidates, seed, s.steps))
      methods.push_back(rival);
    for (const SearchMethodPtr& rival : residual_rivals(mapped, bits, candidates, seed, s.steps))
      methods.push_back(transformed_search(rival, transform));
    methods.push_back(scalar_search(4, candidates));
    methods.push_back(scalar_search(8, candidates));
  }
  for (const SearchMethodPtr& variant : pq_variants(distinct_vectors, s.sub_quantizers, s.centroids, seed))
    methods.push_back(variant);
  const int64_t lsh_bits = std::llround(bits * static_cast<double>(count));
  methods.push_back(lsh_search(lsh_bits, seed));
  methods.push_back(lsh_cascade_search(std::llround(bits), seed));
  methods.push_back(cascade_search(false));
  methods.push_back(cascade_search(true));
  methods.push_back(two_index_search(cascade_search(true)));
  if (with_hnsw) methods.push_back(hnsw_search(true));

  std::vector<RecallRow> rows;
  int64_t done = 0;
  for (const int64_t length : s.lengths) {
    Tallies tallies;
    for (int64_t draw = 0; draw < s.draws; ++draw) {
      Rng draw_rng = rng.split("draw").split(static_cast<uint64_t>(length)).split(static_cast<uint64_t>(draw));
      Pairs history;
      while (std::ssize(history.item) < length + 1)
        add_user(history, held_out[static_cast<std::size_t>(draw_rng.below(std::ssize(held_out)))]);
      history.query.resize(static_cast<std::size_t>(length) + 1);
      history.item.resize(static_cast<std::size_t>(length) + 1);
      // The target is one of the behaviours, taken out; it stands without a query, as in recommendation.
      const std::size_t at = static_cast<std::size_t>(draw_rng.below(length + 1));
      const Pairs target{{0}, {history.item[at]}};
      history.query.erase(history.query.begin() + static_cast<std::ptrdiff_t>(at));
      history.item.erase(history.item.begin() + static_cast<std::ptrdiff_t>(at));
      const KeySet own = keys_of(target);
      measure(methods, {keys_of(history), {own.channels.reshape({count, d}), own.gamma.reshape({count}), folded}}, s.ks,
              tallies);
      if (progress) progress(++done, std::ssize(s.lengths) * s.draws);
    }
    add_rows(rows, fmt::format("model trained on {}", data.info().kind), length, methods, tallies);
  }
  return rows;
}

}  // namespace seminar::inline SEMINAR_PRECISION
