#include "seminar/retrieval/retriever.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "pq/byte_scan.h"
#include "pq/code_index.h"
#include "pq/simhash.h"
#include "pq/topk.h"
#include "tensor/gemm.h"
#include "tensor/kernels.h"

#ifdef SEMINAR_HNSWLIB
#include <hnswlib/hnswlib.h>
#endif

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// The best of `candidates` by exact score.
std::vector<int32_t> rescore(const std::vector<int32_t>& candidates, const Tensor& keys, const Tensor& target,
                             int64_t k) {
  std::vector<int32_t> order = candidates;
  std::sort(order.begin(), order.end());  // so that ties go to the lower index
  std::vector<real> scores;
  scores.reserve(order.size());
  const int64_t d = keys.size(1);
  for (const int32_t l : order) scores.push_back(kernels().dot(d, keys.data() + l * d, target.data()));
  std::vector<int32_t> best;
  for (const int32_t i : top_k(scores, {}, k)) best.push_back(order[i]);
  return best;
}

// How many keys are scored again.
int64_t wide(double candidates, int64_t k) {
  return static_cast<int64_t>(std::ceil(candidates * static_cast<double>(k)));
}

// Methods that give every key a score and, if `candidates` > 1, score the best of them again exactly.
class ScoredIndex : public RetrievalIndex {
 public:
  ScoredIndex(const KeySet& keys, double candidates) : keys_(fused_keys(keys)), candidates_(candidates) {}
  std::vector<int32_t> top(const RetrievalTarget& target, int64_t k) const override {
    check(k >= 1, "retrieval: k must be at least 1: {}", k);
    if (keys_.size(0) == 0) return {};
    const Tensor fused = fused_target(target);
    const std::vector<real> first = scores(target, fused);
    if (candidates_ <= 1) return top_k(first, {}, k);
    return rescore(top_k(first, {}, wide(candidates_, k)), keys_, fused, k);
  }

 protected:
  virtual std::vector<real> scores(const RetrievalTarget& target, const Tensor& fused) const = 0;
  Tensor keys_;  // [L, d]
  double candidates_;
};

std::vector<real> products(const Tensor& keys, const Tensor& target) {
  std::vector<real> scores(static_cast<std::size_t>(keys.size(0)));
  for (int64_t l = 0; l < keys.size(0); ++l)
    scores[l] = kernels().dot(keys.size(1), keys.data() + l * keys.size(1), target.data());
  return scores;
}

template <class Index, class... Args>
std::unique_ptr<RetrievalIndex> make_index(Args&&... args) {
  return std::make_unique<Index>(std::forward<Args>(args)...);
}

// A method whose index is made by a function.
class SimpleRetriever : public Retriever {
 public:
  using Bytes = std::function<double(const KeySet&)>;
  using Make = std::function<std::unique_ptr<RetrievalIndex>(const KeySet&)>;
  SimpleRetriever(std::string name, Bytes bytes, Make make)
      : name_(std::move(name)), bytes_(std::move(bytes)), make_(std::move(make)) {}
  std::string name() const override { return name_; }
  double bytes_per_key(const KeySet& keys) const override { return bytes_(keys); }
  std::unique_ptr<RetrievalIndex> index(const KeySet& keys) const override {
    check(keys.channels.rank() == 3 && keys.gamma.shape() == Shape({keys.channels.size(0), keys.channels.size(1)}),
          "retrieval: channels {} with weights {}", keys.channels.shape(), keys.gamma.shape());
    return make_(keys);
  }

 private:
  std::string name_;
  Bytes bytes_;
  Make make_;
};

RetrieverPtr simple(std::string name, SimpleRetriever::Bytes bytes, SimpleRetriever::Make make) {
  return std::make_shared<SimpleRetriever>(std::move(name), std::move(bytes), std::move(make));
}

double channel_bytes(const KeySet& keys) {
  return static_cast<double>(keys.channels.size(1) * keys.channels.size(2) * 4);
}

struct ExactIndex : ScoredIndex {
  explicit ExactIndex(const KeySet& keys) : ScoredIndex(keys, 1) {}
  std::vector<real> scores(const RetrievalTarget&, const Tensor& fused) const override {
    return products(keys_, fused);
  }
};

