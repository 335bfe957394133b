// What the methods of search.h have in common.
#pragma once

#include "pq/simhash.h"
#include "seminar/retrieval/search.h"

namespace seminar::inline SEMINAR_PRECISION {

/// The best k of `candidates` by exact score of the fused keys [L, d] against the fused target [d].
std::vector<int32_t> rescore(const std::vector<int32_t>& candidates, const Tensor& keys, const Tensor& target,
                             int64_t k);
/// How many keys are scored again: candidates · k, rounded up.
int64_t candidate_count(double candidates, int64_t k);
/// Products of keys [L, d] with a target [d].
std::vector<real> products(const Tensor& keys, const Tensor& target);

/// An index that gives every key a score and, if `candidates` > 1, scores the best of them again exactly.
class ScoredIndex : public SearchIndex {
 public:
  ScoredIndex(const KeySet& keys, double candidates) : keys_(fused_keys(keys)), candidates_(candidates) {}
  std::vector<int32_t> best(const SearchTarget& target, int64_t k) const override;

 protected:
  virtual std::vector<real> scores(const SearchTarget& target, const Tensor& fused) const = 0;
  Tensor keys_;  ///< [L, d]
  double candidates_;
};

/// Signs of the rows of one table on random planes.
struct SimHash {
  SimHash(const Tensor& rows, int64_t bits, Rng rng);
  /// Minus the Hamming distance of every row to x [d].
  std::vector<real> scores(const Tensor& x) const;
  Tensor planes;
  SignCodes signs;
};

/// A method by its name, its memory and the function that makes its index.
using BytesPerKey = std::function<double(const KeySet&)>;
using MakeIndex = std::function<std::unique_ptr<SearchIndex>(const KeySet&)>;
SearchMethodPtr simple_method(std::string name, BytesPerKey bytes, MakeIndex make);

template <class Index, class... Args>
std::unique_ptr<SearchIndex> make_index(Args&&... args) {
  return std::make_unique<Index>(std::forward<Args>(args)...);
}

}  // namespace seminar::inline SEMINAR_PRECISION
