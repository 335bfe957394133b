#include "seminar/encoders.h"

#include <algorithm>

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr double embedding_std = 0.1;

// The lists of several rows as one bag index; get(row) is a span of ids, of which at most `limit` count.
template <class Get>
std::pair<Ids, Ids> bags(std::span<const int32_t> rows, int64_t limit, Get get) {
  std::vector<int32_t> ids, start{0};
  for (int32_t row : rows) {
    const std::span<const int32_t> list = get(row);
    ids.insert(ids.end(), list.begin(), list.begin() + std::min<std::ptrdiff_t>(limit, std::ssize(list)));
    start.push_back(static_cast<int32_t>(ids.size()));
  }
  return {Ids(std::move(ids)), Ids(std::move(start))};
}

}  // namespace

Encoders::Encoders(const ModelSettings& s, const Vocabulary& v, Rng rng)
    : text_length(s.text_length),
      words(v.words, s.dim, rng.split("words"), embedding_std),
      attributes(v.attributes, s.dim, rng.split("attributes"), embedding_std),
      item_ids(v.items, s.dim, rng.split("item_ids"), embedding_std),
      query_map(s.dim, s.dim, rng.split("query_map")),
      text_map(s.dim, s.dim, rng.split("text_map")),
      attribute_map(s.dim, s.dim, rng.split("attribute_map")),
      empty_query(Tensor::zeros({1, s.dim})) {
  if (s.text == "transformer") text.emplace(s.dim, s.text_heads, s.text_layers, s.text_length, rng.split("text"));
}

Var Encoders::encode_text(const Dataset& data, std::span<const int32_t> items, const Mode& mode) const {
  const auto [ids, start] = bags(items, text_length, [&](int32_t item) { return data.item_words(item); });
  return text_map(text ? (*text)(words(ids), start, mode) : words.bag(ids, start));
}

Var Encoders::encode_queries(const Dataset& data, std::span<const int32_t> queries) const {
  const auto [ids, start] = bags(queries, text_length, [&](int32_t query) { return data.query_words(query); });
  const int64_t count = std::ssize(queries);
  Tensor typed = Tensor::empty({count, 1}), empty = Tensor::empty({count, 1});
  real *t = typed.write(), *e = empty.write();
  for (int64_t i = 0; i < count; ++i) {
    t[i] = queries[i] != 0 ? 1 : 0;
    e[i] = 1 - t[i];
  }
  return query_map(words.bag(ids, start)) * typed + matmul(empty, empty_query);
}

Channels Encoders::operator()(const Dataset& data, std::span<const int32_t> items, std::span<const int32_t> queries,
                              const Mode& mode) const {
  Channels c;
  c.query = encode_queries(data, queries);
  const auto [ids, start] = bags(items, INT32_MAX, [&](int32_t item) { return data.item_attributes(item); });
  const Var attribute =
      attribute_map(attributes.bag(ids, start) + item_ids(Ids(std::vector<int32_t>(items.begin(), items.end()))));
  c.item = {dropout(encode_text(data, items, mode), mode, "text"), dropout(attribute, mode, "attribute")};
  c.present = Tensor::empty({std::ssize(items), item_channels});
  real* p = c.present.write();
  for (std::size_t i = 0; i < items.size(); ++i) {
    p[2 * i] = data.item_words(items[i]).empty() ? 0 : 1;
    p[2 * i + 1] = items[i] != 0 ? 1 : 0;
  }
  return c;
}

}  // namespace seminar::inline SEMINAR_PRECISION
