#include <algorithm>
#include <cmath>

#include "pq/code_index.h"
#include "seminar/retrieval/search_parts.h"
#include "tensor/gemm.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

class PqIndex : public SearchIndex {
 public:
  PqIndex(const KeySet& keys, std::shared_ptr<const MultimodalQuantizer> q, bool coded, double candidates)
      : keys_(fused_keys(keys)),
        candidates_(candidates),
        quantizer_(std::move(q)),
        target_coded_(coded),
        codes_(keys.codes.empty() ? quantizer_->encode(keys.channels) : keys.codes, std::ssize(quantizer_->channels()),
               quantizer_->channels()[0].sub_quantizers(), quantizer_->channels()[0].centroids(), keys.gamma) {}
  std::vector<int32_t> best(const SearchTarget& target, int64_t k) const override {
    const int64_t c = target.channels.size(0), d = target.channels.size(1);
    Tensor asked = target.channels;
    if (target_coded_) asked = quantizer_->decode(quantizer_->encode(asked.reshape({1, c, d}))).reshape({c, d});
    const Tensor table = quantizer_->channel_table(fused_target({asked, target.gamma, target.fold}));
    const bool again = candidates_ > 1;
    std::vector<int32_t> best;
    for (const Found& f : codes_.top(table, again ? candidate_count(candidates_, k) : k)) best.push_back(f.position);
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
  std::vector<real> scores(const SearchTarget&, const Tensor& fused) const override { return products(decoded, fused); }
  Tensor decoded;
};

double pq_bits(const MultimodalQuantizer& q) {
  return static_cast<double>(std::ssize(q.channels()) * q.channels()[0].sub_quantizers()) *
         std::log2(static_cast<double>(q.channels()[0].centroids()));
}

}  // namespace

SearchMethodPtr pq_search(const std::shared_ptr<const MultimodalQuantizer>& quantizer, bool target_coded,
                          double candidates) {
  const double bits = pq_bits(*quantizer);
  const ProductQuantizer& first = quantizer->channels()[0];
  return simple_method(
      fmt::format("PQ {} x {}{}{}", first.sub_quantizers(), first.centroids(), target_coded ? ", target coded" : "",
                  candidates > 1 ? fmt::format(" + exact {:g} K", candidates) : ""),
      [bits](const KeySet&) { return bits / 8; },
      [=](const KeySet& keys) { return make_index<PqIndex>(keys, quantizer, target_coded, candidates); });
}

SearchMethodPtr transformed_search(const SearchMethodPtr& method, const ScoreTransform& transform) {
  struct Index : SearchIndex {
    std::unique_ptr<SearchIndex> inner;
    Tensor map;
    std::vector<int32_t> best(const SearchTarget& target, int64_t k) const override {
      return inner->top({target.channels, target.gamma, target.fold.defined() ? matmul(target.fold, map) : map}, k);
    }
  };
  return simple_method(
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

SearchMethodPtr decoded_search(std::string name, double bits_per_key, double candidates,
                               std::function<Tensor(int64_t, const Tensor&)> decode) {
  return simple_method(
      std::move(name), [=](const KeySet&) { return bits_per_key / 8; },
      [candidates, decode = std::move(decode)](const KeySet& keys) {
        return make_index<DecodedIndex>(keys, candidates, decode);
      });
}

}  // namespace seminar::inline SEMINAR_PRECISION
