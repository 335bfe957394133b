#include "seminar/model/encoders.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "seminar/data/categories.h"
#include "seminar/data/features.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr double embedding_std = 0.1;
constexpr int64_t items_of_a_brand = 2;  // at least
constexpr int64_t freeze_batch = 1024;

// Lists of ids one after the other; list i is ids[start[i] .. start[i+1]).
struct Bags {
  std::vector<int32_t> ids, start{0};
  void end() { start.push_back(static_cast<int32_t>(ids.size())); }
  std::pair<Ids, Ids> take() && { return {Ids(std::move(ids)), Ids(std::move(start))}; }
};

// The tokens of several texts, at most `limit` each; get(row) is a text's words.
template <class Get>
std::pair<Ids, Ids> token_bags(const Vocabulary& v, std::span<const int32_t> rows, int64_t limit, Get get) {
  Bags bags;
  for (const int32_t row : rows) {
    int64_t left = limit;
    for (const int32_t word : get(row)) {
      if (!v.tokenizer) {
        if (left-- > 0) bags.ids.push_back(word);
        continue;
      }
      check(word >= 0 && word < std::ssize(v.word_tokens), "data set: damaged: word {} of {}", word,
            v.word_tokens.size());
      for (const int32_t token : v.word_tokens[static_cast<std::size_t>(word)])
        if (left-- > 0) bags.ids.push_back(token);
    }
    bags.end();
  }
  return std::move(bags).take();
}

FeatureScale feature_scale(const Dataset& data, const std::string& channel) {
  const std::size_t width = static_cast<std::size_t>(data.feature_width(channel));
  std::vector<double> sum(width), square(width);
  double n = 0;
  for (int32_t item = 1; item <= data.items(); ++item) {
    const auto x = data.feature(channel, item);
    for (std::size_t i = 0; i < x.size(); ++i) {
      check(std::isfinite(x[i]), "{}: '{}' of item {}: number {} is {}", data.feature_file(), channel,
            data.original_item(item), i, x[i]);
      sum[i] += x[i];
      square[i] += static_cast<double>(x[i]) * x[i];
    }
    n += x.empty() ? 0 : 1;
  }
  n = std::max(n, 1.0);
  double mean_square = 0;
  for (const double s : square) mean_square += s / n / static_cast<double>(width);
  FeatureScale scale{channel, std::vector<float>(width), std::vector<float>(width)};
  for (std::size_t i = 0; i < width; ++i) {
    if (channel != numeric_channel) {
      scale.factor[i] = static_cast<float>(embedding_std / std::sqrt(std::max(mean_square, 1e-30)));
      continue;
    }
    const double mean = sum[i] / n, variance = square[i] / n - mean * mean;
    scale.shift[i] = static_cast<float>(mean);
    // A column without spread tells nothing.
    scale.factor[i] = variance > 1e-12 * mean * mean ? static_cast<float>(1 / std::sqrt(variance)) : 0;
  }
  return scale;
}

// Scaled vectors of the items [items, width], zeros where one has none.
Tensor scaled_features(const Dataset& data, const FeatureScale& scale, std::span<const int32_t> items) {
  const int64_t width = std::ssize(scale.shift);
  Tensor t = Tensor::zeros({std::ssize(items), width});
  real* y = t.write();
  for (const int32_t item : items) {
    const auto x = data.feature(scale.channel, item);
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = (x[i] - scale.shift[i]) * scale.factor[i];
    y += width;
  }
  return t;
}

Var rows_of(const Tensor& table, std::span<const int32_t> ids) {
  return embedding(table, Ids(std::vector<int32_t>(ids.begin(), ids.end())));
}

}  // namespace

Vocabulary Vocabulary::of(const Dataset& data, const ModelSettings& s, std::shared_ptr<const Tokenizer> tokenizer) {
  Vocabulary v;
  v.items = data.items() + 1;
  v.words = data.words();
  v.attributes = data.attributes();
  v.user_attributes = data.user_attribute_count();
  if (s.side == "u2i" || s.side == "all") {
    std::vector<int32_t> itself(static_cast<std::size_t>(v.items));
    std::iota(itself.begin(), itself.end(), 0);
    v.classes = {std::move(itself), item_categories(data), item_classes(data, items_of_a_brand)};
  }
  if (s.tokens == "bpe") {
    // Every word stands with the space before it, so that its tokens are those it has inside a text.
    const auto spelled = [&](int32_t word) { return std::string(1, ' ').append(data.word(word)); };
    if (!tokenizer) {
      std::map<std::string, int64_t> counts;
      for (int32_t item = 1; item <= data.items(); ++item)
        for (const int32_t word : data.item_words(item)) ++counts[spelled(word)];
      for (int32_t query = 1; query < data.queries(); ++query)
        for (const int32_t word : data.query_words(query)) ++counts[spelled(word)];
      tokenizer = std::make_shared<Tokenizer>(Tokenizer::train(counts, s.vocabulary));
    }
    v.tokenizer = std::move(tokenizer);
    v.words = v.tokenizer->size();
    v.word_tokens.emplace_back();
    for (int32_t word = 1; word < data.words(); ++word) v.word_tokens.push_back(v.tokenizer->encode(spelled(word)));
  }
  for (const std::string& channel : data.feature_channels()) {
    if (channel == numeric_channel)
      v.numeric = feature_scale(data, channel);
    else if (s.features != "none")
      v.features.push_back(feature_scale(data, channel));
  }
  if (s.features == "raw")
    for (FeatureScale& f : v.features) std::fill(f.factor.begin(), f.factor.end(), 1.0f);
  return v;
}