struct RecentIndex : RetrievalIndex {
  explicit RecentIndex(const KeySet& keys) : length(keys.length()) {}
  std::vector<int32_t> top(const RetrievalTarget&, int64_t k) const override {
    std::vector<int32_t> last(static_cast<std::size_t>(std::min(k, length)));
    for (std::size_t i = 0; i < last.size(); ++i) last[i] = static_cast<int32_t>(length - 1 - static_cast<int64_t>(i));
    return last;
  }
  int64_t length;
};

struct RandomIndex : RetrievalIndex {
  RandomIndex(const KeySet& keys, uint64_t with) : length(keys.length()), seed(with) {}
  std::vector<int32_t> top(const RetrievalTarget&, int64_t k) const override {
    std::vector<int32_t> drawn;
    if (length == 0) return drawn;
    const Permutation order(length, Rng(seed));
    for (int64_t i = 0; i < std::min(k, length); ++i) drawn.push_back(static_cast<int32_t>(order(i)));
    return drawn;
  }
  int64_t length;
  uint64_t seed;
};

// Signs of the rows of one table on random planes.
struct SimHash {
  SimHash(const Tensor& rows, int64_t bits, Rng rng)
      : planes(hash_planes(bits, rows.size(1), rng)), signs(sign_codes(rows, planes)) {}
  // Minus the Hamming distance of every row to x [d].
  std::vector<real> scores(const Tensor& x) const {
    const SignCodes own = sign_codes(x.reshape({1, x.numel()}), planes);
    std::vector<real> negative_distance(signs.codes.size() / own.codes.size());
    for (std::size_t l = 0; l < negative_distance.size(); ++l)
      negative_distance[l] = static_cast<real>(-hamming(own.row(0), signs.row(static_cast<int64_t>(l))));
    return negative_distance;
  }
  Tensor planes;
  SignCodes signs;
};

struct LshIndex : ScoredIndex {
  LshIndex(const KeySet& keys, int64_t bits, uint64_t seed) : ScoredIndex(keys, 1), hash(keys_, bits, Rng(seed)) {}
  std::vector<real> scores(const RetrievalTarget&, const Tensor& fused) const override { return hash.scores(fused); }
  SimHash hash;
};

std::span<const real> numbers(const Tensor& x) { return {x.data(), static_cast<std::size_t>(x.numel())}; }

struct ScalarIndex : ScoredIndex {
  ScalarIndex(const KeySet& keys, int bits, double candidates) : ScoredIndex(keys, candidates), bytes(keys_, bits) {}
  std::vector<int32_t> top(const RetrievalTarget& target, int64_t k) const override {
    if (candidates_ <= 1 || keys_.size(0) == 0) return ScoredIndex::top(target, k);
    check(k >= 1, "retrieval: k must be at least 1: {}", k);
    std::vector<real> scores(static_cast<std::size_t>(bytes.scores_size()));
    std::vector<Found> found(static_cast<std::size_t>(bytes.length()));
    const Tensor fused = fused_target(target);
    const int64_t count = bytes.top(numbers(fused), keys_, k, wide(candidates_, k), scores.data(), found.data());
    std::vector<int32_t> best;
    for (int64_t i = 0; i < count; ++i) best.push_back(found[i].position);
    return best;
  }
  std::vector<real> scores(const RetrievalTarget&, const Tensor& fused) const override {
    std::vector<real> all(static_cast<std::size_t>(bytes.scores_size()));
    bytes.scores(numbers(fused), all.data());
    all.resize(static_cast<std::size_t>(bytes.length()));
    return all;
  }
  ByteKeys bytes;
};

