// Ways to find the K behaviours of a history that score highest against a target, exactly and by codes, behind one
// interface (paper §3.3.3 and its rivals). score(l) = (Σ_i γ_i t^(i)) fold · (Σ_j γ_lj x_l^(j)).
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

/// What is searched for.
struct SearchTarget {
  Tensor channels;   ///< [C, d]
  Tensor gamma;      ///< [C]
  Tensor fold = {};  ///< [d, d]: what the target goes through before it meets the keys; undefined: nothing
};

/// A history prepared for search.
class SearchIndex {
 public:
  virtual ~SearchIndex() = default;
  /// The k best behaviours, best first, ties by the lower index; all of them if there are fewer. Throws Error for k < 1
  /// or NaN.
  std::vector<int32_t> top(const SearchTarget& target, int64_t k) const {
    check(k >= 1, "retrieval: k must be at least 1: {}", k);
    return best(target, k);
  }

 private:
  virtual std::vector<int32_t> best(const SearchTarget& target, int64_t k) const = 0;
};

/// A way to search histories.
class SearchMethod {
 public:
  virtual ~SearchMethod() = default;
  virtual std::string name() const = 0;
  /// What one behaviour takes in memory during the first pass, in bytes; codes are counted in bits.
  virtual double bytes_per_key(const KeySet& keys) const = 0;
  virtual std::unique_ptr<SearchIndex> index(const KeySet& keys) const = 0;
};
using SearchMethodPtr = std::shared_ptr<const SearchMethod>;

/// Σ_j γ_lj x_l^(j) -> [L, d].
Tensor fused_keys(const KeySet& keys);
/// (Σ_i γ_i t^(i)) fold -> [d].
Tensor fused_target(const SearchTarget& target);

/// t^(i) fold [C, d].
Tensor folded_channels(const SearchTarget& target);

/// The exact scores of fused keys.
SearchMethodPtr exact_search();
/// The last behaviours, the last first; and a draw without looking.
SearchMethodPtr recent_search();
SearchMethodPtr random_search(uint64_t seed);
/// Hamming distance of the signs of `bits` random projections of target and key (as ETA's SimHash, without bias).
SearchMethodPtr lsh_search(int64_t bits, uint64_t seed);
/// Fused keys in 8 or 4 bits a number with one scale a key; the best `candidates` × k are scored again exactly.
SearchMethodPtr scalar_search(int bits, double candidates);
/// Every channel of the target searches every channel of the keys for its k best (C² searches), and what they found is
/// scored exactly: L → at most C²k → k. By inner product, or by distance as the authors do.
SearchMethodPtr cascade_search(bool inner_product);
/// `method` on two channels, the query's and the item's, whose own channels are fused first: with a cascade the text of
/// §3.3.3, an index of queries and one of items, the target's query and item searched in both, 4k → k.
SearchMethodPtr two_index_search(const SearchMethodPtr& method);
/// The same with the Hamming distance of the signs of `bits` random projections per channel, as the authors do.
SearchMethodPtr lsh_cascade_search(int64_t bits, uint64_t seed);
/// The same with an HNSW graph per key channel (hnswlib); throws Error if this build has no hnswlib.
SearchMethodPtr hnsw_search(bool inner_product);
/// Multi-modal product quantization: one look-up per channel and sub-quantizer. With `target_coded` the target's
/// channels are coded too, before they are folded, as in the paper. `candidates` > 1: that many times k are scored
/// again exactly.
SearchMethodPtr pq_search(const std::shared_ptr<const MultimodalQuantizer>& quantizer, bool target_coded,
                          double candidates);
/// `method` on keys and targets mapped by `transform`, which leaves their inner products as they are.
SearchMethodPtr transformed_search(const SearchMethodPtr& method, const ScoreTransform& transform);
/// Keys as another code remembers them: `decode(c, x [L, d])` is what is left of channel c.
SearchMethodPtr decoded_search(std::string name, double bits_per_key, double candidates,
                               std::function<Tensor(int64_t channel, const Tensor& x)> decode);

}  // namespace seminar::inline SEMINAR_PRECISION
