#include "seminar/retrieval/batch_retriever.h"

#include <algorithm>

#include "tensor/gemm.h"
#include "tensor/parallel.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

using Code = MultimodalQuantizer::Code;
constexpr double int8_candidates = 1.25, int4_candidates = 4;
constexpr int64_t lsh_bits = 64;

// Searches every user's history by itself.
class MethodRetriever : public BatchRetriever {
 public:
  MethodRetriever(SearchMethodPtr method, std::shared_ptr<const QuantizedChannels> stored)
      : method_(std::move(method)), stored_(std::move(stored)) {}

  Retrieved retrieve(const Batch& batch, const Channels& channels, const Tensor& target_weights,
                     const Tensor& history_weights, const Tensor& folded, int64_t k) const override {
    const int64_t rows = batch.size(), length = batch.length(), candidates = batch.candidates(),
                  kept = std::min(k, length), count = std::ssize(channels.item) + 1, d = folded.size(0);
    const std::vector<Tensor> keys = tables(channels);
    std::vector<Tensor> asked;  // x W folded into the target's side
    asked.reserve(keys.size());
    for (const Tensor& t : keys) asked.push_back(matmul(t, folded));
    Retrieved out{kept, std::vector<int32_t>(static_cast<std::size_t>(rows * candidates * kept), 0),
                  Tensor::zeros({rows * candidates, kept})};
    real* keep = out.mask.write();
    const Tensor mask = batch.mask.contiguous(), gamma = history_weights.contiguous(),
                 own = target_weights.contiguous();
    const auto channel_row = [&](const std::vector<Tensor>& from, const PairIds& pairs, int64_t pair, int64_t c) {
      return from[c].data() + int64_t{c == 0 ? pairs.query[pair] : pairs.item[pair]} * d;
    };
    parallel_for(rows, 1, [&](int64_t b, int64_t) {
      // Behaviours come first, padding last.
      int64_t real_length = 0;
      while (real_length < length && mask.data()[b * length + real_length] != 0) ++real_length;
      if (real_length == 0) return;
      KeySet set{Tensor::empty({real_length, count, d}), Tensor::empty({real_length, count}), {}};
      real *x = set.channels.write(), *g = set.gamma.write();
      for (int64_t l = 0; l < real_length; ++l)
        for (int64_t c = 0; c < count; ++c) {
          const int64_t pair = b * length + l;
          std::copy_n(channel_row(keys, batch.history, pair, c), d, x + (l * count + c) * d);
          g[l * count + c] = gamma.data()[pair * count + c];
          if (stored_) append_codes(set.codes, batch, pair, c);
        }
      const std::unique_ptr<SearchIndex> index = method_->index(set);
      for (int64_t t = 0; t < candidates; ++t) {
        const int64_t pair = b * candidates + t;
        SearchTarget target{Tensor::empty({count, d}), Tensor::empty({count})};
        real *tx = target.channels.write(), *tg = target.gamma.write();
        for (int64_t c = 0; c < count; ++c) {
          std::copy_n(channel_row(asked, batch.targets, pair, c), d, tx + c * d);
          tg[c] = own.data()[pair * count + c];
        }
        const std::vector<int32_t> best = index->top(target, kept);
        std::copy(best.begin(), best.end(), out.positions.begin() + pair * kept);
        std::fill_n(keep + pair * kept, best.size(), real{1});
      }
    });
    return out;
  }

 private:
  static std::vector<Tensor> tables(const Channels& channels) {
    std::vector<Tensor> all{channels.query.value().contiguous()};
    for (const Var& v : channels.item) all.push_back(v.value().contiguous());
    return all;
  }
  void append_codes(std::vector<Code>& codes, const Batch& batch, int64_t pair, int64_t c) const {
    const int64_t s = stored_->quantizer->channels()[0].sub_quantizers();
    const int64_t id = c == 0 ? batch.queries[batch.history.query[pair]] : batch.items[batch.history.item[pair]];
    const std::vector<Code>& from = c == 0 ? stored_->query : stored_->item[c - 1];
    codes.insert(codes.end(), from.begin() + id * s, from.begin() + (id + 1) * s);
  }
  SearchMethodPtr method_;
  std::shared_ptr<const QuantizedChannels> stored_;
};

}  // namespace

std::vector<std::string> gsu_kinds() { return {"int8", "int4", "pq", "lsh", "hnsw", "random", "recent"}; }

std::shared_ptr<const BatchRetriever> pq_batch_retriever(std::shared_ptr<const QuantizedChannels> channels) {
  SearchMethodPtr method = transformed_search(pq_search(channels->quantizer, false, 1), channels->transform);
  return std::make_shared<MethodRetriever>(std::move(method), std::move(channels));
}

std::shared_ptr<const BatchRetriever> make_batch_retriever(const std::string& kind, const SeminarModel& model,
                                                           const Dataset& data, const std::string& index,
                                                           uint64_t seed) {
  if (kind == "pq") {
    QuantizeOptions options;
    options.seed = seed;
    return pq_batch_retriever(std::make_shared<QuantizedChannels>(index.empty() ? quantize_model(model, data, options)
                                                                                : load_quantized(index, model, data)));
  }
  SearchMethodPtr method;
  if (kind == "int8") method = scalar_search(8, int8_candidates);
  if (kind == "int4") method = scalar_search(4, int4_candidates);
  if (kind == "lsh") method = lsh_search(lsh_bits, seed);
  if (kind == "hnsw") method = hnsw_search(true);
  if (kind == "random") method = random_search(seed);
  if (kind == "recent") method = recent_search();
  check(method != nullptr, "--gsu: must be one of exact, {}: '{}'", fmt::join(gsu_kinds(), ", "), kind);
  return std::make_shared<MethodRetriever>(std::move(method), nullptr);
}

}  // namespace seminar::inline SEMINAR_PRECISION