// The k nearest of a channel's vectors; `distance`: by squared distance, else by inner product.
class CascadeIndex : public RetrievalIndex {
 public:
  CascadeIndex(const KeySet& keys, bool inner_product) : keys_(fused_keys(keys)), inner_product_(inner_product) {
    const int64_t length = keys.length(), d = keys.channels.size(2);
    for (int64_t c = 0; c < keys.channels.size(1); ++c)
      channels_.push_back(keys.channels.slice(1, c, c + 1).contiguous().reshape({length, d}));
  }
  std::vector<int32_t> top(const RetrievalTarget& target, int64_t k) const override {
    check(k >= 1, "retrieval: k must be at least 1: {}", k);
    if (keys_.size(0) == 0) return {};
    std::set<int32_t> found;
    const int64_t d = keys_.size(1);
    const Tensor asked = target.channels.contiguous();
    for (int64_t i = 0; i < asked.size(0); ++i)
      for (std::size_t j = 0; j < channels_.size(); ++j)
        for (const int32_t l : search(j, asked.data() + i * d, k)) found.insert(l);
    return rescore({found.begin(), found.end()}, keys_, fused_target(target), k);
  }

 protected:
  virtual std::vector<int32_t> search(std::size_t channel, const real* asked, int64_t k) const {
    const Tensor& x = channels_[channel];
    const int64_t d = x.size(1);
    std::vector<real> scores(static_cast<std::size_t>(x.size(0)));
    for (int64_t l = 0; l < x.size(0); ++l) {
      const real* row = x.data() + l * d;
      scores[l] = kernels().dot(d, row, asked);
      if (!inner_product_) scores[l] = 2 * scores[l] - kernels().dot(d, row, row);  // -|asked - x|² and a constant
    }
    return top_k(scores, {}, k);
  }
  Tensor keys_;
  std::vector<Tensor> channels_;
  bool inner_product_;
};

class LshCascadeIndex : public CascadeIndex {
 public:
  LshCascadeIndex(const KeySet& keys, int64_t bits, uint64_t seed) : CascadeIndex(keys, true) {
    for (std::size_t c = 0; c < channels_.size(); ++c) hashes_.emplace_back(channels_[c], bits, Rng(seed).split(c));
  }

 private:
  std::vector<int32_t> search(std::size_t channel, const real* asked, int64_t k) const override {
    const std::span<const real> x(asked, static_cast<std::size_t>(keys_.size(1)));
    return top_k(hashes_[channel].scores(Tensor::from({keys_.size(1)}, x)), {}, k);
  }
  std::vector<SimHash> hashes_;
};

#ifdef SEMINAR_HNSWLIB
class HnswIndex : public CascadeIndex {
 public:
  HnswIndex(const KeySet& keys, bool inner_product) : CascadeIndex(keys, inner_product) {
    const std::size_t d = static_cast<std::size_t>(keys_.size(1));
    if (inner_product)
      space_ = std::make_unique<hnswlib::InnerProductSpace>(d);
    else
      space_ = std::make_unique<hnswlib::L2Space>(d);
    for (const Tensor& x : channels_) {
      auto graph = std::make_unique<hnswlib::HierarchicalNSW<float>>(space_.get(), std::max<int64_t>(1, x.size(0)),
                                                                     links, effort_building);
      std::vector<float> row(d);
      for (int64_t l = 0; l < x.size(0); ++l) {
        std::copy_n(x.data() + l * static_cast<int64_t>(d), d, row.begin());
        graph->addPoint(row.data(), static_cast<hnswlib::labeltype>(l));
      }
      graphs_.push_back(std::move(graph));
    }
  }

 private:
  static constexpr std::size_t links = 16, effort_building = 200;
  std::vector<int32_t> search(std::size_t channel, const real* asked, int64_t k) const override {
    auto& graph = *graphs_[channel];
    const std::size_t count = std::min<std::size_t>(static_cast<std::size_t>(k), graph.cur_element_count);
    graph.setEf(2 * count);
    const std::vector<float> row(asked, asked + keys_.size(1));
    auto found = graph.searchKnn(row.data(), count);
    std::vector<int32_t> labels;
    for (; !found.empty(); found.pop()) labels.push_back(static_cast<int32_t>(found.top().second));
    return labels;
  }
  std::unique_ptr<hnswlib::SpaceInterface<float>> space_;
  std::vector<std::unique_ptr<hnswlib::HierarchicalNSW<float>>> graphs_;
};
#endif

