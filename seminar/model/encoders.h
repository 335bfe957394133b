// Encoders of the channels (paper §3.3.1): f(.) for queries, a Transformer (or a bag of words) for titles, g(.) for
// attributes, and vectors made elsewhere as they are; each projected to d by its own linear map. Each distinct query
// and item of a batch is encoded once; frozen texts once for all.
#pragma once

#include <memory>

#include "nn/transformer.h"
#include "seminar/data/dataset.h"
#include "seminar/data/tokenizer.h"
#include "seminar/model/fusion.h"

namespace seminar::inline SEMINAR_PRECISION {

/// How a channel of ready-made vectors is scaled before it is projected: (x - shift) · factor by column.
struct FeatureScale {
  std::string channel;
  std::vector<float> shift, factor;
};

/// What a data set has to encode, and how big it is.
struct Vocabulary {
  int64_t items = 0, words = 0, attributes = 0;  ///< counts including the padding entry 0
  int64_t user_attributes = 0;                   ///< the same, of users
  /// Classes of every item by which the side (side.h) counts: itself, its category, its brand; empty if it does not.
  std::vector<std::vector<int32_t>> classes{};
  std::shared_ptr<const Tokenizer> tokenizer{};     ///< null: words are tokens
  std::vector<std::vector<int32_t>> word_tokens{};  ///< of each word, with a tokenizer
  /// One per channel of ready-made vectors: the mean square number is brought to that of a fresh embedding, the
  /// vectors' norms keep their ratios. With settings.features "raw" nothing is scaled.
  std::vector<FeatureScale> features{};
  std::optional<FeatureScale> numeric{};  ///< numeric attributes, standardised over the items that have them
  /// Reads them off the data. With settings.tokens "bpe" words are cut by `tokenizer`, or by one trained on the titles
  /// and queries if it is null.
  static Vocabulary of(const Dataset& data, const ModelSettings& settings,
                       std::shared_ptr<const Tokenizer> tokenizer = nullptr);
};

struct Encoders {
  Vocabulary vocabulary;
  int64_t text_length;
  bool unit_norms;                         ///< every channel vector is a unit vector
  bool query_transformer;                  ///< queries go through `text` as titles do, else they are bags of words
  Embedding words;                         ///< shared by titles and queries
  std::optional<TransformerEncoder> text;  ///< without it the title is a bag of words
  /// g(.) is the mean of an item's attribute vectors plus a vector of its own: its id is its most specific attribute;
  /// and a map of its numbers, if the data have any.
  Embedding attributes, item_ids;
  std::optional<Linear> numeric_map;
  Linear query_map, text_map, attribute_map;  ///< W_q, W_t, W_a
  std::vector<Linear> feature_maps;           ///< one per channel of ready-made vectors
  Param empty_query;                          ///< [1, d]: what a browsed item gets
  Encoders(const ModelSettings& settings, const Vocabulary& vocabulary, Rng rng);

  /// Channels of an item: text, attributes, then the ready-made ones.
  int64_t item_channels() const { return 2 + std::ssize(feature_maps); }
  /// Encodes all titles and queries once; from now on they are looked up and their encoder learns no more. The linear
  /// maps behind it still do.
  void freeze_text(const Dataset& data);
  /// The channels of the given items and queries, row by row.
  Channels operator()(const Dataset& data, std::span<const int32_t> items, std::span<const int32_t> queries,
                      const Mode& mode) const;
  void visit(auto&& f) const {
    f("words", words);
    f("text", text);
    f("attributes", attributes);
    f("item_ids", item_ids);
    f("numeric_map", numeric_map);
    f("query_map", query_map);
    f("text_map", text_map);
    f("attribute_map", attribute_map);
    f("feature_maps", feature_maps);
    f("empty_query", empty_query);
  }

 private:
  Var title_vectors(const Dataset& data, std::span<const int32_t> items, const Mode& mode) const;
  Var query_vectors(const Dataset& data, std::span<const int32_t> queries, const Mode& mode) const;
  Var encode_queries(const Dataset& data, std::span<const int32_t> queries, const Mode& mode) const;
  Var encode_attributes(const Dataset& data, std::span<const int32_t> items) const;
  Var channel(const Var& x) const { return unit_norms ? normalize(x) : x; }

  Tensor frozen_titles_, frozen_queries_;  // [items, d] and [queries, d], once frozen
};

}  // namespace seminar::inline SEMINAR_PRECISION
