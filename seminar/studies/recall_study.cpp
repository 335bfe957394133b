#include "seminar/studies/recall_study.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <unordered_set>

#include "seminar/retrieval/rq_vae.h"
#include "tensor/gemm.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

struct Problem {
  KeySet keys;
  RetrievalTarget target;
};

// Recall and time of one method at one K over the draws.
struct Tally {
  std::vector<double> recall;
  double seconds = 0, bytes = 0;
};

using Tallies = std::map<std::pair<std::size_t, int64_t>, Tally>;  // by method and K

void measure(const std::vector<RetrieverPtr>& methods, const Problem& problem, std::span<const int64_t> ks,
             Tallies& tallies) {
  const auto exact = exact_retriever()->index(problem.keys);
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
              const std::vector<RetrieverPtr>& methods, const Tallies& tallies) {
  for (const auto& [key, t] : tallies) {
    const double n = static_cast<double>(t.recall.size());
    double mean = 0, square = 0;
    for (const double r : t.recall) mean += r / n;
    for (const double r : t.recall) square += (r - mean) * (r - mean);
    rows.push_back({setting, methods[key.first]->name(), length, key.second, mean,
                    n > 1 ? std::sqrt(square / (n - 1) / n) : 0, t.seconds / n * 1e6, t.bytes});
  }
}

// The same method under a longer name.
class Renamed : public Retriever {
 public:
  Renamed(RetrieverPtr method, std::string suffix) : method_(std::move(method)), suffix_(std::move(suffix)) {}
  std::string name() const override { return method_->name() + suffix_; }
  double bytes_per_key(const KeySet& keys) const override { return method_->bytes_per_key(keys); }
  std::unique_ptr<RetrievalIndex> index(const KeySet& keys) const override { return method_->index(keys); }

 private:
  RetrieverPtr method_;
  std::string suffix_;
};

RetrieverPtr renamed(RetrieverPtr method, const std::string& suffix) {
  return std::make_shared<Renamed>(std::move(method), suffix);
}

Tensor channel_of(const Tensor& x, int64_t c) {
  return x.slice(1, c, c + 1).contiguous().reshape({x.size(0), x.size(2)});
}

// Codebooks trained on vectors [n, C, d].
std::shared_ptr<const MultimodalQuantizer> train_quantizer(const Tensor& x, int64_t sub_quantizers, int64_t centroids,
                                                           uint64_t seed) {
  std::vector<ProductQuantizer> channels;
  for (int64_t c = 0; c < x.size(1); ++c)
    channels.push_back(ProductQuantizer::train(channel_of(x, c), sub_quantizers,
                                               {centroids, 25, Rng(seed).split(static_cast<uint64_t>(c)).next()}));
  return std::make_shared<MultimodalQuantizer>(std::move(channels));
}

// Residual k-means and RQ-VAE per channel, trained on vectors [n, C, d], of `bits` a channel.
std::vector<RetrieverPtr> residual_rivals(const Tensor& x, double bits, double candidates, const RecallSettings& s) {
  ResidualOptions residual;
  residual.centroids = 256;
  residual.levels = std::max<int64_t>(1, std::llround(bits / 8));
  residual.seed = static_cast<uint64_t>(s.seed);
  RqVaeOptions vae;
  static_cast<ResidualOptions&>(vae) = residual;
  vae.steps = s.steps;
  vae.latent = x.size(2);
  vae.hidden = 4 * x.size(2);
  auto plain = std::make_shared<std::vector<ResidualQuantizer>>();
  auto trained = std::make_shared<std::vector<RqVae>>();
  for (int64_t c = 0; c < x.size(1); ++c) {
    const Tensor points = channel_of(x, c);
    plain->emplace_back(points, residual);
    trained->push_back(train_rq_vae(points, vae));
  }
  const double total = static_cast<double>(x.size(1)) * (*plain)[0].bits();
  const std::string size = fmt::format(" {} x {}", residual.levels, residual.centroids);
  const std::string pass = candidates > 1 ? fmt::format(" + exact {:g} K", candidates) : "";
  return {decoded_retriever("residual k-means" + size + pass, total, candidates,
                            [plain](int64_t c, const Tensor& v) { return (*plain)[c].decode(v); }),
          decoded_retriever("RQ-VAE" + size + pass, total, candidates,
                            [trained](int64_t c, const Tensor& v) { return (*trained)[c].decode(v); })};
}

// Length of every row of x [n, d].
std::vector<real> row_norms(const Tensor& x) {
  std::vector<real> norms;
  for (int64_t r = 0; r < x.size(0); ++r) {
    real square = 0;
    for (int64_t i = 0; i < x.size(1); ++i) square += x.at({r, i}) * x.at({r, i});
    norms.push_back(std::sqrt(square));
  }
  return norms;
}

Tensor scaled_rows(const Tensor& x, const std::vector<real>& by, bool divide) {
  Tensor out = x.clone();
  real* y = out.write();
  for (int64_t i = 0; i < x.numel(); ++i) {
    const real s = by[i / x.size(1)];
    y[i] = divide ? y[i] / std::max(s, real{1e-20}) : y[i] * s;
  }
  return out;
}