class PqIndex : public RetrievalIndex {
 public:
  PqIndex(const KeySet& keys, std::shared_ptr<const MultimodalQuantizer> q, bool coded, double candidates)
      : keys_(fused_keys(keys)),
        candidates_(candidates),
        quantizer_(std::move(q)),
        target_coded_(coded),
        codes_(keys.codes.empty() ? quantizer_->encode(keys.channels) : keys.codes, std::ssize(quantizer_->channels()),
               quantizer_->channels()[0].sub_quantizers(), quantizer_->channels()[0].centroids(), keys.gamma) {}
  std::vector<int32_t> top(const RetrievalTarget& target, int64_t k) const override {
    check(k >= 1, "retrieval: k must be at least 1: {}", k);
    const int64_t c = target.channels.size(0), d = target.channels.size(1);
    Tensor asked = target.channels;
    if (target_coded_) asked = quantizer_->decode(quantizer_->encode(asked.reshape({1, c, d}))).reshape({c, d});
    const Tensor table = quantizer_->channel_table(fused_target({asked, target.gamma}));
    const bool again = candidates_ > 1;
    std::vector<int32_t> best;
    for (const Found& f : codes_.top(table, again ? wide(candidates_, k) : k)) best.push_back(f.position);
    return again ? rescore(best, keys_, fused_target(target), k) : best;
  }

 private:
  Tensor keys_;
  double candidates_;
  std::shared_ptr<const MultimodalQuantizer> quantizer_;
  bool target_coded_;
  CodeIndex codes_;
};

struct DecodedIndex : ScoredIndex {
  DecodedIndex(const KeySet& keys, double candidates, const std::function<Tensor(int64_t, const Tensor&)>& decode)
      : ScoredIndex(keys, candidates) {
    KeySet remembered{Tensor::empty(keys.channels.shape()), keys.gamma};
    const int64_t length = keys.length(), channels = keys.channels.size(1), d = keys.channels.size(2);
    real* out = remembered.channels.write();
    for (int64_t c = 0; c < channels; ++c) {
      const Tensor x = decode(c, keys.channels.slice(1, c, c + 1).contiguous().reshape({length, d})).contiguous();
      for (int64_t l = 0; l < length; ++l) std::copy_n(x.data() + l * d, d, out + (l * channels + c) * d);
    }
    decoded = fused_keys(remembered);
  }
  std::vector<real> scores(const RetrievalTarget&, const Tensor& fused) const override {
    return products(decoded, fused);
  }
  Tensor decoded;
};

double pq_bits(const MultimodalQuantizer& q) {
  return static_cast<double>(std::ssize(q.channels()) * q.channels()[0].sub_quantizers()) *
         std::log2(static_cast<double>(q.channels()[0].centroids()));
}

}  // namespace

Tensor fused_keys(const KeySet& keys) {
  const int64_t length = keys.channels.size(0), channels = keys.channels.size(1), d = keys.channels.size(2);
  const Tensor x = keys.channels.contiguous(), g = keys.gamma.contiguous();
  Tensor fused = Tensor::zeros({length, d});
  real* y = fused.write();
  for (int64_t l = 0; l < length; ++l)
    for (int64_t c = 0; c < channels; ++c)
      kernels().axpy(d, g.data()[l * channels + c], x.data() + (l * channels + c) * d, y + l * d);
  return fused;
}

Tensor fused_target(const RetrievalTarget& target) {
  const int64_t channels = target.channels.size(0), d = target.channels.size(1);
  return fused_keys({target.channels.reshape({1, channels, d}), target.gamma.reshape({1, channels})}).reshape({d});
}

RetrieverPtr exact_retriever() {
  return simple(
      "exact", [](const KeySet& keys) { return static_cast<double>(keys.channels.size(2) * 4); },
      [](const KeySet& keys) { return make_index<ExactIndex>(keys); });
}

RetrieverPtr recent_retriever() {
  return simple(
      "recent", [](const KeySet&) { return 0.0; }, [](const KeySet& keys) { return make_index<RecentIndex>(keys); });
}

RetrieverPtr random_retriever(uint64_t seed) {
  return simple(
      "random", [](const KeySet&) { return 0.0; },
      [seed](const KeySet& keys) { return make_index<RandomIndex>(keys, seed); });
}

