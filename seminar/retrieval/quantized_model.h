// A model's channels in codes: trained on the corpus, stored once per item and per query (paper §3.3.3), and used by
// the GSU in place of exact scores.
#pragma once

#include "seminar/model/seminar_model.h"
#include "seminar/retrieval/search.h"

namespace seminar::inline SEMINAR_PRECISION {

struct QuantizeOptions {
  int64_t sub_quantizers = 8;
  int64_t centroids = 512;
  int64_t iterations = 15;
  int64_t max_points = 50000;  ///< training vectors a channel
  uint64_t seed = 1;
};

/// The model's channel vectors after G, of all queries and items: [Q, d] and per item channel [I + 1, d].
struct ChannelTables {
  Tensor query;
  std::vector<Tensor> item;
  Tensor present;  ///< [I + 1, item channels]: 0 where an item lacks the channel
  Channels channels() const { return {query, {item.begin(), item.end()}, present}; }
};
ChannelTables channel_tables(const SeminarModel& model, const Dataset& data);
/// The pairs (queries[n], items[n]) as keys: channels [N, C, d] and their weights.
KeySet key_set(const SeminarModel& model, const ChannelTables& tables, const std::vector<int32_t>& queries,
               const std::vector<int32_t>& items);

/// Codebooks per channel (query first) and the codes of every query and item, all under `transform` (pq/rotation.h),
/// which is learned from the model's behaviours and targets.
struct QuantizedChannels {
  ScoreTransform transform;
  std::shared_ptr<const MultimodalQuantizer> quantizer;
  std::vector<MultimodalQuantizer::Code> query;              ///< [Q, S]
  std::vector<std::vector<MultimodalQuantizer::Code>> item;  ///< per item channel [I + 1, S]
};
/// Trains the codebooks and codes everything. The same seed gives the same bits for any number of threads.
QuantizedChannels quantize_model(const SeminarModel& model, const Dataset& data, const QuantizeOptions& options);

/// Writes codebooks and codes as one safetensors file, with the fingerprint of the model's parameters; load throws
/// Error for a file of another model, another layout or with codes without centroids.
void save_quantized(const QuantizedChannels& channels, const SeminarModel& model, const std::string& path);
QuantizedChannels load_quantized(const std::string& path, const SeminarModel& model, const Dataset& data);

/// A hash of all parameters, to tell models apart.
std::string parameter_fingerprint(const Params& params);

}  // namespace seminar::inline SEMINAR_PRECISION
