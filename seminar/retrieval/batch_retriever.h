// The GSU of a model by a search method: every history of a batch prepared for search, every target looked up in its
// own (paper §3.3.3).
#pragma once

#include "seminar/retrieval/quantized_model.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Names for --gsu besides "exact".
std::vector<std::string> gsu_kinds();

/// Searches the codes of a model.
std::shared_ptr<const BatchRetriever> pq_batch_retriever(std::shared_ptr<const QuantizedChannels> channels);
/// The way of retrieval called `kind`, ready for the model: "pq" trains codebooks unless `index` names a file of
/// save_quantized. Throws Error for an unknown kind.
std::shared_ptr<const BatchRetriever> make_batch_retriever(const std::string& kind, const SeminarModel& model,
                                                           const Dataset& data, const std::string& index,
                                                           uint64_t seed);

}  // namespace seminar::inline SEMINAR_PRECISION
