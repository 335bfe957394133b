#include "seminar/retrieval/search.h"

#include <algorithm>
#include <cmath>

#include "pq/byte_scan.h"
#include "pq/topk.h"
#include "seminar/retrieval/search_parts.h"
#include "tensor/gemm.h"
#include "tensor/kernels.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// A method whose index is made by a function.
class SimpleMethod : public SearchMethod {
 public:
  SimpleMethod(std::string name, BytesPerKey bytes, MakeIndex make)
      : name_(std::move(name)), bytes_(std::move(bytes)), make_(std::move(make)) {}
  std::string name() const override { return name_; }
  double bytes_per_key(const KeySet& keys) const override { return bytes_(keys); }
  std::unique_ptr<SearchIndex> index(const KeySet& keys) const override {
    check(keys.channels.rank() == 3 && keys.gamma.shape() == Shape({keys.channels.size(0), keys.channels.size(1)}),
          "retrieval: channels {} with weights {}", keys.channels.shape(), keys.gamma.shape());
    return make_(keys);
  }

 private:
  std::string name_;
  BytesPerKey bytes_;
  MakeIndex make_;
};

struct ExactIndex : ScoredIndex {
  explicit ExactIndex(const KeySet& keys) : ScoredIndex(keys, 1) {}
  std::vector<real> scores(const SearchTarget&, const Tensor& fused) const override { return products(keys_, fused); }
};

struct RecentIndex : SearchIndex {
  explicit RecentIndex(const KeySet& keys) : length(keys.length()) {}
  std::vector<int32_t> best(const SearchTarget&, int64_t k) const override {
    std::vector<int32_t> last(static_cast<std::size_t>(std::min(k, length)));
    for (std::size_t i = 0; i < last.size(); ++i) last[i] = static_cast<int32_t>(length - 1 - static_cast<int64_t>(i));
    return last;
  }
  int64_t length;
};

struct RandomIndex : SearchIndex {
  RandomIndex(const KeySet& keys, uint64_t with) : length(keys.length()), seed(with) {}
  std::vector<int32_t> best(const SearchTarget&, int64_t k) const override {
    std::vector<int32_t> drawn;
    if (length == 0) return drawn;
    const Permutation order(length, Rng(seed));
    for (int64_t i = 0; i < std::min(k, length); ++i) drawn.push_back(static_cast<int32_t>(order(i)));
    return drawn;
  }
  int64_t length;
  uint64_t seed;
};

struct LshIndex : ScoredIndex {
  LshIndex(const KeySet& keys, int64_t bits, uint64_t seed) : ScoredIndex(keys, 1), hash(keys_, bits, Rng(seed)) {}
  std::vector<real> scores(const SearchTarget&, const Tensor& fused) const override { return hash.scores(fused); }
  SimHash hash;
};

std::span<const real> numbers(const Tensor& x) { return {x.data(), static_cast<std::size_t>(x.numel())}; }

struct ScalarIndex : ScoredIndex {
  ScalarIndex(const KeySet& keys, int bits, double candidates) : ScoredIndex(keys, candidates), bytes(keys_, bits) {}
  std::vector<int32_t> best(const SearchTarget& target, int64_t k) const override {
    if (candidates_ <= 1 || keys_.size(0) == 0) return ScoredIndex::best(target, k);
    std::vector<real> room(static_cast<std::size_t>(bytes.scores_size()));
    std::vector<Found> found(static_cast<std::size_t>(bytes.length()));
    const Tensor fused = fused_target(target);
    const int64_t count =
        bytes.top(numbers(fused), keys_, k, candidate_count(candidates_, k), room.data(), found.data());
    std::vector<int32_t> best;
    for (int64_t i = 0; i < count; ++i) best.push_back(found[i].position);
    return best;
  }
  std::vector<real> scores(const SearchTarget&, const Tensor& fused) const override {
    std::vector<real> all(static_cast<std::size_t>(bytes.scores_size()));
    bytes.scores(numbers(fused), all.data());
    all.resize(static_cast<std::size_t>(bytes.length()));
    return all;
  }
  ByteKeys bytes;
};

}  // namespace

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

