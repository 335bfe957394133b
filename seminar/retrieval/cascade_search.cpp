#include <algorithm>
#include <set>

#include "pq/topk.h"
#include "seminar/retrieval/search_parts.h"
#include "tensor/kernels.h"

#ifdef SEMINAR_HNSWLIB
#include <hnswlib/hnswlib.h>
#endif

namespace seminar::inline SEMINAR_PRECISION {
namespace {

double channel_bytes(const KeySet& keys) {
  return static_cast<double>(keys.channels.size(1) * keys.channels.size(2) * 4);
}

// The k nearest of a channel's vectors; `distance`: by squared distance, else by inner product.
class CascadeIndex : public SearchIndex {
 public:
  CascadeIndex(const KeySet& keys, bool inner_product) : keys_(fused_keys(keys)), inner_product_(inner_product) {
    const int64_t length = keys.length(), d = keys.channels.size(2);
    for (int64_t c = 0; c < keys.channels.size(1); ++c)
      channels_.push_back(keys.channels.slice(1, c, c + 1).contiguous().reshape({length, d}));
  }
  std::vector<int32_t> best(const SearchTarget& target, int64_t k) const override {
    if (keys_.size(0) == 0) return {};
    std::set<int32_t> found;
    const int64_t d = keys_.size(1);
    const Tensor asked = folded_channels(target);
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

// The query's channel, and the item's channels fused to one by their shares of 1 - γ_query.
KeySet query_and_item(const KeySet& keys) {
  const int64_t length = keys.length(), channels = keys.channels.size(1), d = keys.channels.size(2);
  const Tensor x = keys.channels.contiguous(), g = keys.gamma.contiguous();
  KeySet two{Tensor::zeros({length, 2, d}), Tensor::zeros({length, 2})};
  real *y = two.channels.write(), *gamma = two.gamma.write();
  for (int64_t l = 0; l < length; ++l) {
    const real* weights = g.data() + l * channels;
    const real* from = x.data() + l * channels * d;
    gamma[2 * l] = weights[0];
    for (int64_t c = 1; c < channels; ++c) gamma[2 * l + 1] += weights[c];
    std::copy_n(from, d, y + 2 * l * d);
    for (int64_t c = 1; c < channels && gamma[2 * l + 1] != 0; ++c)
      kernels().axpy(d, weights[c] / gamma[2 * l + 1], from + c * d, y + (2 * l + 1) * d);
  }
  return two;
}

}  // namespace

SearchMethodPtr cascade_search(bool inner_product) {
  return simple_method(inner_product ? "cascade IP" : "cascade L2", channel_bytes,
                       [=](const KeySet& keys) { return make_index<CascadeIndex>(keys, inner_product); });
}

SearchMethodPtr two_index_search(const SearchMethodPtr& method) {
  struct Index : SearchIndex {
    std::unique_ptr<SearchIndex> inner;
    std::vector<int32_t> best(const SearchTarget& target, int64_t k) const override {
      const int64_t channels = target.channels.size(0), d = target.channels.size(1);
      const KeySet two =
          query_and_item({target.channels.reshape({1, channels, d}), target.gamma.reshape({1, channels})});
      return inner->top({two.channels.reshape({2, d}), two.gamma.reshape({2}), target.fold}, k);
    }
  };
  return simple_method(
      method->name() + ", two indexes",
      [method](const KeySet& keys) { return method->bytes_per_key(query_and_item(keys)); },
      [method](const KeySet& keys) {
        auto index = std::make_unique<Index>();
        index->inner = method->index(query_and_item(keys));
        return index;
      });
}

SearchMethodPtr lsh_cascade_search(int64_t bits, uint64_t seed) {
  check(bits >= 1 && bits <= 4096, "lsh: from 1 to 4096 bits: {}", bits);
  return simple_method(
      fmt::format("cascade LSH {} bits", bits),
      [bits](const KeySet& keys) { return static_cast<double>(bits * keys.channels.size(1)) / 8; },
      [=](const KeySet& keys) { return make_index<LshCascadeIndex>(keys, bits, seed); });
}

SearchMethodPtr hnsw_search([[maybe_unused]] bool inner_product) {
#ifdef SEMINAR_HNSWLIB
  return simple_method(inner_product ? "cascade HNSW IP" : "cascade HNSW L2", channel_bytes,
                       [=](const KeySet& keys) { return make_index<HnswIndex>(keys, inner_product); });
#else
  fail("hnsw: this program was built without hnswlib (Debian: libhnswlib-dev)");
#endif
}

}  // namespace seminar::inline SEMINAR_PRECISION
