// Methods made of others, and rivals of PQ, for the studies of recall.
#pragma once

#include "seminar/retrieval/search.h"

namespace seminar::inline SEMINAR_PRECISION {

/// `method` with `suffix` behind its name.
SearchMethodPtr renamed(SearchMethodPtr method, const std::string& suffix);

/// Codebooks for each channel of vectors x [n, C, d].
std::shared_ptr<const MultimodalQuantizer> train_quantizer(const Tensor& x, int64_t sub_quantizers, int64_t centroids,
                                                           uint64_t seed);

/// Residual k-means and RQ-VAE for each channel, trained on vectors x [n, C, d], the latter in `steps` steps; levels of
/// 256 centroids, about `bits` bits a channel. `candidates` as in pq_search.
std::vector<SearchMethodPtr> residual_rivals(const Tensor& x, double bits, double candidates, uint64_t seed,
                                             int64_t steps);

/// Two variants of PQ trained on the vectors [n, d] of each channel: unit vectors with the norm kept apart (4 bytes),
/// as the paper's decomposition suggests; and two levels of half the sub-quantizers each, the second coding what the
/// first left over.
std::vector<SearchMethodPtr> pq_variants(const std::vector<Tensor>& vectors, int64_t sub_quantizers, int64_t centroids,
                                         uint64_t seed);

}  // namespace seminar::inline SEMINAR_PRECISION
