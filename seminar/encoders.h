// Encoders of the channels (paper §3.3.1): f(.) for queries, a Transformer (or a bag of words) for titles, g(.) for
// attributes; each projected to d by its own linear map. Each distinct query and item of a batch is encoded once.
#pragma once

#include "nn/transformer.h"
#include "seminar/data/dataset.h"
#include "seminar/fusion.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Sizes of the tables, read off a data set.
struct Vocabulary {
  int64_t items, words, attributes;  ///< counts including the padding entry 0
  static Vocabulary of(const Dataset& data) { return {data.items() + 1, data.words(), data.attributes()}; }
};

struct Encoders {
  static constexpr int64_t item_channels = 2;  ///< text, attributes
  int64_t text_length;
  Embedding words;                         ///< shared by titles and queries
  std::optional<TransformerEncoder> text;  ///< without it the title is a bag of words
  /// g(.) is the mean of an item's attribute vectors plus a vector of its own: its id is its most specific attribute.
  Embedding attributes, item_ids;
  Linear query_map, text_map, attribute_map;  ///< W_q, W_t, W_a
  Param empty_query;                          ///< [1, d]: what a browsed item gets
  Encoders(const ModelSettings& settings, const Vocabulary& vocabulary, Rng rng);

  /// The channels of the given items and queries, row by row.
  Channels operator()(const Dataset& data, std::span<const int32_t> items, std::span<const int32_t> queries,
                      const Mode& mode) const;
  void visit(auto&& f) const {
    f("words", words);
    f("text", text);
    f("attributes", attributes);
    f("item_ids", item_ids);
    f("query_map", query_map);
    f("text_map", text_map);
    f("attribute_map", attribute_map);
    f("empty_query", empty_query);
  }

 private:
  Var encode_text(const Dataset& data, std::span<const int32_t> items, const Mode& mode) const;
  Var encode_queries(const Dataset& data, std::span<const int32_t> queries) const;
};

}  // namespace seminar::inline SEMINAR_PRECISION
