#include "seminar/retrieval/search_variants.h"

#include <algorithm>
#include <cmath>

#include "seminar/retrieval/rq_vae.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// The same method under a longer name.
class Renamed : public SearchMethod {
 public:
  Renamed(SearchMethodPtr method, std::string suffix) : method_(std::move(method)), suffix_(std::move(suffix)) {}
  std::string name() const override { return method_->name() + suffix_; }
  double bytes_per_key(const KeySet& keys) const override { return method_->bytes_per_key(keys); }
  std::unique_ptr<SearchIndex> index(const KeySet& keys) const override { return method_->index(keys); }

 private:
  SearchMethodPtr method_;
  std::string suffix_;
};

Tensor channel_of(const Tensor& x, int64_t c) {
  return x.slice(1, c, c + 1).contiguous().reshape({x.size(0), x.size(2)});
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

}  // namespace

SearchMethodPtr renamed(SearchMethodPtr method, const std::string& suffix) {
  return std::make_shared<Renamed>(std::move(method), suffix);
}

std::shared_ptr<const MultimodalQuantizer> train_quantizer(const Tensor& x, int64_t sub_quantizers, int64_t centroids,
                                                           uint64_t seed) {
  std::vector<ProductQuantizer> channels;
  for (int64_t c = 0; c < x.size(1); ++c)
    channels.push_back(ProductQuantizer::train(channel_of(x, c), sub_quantizers,
                                               {centroids, 25, Rng(seed).split(static_cast<uint64_t>(c)).next()}));
  return std::make_shared<MultimodalQuantizer>(std::move(channels));
}

std::vector<SearchMethodPtr> residual_rivals(const Tensor& x, double bits, double candidates, uint64_t seed,
                                             int64_t steps) {
  ResidualOptions residual;
  residual.centroids = 256;
  residual.levels = std::max<int64_t>(1, std::llround(bits / 8));
  residual.seed = seed;
  RqVaeOptions vae;
  static_cast<ResidualOptions&>(vae) = residual;
  vae.steps = steps;
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
  return {decoded_search("residual k-means" + size + pass, total, candidates,
                         [plain](int64_t c, const Tensor& v) { return (*plain)[c].decode(v); }),
          decoded_search("RQ-VAE" + size + pass, total, candidates,
                         [trained](int64_t c, const Tensor& v) { return (*trained)[c].decode(v); })};
}

std::vector<SearchMethodPtr> pq_variants(const std::vector<Tensor>& vectors, int64_t sub_quantizers, int64_t centroids,
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
  return {decoded_search(fmt::format("PQ {} x {}, norms apart", sub_quantizers, centroids),
                         channels * (static_cast<double>(sub_quantizers) * code + 32), 1,
                         [unit](int64_t c, const Tensor& x) {
                           const std::vector<real> norms = row_norms(x);
                           const ProductQuantizer& q = (*unit)[c];
                           return scaled_rows(q.decode(q.encode(scaled_rows(x, norms, true))), norms, false);
                         }),
          decoded_search(fmt::format("PQ 2 levels of {} x {}", half, centroids),
                         channels * 2 * static_cast<double>(half) * code, 1, [levels](int64_t c, const Tensor& x) {
                           const auto& [first, second] = (*levels)[c];
                           const Tensor coarse = first.decode(first.encode(x));
                           const Tensor rest = binary("residual", Binary::sub, x, coarse);
                           return binary("residual", Binary::add, coarse, second.decode(second.encode(rest)));
                         })};
}

}  // namespace seminar::inline SEMINAR_PRECISION