int64_t candidate_count(double candidates, int64_t k) {
  return static_cast<int64_t>(std::ceil(candidates * static_cast<double>(k)));
}

std::vector<real> products(const Tensor& keys, const Tensor& target) {
  std::vector<real> scores(static_cast<std::size_t>(keys.size(0)));
  for (int64_t l = 0; l < keys.size(0); ++l)
    scores[l] = kernels().dot(keys.size(1), keys.data() + l * keys.size(1), target.data());
  return scores;
}

std::vector<int32_t> ScoredIndex::best(const SearchTarget& target, int64_t k) const {
  if (keys_.size(0) == 0) return {};
  const Tensor fused = fused_target(target);
  const std::vector<real> first = scores(target, fused);
  if (candidates_ <= 1) return top_k(first, {}, k);
  return rescore(top_k(first, {}, candidate_count(candidates_, k)), keys_, fused, k);
}

SimHash::SimHash(const Tensor& rows, int64_t bits, Rng rng)
    : planes(hash_planes(bits, rows.size(1), rng)), signs(sign_codes(rows, planes)) {}

std::vector<real> SimHash::scores(const Tensor& x) const {
  const SignCodes own = sign_codes(x.reshape({1, x.numel()}), planes);
  std::vector<real> negative_distance(signs.codes.size() / own.codes.size());
  for (std::size_t l = 0; l < negative_distance.size(); ++l)
    negative_distance[l] = static_cast<real>(-hamming(own.row(0), signs.row(static_cast<int64_t>(l))));
  return negative_distance;
}

SearchMethodPtr simple_method(std::string name, BytesPerKey bytes, MakeIndex make) {
  return std::make_shared<SimpleMethod>(std::move(name), std::move(bytes), std::move(make));
}

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

Tensor fused_target(const SearchTarget& target) {
  const int64_t channels = target.channels.size(0), d = target.channels.size(1);
  const Tensor fused = fused_keys({target.channels.reshape({1, channels, d}), target.gamma.reshape({1, channels})});
  return (target.fold.defined() ? matmul(fused, target.fold) : fused).reshape({d});
}

Tensor folded_channels(const SearchTarget& target) {
  return (target.fold.defined() ? matmul(target.channels, target.fold) : target.channels).contiguous();
}

SearchMethodPtr exact_search() {
  return simple_method(
      "exact", [](const KeySet& keys) { return static_cast<double>(keys.channels.size(2) * 4); },
      [](const KeySet& keys) { return make_index<ExactIndex>(keys); });
}

SearchMethodPtr recent_search() {
  return simple_method(
      "recent", [](const KeySet&) { return 0.0; }, [](const KeySet& keys) { return make_index<RecentIndex>(keys); });
}

SearchMethodPtr random_search(uint64_t seed) {
  return simple_method(
      "random", [](const KeySet&) { return 0.0; },
      [seed](const KeySet& keys) { return make_index<RandomIndex>(keys, seed); });
}

SearchMethodPtr lsh_search(int64_t bits, uint64_t seed) {
  check(bits >= 1 && bits <= 4096, "lsh: from 1 to 4096 bits: {}", bits);
  return simple_method(
      fmt::format("LSH {} bits", bits), [bits](const KeySet&) { return static_cast<double>(bits) / 8; },
      [=](const KeySet& keys) { return make_index<LshIndex>(keys, bits, seed); });
}

SearchMethodPtr scalar_search(int bits, double candidates) {
  check(bits == 4 || bits == 8, "scalar quantizer: 4 or 8 bits: {}", bits);
  return simple_method(
      fmt::format("int{}{}", bits, candidates > 1 ? fmt::format(" + exact {:g} K", candidates) : ""),
      [bits](const KeySet& keys) { return static_cast<double>(keys.channels.size(2) * bits) / 8 + 4; },
      [=](const KeySet& keys) { return make_index<ScalarIndex>(keys, bits, candidates); });
}

}  // namespace seminar::inline SEMINAR_PRECISION