Encoders::Encoders(const ModelSettings& s, const Vocabulary& v, Rng rng)
    : vocabulary(v),
      text_length(s.text_length),
      unit_norms(s.norms == "unit"),
      query_transformer(s.query == "transformer"),
      words(v.words, s.dim, rng.split("words"), embedding_std),
      attributes(v.attributes, s.dim, rng.split("attributes"), embedding_std),
      item_ids(v.items, s.dim, rng.split("item_ids"), embedding_std),
      query_map(s.dim, s.dim, rng.split("query_map")),
      text_map(s.dim, s.dim, rng.split("text_map")),
      attribute_map(s.dim, s.dim, rng.split("attribute_map")),
      empty_query([&] {
        Rng stream = rng.split("empty_query");
        return Tensor::normal({1, s.dim}, stream, unit_norms ? embedding_std : 0);  // a zero has no direction
      }()) {
  if (s.text == "transformer") text.emplace(s.dim, s.text_heads, s.text_layers, s.text_length, rng.split("text"));
  if (v.numeric) numeric_map.emplace(std::ssize(v.numeric->shift), s.dim, rng.split("numeric_map"), false);
  for (const FeatureScale& f : v.features)
    feature_maps.emplace_back(std::ssize(f.shift), s.dim, rng.split("feature_maps").split(f.channel));
}

Var Encoders::title_vectors(const Dataset& data, std::span<const int32_t> items, const Mode& mode) const {
  if (frozen_titles_.defined()) return rows_of(frozen_titles_, items);
  const auto [ids, start] =
      token_bags(vocabulary, items, text_length, [&](int32_t item) { return data.item_words(item); });
  return text ? (*text)(words(ids), start, mode) : words.bag(ids, start);
}

Var Encoders::query_vectors(const Dataset& data, std::span<const int32_t> queries, const Mode& mode) const {
  if (frozen_queries_.defined()) return rows_of(frozen_queries_, queries);
  const auto [ids, start] =
      token_bags(vocabulary, queries, text_length, [&](int32_t query) { return data.query_words(query); });
  return query_transformer ? (*text)(words(ids), start, mode.split("query")) : words.bag(ids, start);
}

void Encoders::freeze_text(const Dataset& data) {
  const NoGrad guard;
  frozen_titles_ = frozen_queries_ = Tensor();
  const auto all = [&](int64_t count, auto encode) {
    Tensor out = Tensor::empty({count, text_map.weight.shape()[1]});
    for (int64_t begin = 0; begin < count; begin += freeze_batch) {
      std::vector<int32_t> ids;
      for (int64_t i = begin; i < std::min(count, begin + freeze_batch); ++i) ids.push_back(static_cast<int32_t>(i));
      const Tensor part = encode(ids).value();
      std::copy_n(part.data(), part.numel(), out.write() + begin * out.size(1));
    }
    return out;
  };
  const Tensor titles =
      all(vocabulary.items, [&](std::span<const int32_t> ids) { return title_vectors(data, ids, Mode()); });
  frozen_queries_ = all(data.queries(), [&](std::span<const int32_t> ids) { return query_vectors(data, ids, Mode()); });
  frozen_titles_ = titles;
}

Var Encoders::encode_queries(const Dataset& data, std::span<const int32_t> queries, const Mode& mode) const {
  const int64_t count = std::ssize(queries);
  Tensor typed = Tensor::empty({count, 1}), empty = Tensor::empty({count, 1});
  real *t = typed.write(), *e = empty.write();
  for (int64_t i = 0; i < count; ++i) {
    t[i] = queries[i] != 0 ? 1 : 0;
    e[i] = 1 - t[i];
  }
  return query_map(query_vectors(data, queries, mode)) * typed + matmul(empty, empty_query);
}

Var Encoders::encode_attributes(const Dataset& data, std::span<const int32_t> items) const {
  Bags bags;
  for (const int32_t item : items) {
    const auto list = data.item_attributes(item);
    bags.ids.insert(bags.ids.end(), list.begin(), list.end());
    bags.end();
  }
  const auto [ids, start] = std::move(bags).take();
  Var g = attributes.bag(ids, start) + item_ids(Ids(std::vector<int32_t>(items.begin(), items.end())));
  if (numeric_map) g = g + (*numeric_map)(scaled_features(data, *vocabulary.numeric, items));
  return attribute_map(g);
}

Channels Encoders::operator()(const Dataset& data, std::span<const int32_t> items, std::span<const int32_t> queries,
                              const Mode& mode) const {
  Channels c;
  c.query = channel(encode_queries(data, queries, mode));
  // Unit vectors are unit in training too: dropout comes before.
  c.item = {channel(dropout(text_map(title_vectors(data, items, mode)), mode, "text")),
            channel(dropout(encode_attributes(data, items), mode, "attribute"))};
  for (std::size_t f = 0; f < feature_maps.size(); ++f) {
    const FeatureScale& scale = vocabulary.features[f];
    c.item.push_back(channel(dropout(feature_maps[f](scaled_features(data, scale, items)), mode, scale.channel)));
  }
  const int64_t channels = item_channels();
  c.present = Tensor::empty({std::ssize(items), channels});
  real* p = c.present.write();
  for (const int32_t item : items) {
    p[0] = data.item_words(item).empty() ? 0 : 1;
    p[1] = item != 0 ? 1 : 0;
    for (std::size_t f = 0; f < feature_maps.size(); ++f)
      p[2 + f] = data.feature(vocabulary.features[f].channel, item).empty() ? 0 : 1;
    p += channels;
  }
  return c;
}

}  // namespace seminar::inline SEMINAR_PRECISION