RetrieverPtr lsh_retriever(int64_t bits, uint64_t seed) {
  check(bits >= 1 && bits <= 4096, "lsh: from 1 to 4096 bits: {}", bits);
  return simple(
      fmt::format("LSH {} bits", bits), [bits](const KeySet&) { return static_cast<double>(bits) / 8; },
      [=](const KeySet& keys) { return make_index<LshIndex>(keys, bits, seed); });
}

RetrieverPtr scalar_retriever(int bits, double candidates) {
  check(bits == 4 || bits == 8, "scalar quantizer: 4 or 8 bits: {}", bits);
  return simple(
      fmt::format("int{}{}", bits, candidates > 1 ? fmt::format(" + exact {:g} K", candidates) : ""),
      [bits](const KeySet& keys) { return static_cast<double>(keys.channels.size(2) * bits) / 8 + 4; },
      [=](const KeySet& keys) { return make_index<ScalarIndex>(keys, bits, candidates); });
}

RetrieverPtr cascade_retriever(bool inner_product) {
  return simple(inner_product ? "cascade IP" : "cascade L2", channel_bytes,
                [=](const KeySet& keys) { return make_index<CascadeIndex>(keys, inner_product); });
}

RetrieverPtr lsh_cascade_retriever(int64_t bits, uint64_t seed) {
  check(bits >= 1 && bits <= 4096, "lsh: from 1 to 4096 bits: {}", bits);
  return simple(
      fmt::format("cascade LSH {} bits", bits),
      [bits](const KeySet& keys) { return static_cast<double>(bits * keys.channels.size(1)) / 8; },
      [=](const KeySet& keys) { return make_index<LshCascadeIndex>(keys, bits, seed); });
}

RetrieverPtr hnsw_retriever([[maybe_unused]] bool inner_product) {
#ifdef SEMINAR_HNSWLIB
  return simple(inner_product ? "cascade HNSW IP" : "cascade HNSW L2", channel_bytes,
                [=](const KeySet& keys) { return make_index<HnswIndex>(keys, inner_product); });
#else
  fail("hnsw: this program was built without hnswlib (Debian: libhnswlib-dev)");
#endif
}

RetrieverPtr pq_retriever(const std::shared_ptr<const MultimodalQuantizer>& quantizer, bool target_coded,
                          double candidates) {
  const double bits = pq_bits(*quantizer);
  const ProductQuantizer& first = quantizer->channels()[0];
  return simple(
      fmt::format("PQ {} x {}{}{}", first.sub_quantizers(), first.centroids(), target_coded ? ", target coded" : "",
                  candidates > 1 ? fmt::format(" + exact {:g} K", candidates) : ""),
      [bits](const KeySet&) { return bits / 8; },
      [=](const KeySet& keys) { return make_index<PqIndex>(keys, quantizer, target_coded, candidates); });
}

RetrieverPtr transformed_retriever(const RetrieverPtr& method, const ScoreTransform& transform) {
  struct Index : RetrievalIndex {
    std::unique_ptr<RetrievalIndex> inner;
    Tensor map;
    std::vector<int32_t> top(const RetrievalTarget& target, int64_t k) const override {
      return inner->top({matmul(target.channels, map), target.gamma}, k);
    }
  };
  return simple(
      method->name() + ", score transform", [method](const KeySet& keys) { return method->bytes_per_key(keys); },
      [method, transform](const KeySet& keys) {
        const int64_t length = keys.length(), channels = keys.channels.size(1), d = keys.channels.size(2);
        auto index = std::make_unique<Index>();
        const Tensor mapped = matmul(keys.channels.reshape({length * channels, d}), transform.key);
        index->inner = method->index({mapped.reshape({length, channels, d}), keys.gamma, keys.codes});
        index->map = transform.target;
        return index;
      });
}

RetrieverPtr decoded_retriever(std::string name, double bits_per_key, double candidates,
                               std::function<Tensor(int64_t, const Tensor&)> decode) {
  return simple(
      std::move(name), [=](const KeySet&) { return bits_per_key / 8; },
      [candidates, decode = std::move(decode)](const KeySet& keys) {
        return make_index<DecodedIndex>(keys, candidates, decode);
      });
}

}  // namespace seminar::inline SEMINAR_PRECISION