// Two variants of PQ on vectors of each channel: unit vectors with the norm kept apart (4 bytes), as the paper's
// decomposition suggests; and two levels of half the sub-quantizers each, the second coding what the first left over.
std::vector<RetrieverPtr> pq_variants(const std::vector<Tensor>& vectors, int64_t sub_quantizers, int64_t centroids,
                                      uint64_t seed) {
  auto unit = std::make_shared<std::vector<ProductQuantizer>>();
  auto levels = std::make_shared<std::vector<std::pair<ProductQuantizer, ProductQuantizer>>>();
  const int64_t half = std::max<int64_t>(1, sub_quantizers / 2);
  for (std::size_t c = 0; c < vectors.size(); ++c) {
    const Tensor& x = vectors[c];
    const KMeansOptions options{centroids, 25, Rng(seed).split(c).next()};
    unit->push_back(ProductQuantizer::train(scaled_rows(x, row_norms(x), true), sub_quantizers, options));
    const ProductQuantizer first = ProductQuantizer::train(x, half, options);
    const Tensor rest = binary("residual", Binary::sub, x, first.decode(first.encode(x)));
    levels->push_back({first, ProductQuantizer::train(rest, half, options)});
  }
  const double channels = static_cast<double>(vectors.size()), code = std::log2(static_cast<double>(centroids));
  return {decoded_retriever(fmt::format("PQ {} x {}, norms apart", sub_quantizers, centroids),
                            channels * (static_cast<double>(sub_quantizers) * code + 32), 1,
                            [unit](int64_t c, const Tensor& x) {
                              const std::vector<real> norms = row_norms(x);
                              const ProductQuantizer& q = (*unit)[c];
                              return scaled_rows(q.decode(q.encode(scaled_rows(x, norms, true))), norms, false);
                            }),
          decoded_retriever(fmt::format("PQ 2 levels of {} x {}", half, centroids),
                            channels * 2 * static_cast<double>(half) * code, 1, [levels](int64_t c, const Tensor& x) {
                              const auto& [first, second] = (*levels)[c];
                              const Tensor coarse = first.decode(first.encode(x));
                              const Tensor rest = binary("residual", Binary::sub, x, coarse);
                              return binary("residual", Binary::add, coarse, second.decode(second.encode(rest)));
                            })};
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
    std::vector<RetrieverPtr> fixed{cascade_retriever(false), cascade_retriever(true)};
    if (with_hnsw) {
      fixed.push_back(hnsw_retriever(false));
      fixed.push_back(hnsw_retriever(true));
    }
    fixed.push_back(lsh_cascade_retriever(64, seed));
    fixed.push_back(lsh_retriever(64 * drawn_channels, seed));
    const auto of_corpus = train_quantizer(corpus, s.sub_quantizers, s.centroids, seed);
    for (const bool coded : {true, false}) fixed.push_back(renamed(pq_retriever(of_corpus, coded, 1), ", corpus"));
    const double bits = static_cast<double>(s.sub_quantizers) * std::log2(static_cast<double>(s.centroids));
    for (const RetrieverPtr& rival : residual_rivals(corpus, bits, 1, s)) fixed.push_back(rival);
    for (const int width : {8, 4}) {
      fixed.push_back(scalar_retriever(width, 1));
      fixed.push_back(scalar_retriever(width, width == 8 ? 1.25 : 4));
    }
    for (const int64_t length : s.lengths) {
      Tallies tallies;
      std::vector<RetrieverPtr> methods;
      for (int64_t draw = 0; draw < s.draws; ++draw) {
        const Rng draw_rng = case_rng.split(static_cast<uint64_t>(length)).split(static_cast<uint64_t>(draw));
        Problem p{{draw_vectors(c, length, s.dim, draw_rng.split("keys")), weights(c, length), {}},
                  {draw_vectors(c, 1, s.dim, draw_rng.split("target")).reshape({drawn_channels, s.dim}),
                   weights(c, 1).reshape({drawn_channels})}};
        const auto own = train_quantizer(p.keys.channels, s.sub_quantizers, s.centroids, seed);
        methods = {renamed(pq_retriever(own, true, 1), ", own"), renamed(pq_retriever(own, false, 1), ", own")};
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
  std::vector<RetrieverPtr> methods;
  for (const double candidates : {1.0, s.candidates}) {
    methods.push_back(pq_retriever(quantizer, true, candidates));
    methods.push_back(pq_retriever(quantizer, false, candidates));
    methods.push_back(transformed_retriever(pq_retriever(transformed, false, candidates), transform));
    for (const RetrieverPtr& rival : residual_rivals(points, bits, candidates, s)) methods.push_back(rival);
    for (const RetrieverPtr& rival : residual_rivals(mapped, bits, candidates, s))
      methods.push_back(transformed_retriever(rival, transform));
    methods.push_back(scalar_retriever(4, candidates));
    methods.push_back(scalar_retriever(8, candidates));
  }
  for (const RetrieverPtr& variant : pq_variants(distinct_vectors, s.sub_quantizers, s.centroids, seed))
    methods.push_back(variant);
  const int64_t lsh_bits = std::llround(bits * static_cast<double>(count));
  methods.push_back(lsh_retriever(lsh_bits, seed));
  methods.push_back(lsh_cascade_retriever(std::llround(bits), seed));
  methods.push_back(cascade_retriever(false));
  methods.push_back(cascade_retriever(true));
  if (with_hnsw) methods.push_back(hnsw_retriever(true));

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
      measure(methods,
              {keys_of(history), {matmul(own.channels.reshape({count, d}), folded), own.gamma.reshape({count})}}, s.ks,
              tallies);
      if (progress) progress(++done, std::ssize(s.lengths) * s.draws);
    }
    add_rows(rows, fmt::format("model trained on {}", data.info().kind), length, methods, tallies);
  }
  return rows;
}

}  // namespace seminar::inline SEMINAR_PRECISION
