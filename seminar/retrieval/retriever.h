// Ways to find the K behaviours of a history that score highest against a target, exactly and by codes, behind one
// interface (paper §3.3.3 and its rivals). score(l) = (Σ_i γ_i t^(i)) · (Σ_j γ_lj x_l^(j)).
// L behaviours, C channels, d width, S sub-quantizers.
#pragma once

#include <memory>
#include <string>

#include "pq/multimodal.h"
#include "pq/rotation.h"

namespace seminar::inline SEMINAR_PRECISION {

/// One user's behaviours as retrieval sees them.
struct KeySet {
  Tensor channels;                                    ///< [L, C, d]
  Tensor gamma;                                       ///< [L, C]: weights of each behaviour's channels
  std::vector<MultimodalQuantizer::Code> codes = {};  ///< [L, C, S] if they are stored already
  int64_t length() const { return channels.size(0); }
};

struct RetrievalTarget {
  Tensor channels;  ///< [C, d]
  Tensor gamma;     ///< [C]
};

/// A history prepared for search.
class RetrievalIndex {
 public:
  virtual ~RetrievalIndex() = default;
  /// The k best behaviours, best first, ties by the lower index; all of them if there are fewer. Throws Error for k < 1
  /// or NaN.
  virtual std::vector<int32_t> top(const RetrievalTarget& target, int64_t k) const = 0;
};

/// A method.
class Retriever {
 public:
  virtual ~Retriever() = default;
  virtual std::string name() const = 0;
  /// What one behaviour takes in memory during the first pass, in bytes; codes are counted in bits.
  virtual double bytes_per_key(const KeySet& keys) const = 0;
  virtual std::unique_ptr<RetrievalIndex> index(const KeySet& keys) const = 0;
};
using RetrieverPtr = std::shared_ptr<const Retriever>;

/// Σ_j γ_lj x_l^(j) -> [L, d].
Tensor fused_keys(const KeySet& keys);
/// Σ_i γ_i t^(i) -> [d].
Tensor fused_target(const RetrievalTarget& target);

/// The exact scores of fused keys.
RetrieverPtr exact_retriever();
/// The last behaviours, the last first; and a draw without looking.
RetrieverPtr recent_retriever();
RetrieverPtr random_retriever(uint64_t seed);
/// Hamming distance of the signs of `bits` random projections of target and key (as ETA's SimHash, without bias).
RetrieverPtr lsh_retriever(int64_t bits, uint64_t seed);
/// Fused keys in 8 or 4 bits a number with one scale a key; the best `candidates` × k are scored again exactly.
RetrieverPtr scalar_retriever(int bits, double candidates);
/// Every channel of the target searches every channel of the keys for its k best (C² searches), and what they found is
/// scored exactly: L → at most C²k → k. By inner product, or by distance as the authors do.
RetrieverPtr cascade_retriever(bool inner_product);
/// The same with the Hamming distance of the signs of `bits` random projections per channel, as the authors do.
RetrieverPtr lsh_cascade_retriever(int64_t bits, uint64_t seed);
/// The same with an HNSW graph per key channel (hnswlib); throws Error if this build has no hnswlib.
RetrieverPtr hnsw_retriever(bool inner_product);
/// Multi-modal product quantization: one look-up per channel and sub-quantizer. With `target_coded` the target is coded
/// too, as in the paper. `candidates` > 1: that many times k are scored again exactly.
RetrieverPtr pq_retriever(const std::shared_ptr<const MultimodalQuantizer>& quantizer, bool target_coded,
                          double candidates);
/// `method` on keys and targets mapped by `transform`, which leaves their inner products as they are.
RetrieverPtr transformed_retriever(const RetrieverPtr& method, const ScoreTransform& transform);
/// Keys as another code remembers them: `decode(c, x [L, d])` is what is left of channel c.
RetrieverPtr decoded_retriever(std::string name, double bits_per_key, double candidates,
                               std::function<Tensor(int64_t channel, const Tensor& x)> decode);

}  // namespace seminar::inline SEMINAR_PRECISION
