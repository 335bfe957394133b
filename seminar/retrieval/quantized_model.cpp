#include "seminar/retrieval/quantized_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "tensor/finite.h"
#include "tensor/gemm.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

using Code = MultimodalQuantizer::Code;
constexpr const char* quantized_format = "seminar-pq-1";
constexpr int64_t rows_at_once = 4096;
constexpr int64_t pairs_sampled = 10000;

// Rows of `table` at most `limit`, drawn without replacement.
Tensor sample_rows(const Tensor& table, int64_t limit, const Rng& rng) {
  const int64_t n = table.size(0), count = std::min(n, limit);
  const Permutation order(n, rng);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(static_cast<int32_t>(order(i)));
  return gather_rows("quantize", table, Ids(std::move(ids)));
}

std::vector<int32_t> as_int32(const std::vector<Code>& codes) { return {codes.begin(), codes.end()}; }

std::vector<Code> load_codes(const SafetensorsFile& file, const std::string& name, int64_t rows,
                             const ProductQuantizer& quantizer) {
  const auto values = file.view<int32_t>(name);
  check(std::ssize(values) == rows * quantizer.sub_quantizers(), "{}: '{}': {} codes, expected {} x {}", file.path(),
        name, values.size(), rows, quantizer.sub_quantizers());
  std::vector<Code> codes;
  for (const int32_t v : values) {
    check(v >= 0 && v < quantizer.centroids(), "{}: '{}': code {} of {} centroids", file.path(), name, v,
          quantizer.centroids());
    codes.push_back(static_cast<Code>(v));
  }
  return codes;
}

}  // namespace

ChannelTables channel_tables(const SeminarModel& model, const Dataset& data) {
  const NoGrad guard;
  ChannelTables tables;
  const int64_t d = model.settings().dim;
  tables.query = Tensor::empty({data.queries(), d});
  const auto each_part = [](int64_t count, auto f) {
    for (int64_t begin = 0; begin < count; begin += rows_at_once) {
      std::vector<int32_t> ids(static_cast<std::size_t>(std::min(rows_at_once, count - begin)));
      std::iota(ids.begin(), ids.end(), static_cast<int32_t>(begin));
      f(begin, ids);
    }
  };
  const std::vector<int32_t> none{0};
  each_part(data.queries(), [&](int64_t begin, const std::vector<int32_t>& ids) {
    const Tensor x = model.gsu.project(model.encoders(data, none, ids, Mode())).query.value().contiguous();
    std::copy_n(x.data(), x.numel(), tables.query.write() + begin * d);
  });
  for (int64_t m = 0; m < model.encoders.item_channels(); ++m)
    tables.item.push_back(Tensor::empty({data.items() + 1, d}));
  tables.present = Tensor::empty({data.items() + 1, model.encoders.item_channels()});
  each_part(data.items() + 1, [&](int64_t begin, const std::vector<int32_t>& ids) {
    const Channels channels = model.gsu.project(model.encoders(data, ids, none, Mode()));
    for (std::size_t m = 0; m < tables.item.size(); ++m) {
      const Tensor x = channels.item[m].value().contiguous();
      std::copy_n(x.data(), x.numel(), tables.item[m].write() + begin * d);
    }
    std::copy_n(channels.present.data(), channels.present.numel(),
                tables.present.write() + begin * model.encoders.item_channels());
  });
  return tables;
}

KeySet key_set(const SeminarModel& model, const ChannelTables& tables, const std::vector<int32_t>& queries,
               const std::vector<int32_t>& items) {
  const NoGrad guard;
  const int64_t n = std::ssize(items), d = tables.query.size(1), count = std::ssize(tables.item) + 1;
  check(queries.size() == items.size(), "key_set: {} queries for {} items", queries.size(), items.size());
  Tensor x = Tensor::empty({n, count, d});
  real* y = x.write();
  for (int64_t c = 0; c < count; ++c) {
    const Tensor rows = c == 0 ? gather_rows("key_set", tables.query, Ids(queries))
                               : gather_rows("key_set", tables.item[c - 1], Ids(items));
    for (int64_t l = 0; l < n; ++l) std::copy_n(rows.data() + l * d, d, y + (l * count + c) * d);
  }
  return {x, model.fusion.weights(tables.channels(), {Ids(queries), Ids(items)}).value().contiguous(), {}};
}

QuantizedChannels quantize_model(const SeminarModel& model, const Dataset& data, const QuantizeOptions& o) {
  ChannelTables tables = channel_tables(model, data);
  std::vector<ProductQuantizer> channels;
  const Rng rng(o.seed);
  QuantizedChannels out;
  {  // what keys and targets look like: drawn behaviours, and their items without a query
    std::vector<int32_t> queries, items;
    Rng draws = rng.split("behaviours");
    for (int64_t i = 0; i < pairs_sampled; ++i) {
      const int64_t user = draws.below(data.users());
      if (data.user_items(user).empty()) continue;
      const int64_t at = draws.below(std::ssize(data.user_items(user)));
      queries.push_back(data.user_queries(user)[at]);
      items.push_back(data.user_items(user)[at]);
    }
    const Tensor keys = fused_keys(key_set(model, tables, queries, items)),
                 targets = fused_keys(key_set(model, tables, std::vector<int32_t>(items.size(), 0), items));
    out.transform = score_transform(keys, matmul(targets, model.gsu.folded()), o.sub_quantizers);
  }
  tables.query = matmul(tables.query, out.transform.key);
  for (Tensor& t : tables.item) t = matmul(t, out.transform.key);
  const auto train = [&](const Tensor& table, uint64_t channel) {
    const Tensor points = sample_rows(table, o.max_points, rng.split("sample").split(channel));
    channels.push_back(
        ProductQuantizer::train(points, o.sub_quantizers, {o.centroids, o.iterations, rng.split(channel).next()}));
  };
  train(tables.query, 0);
  for (std::size_t m = 0; m < tables.item.size(); ++m) train(tables.item[m], m + 1);
  out.quantizer = std::make_shared<MultimodalQuantizer>(std::move(channels));
  out.query = out.quantizer->channels()[0].encode(tables.query);
  for (std::size_t m = 0; m < tables.item.size(); ++m)
    out.item.push_back(out.quantizer->channels()[m + 1].encode(tables.item[m]));
  return out;
}

std::string parameter_fingerprint(const Params& params) {
  std::string sums;
  for (const NamedParam& p : params) {
    const Tensor x = p.var.value().contiguous();
    sums += checksum(std::as_bytes(std::span(x.data(), static_cast<std::size_t>(x.numel()))));
  }
  return checksum(std::as_bytes(std::span(sums)));
}

void save_quantized(const QuantizedChannels& channels, const SeminarModel& model, const std::string& path) {
  SafetensorsWriter file;
  file.meta("format", quantized_format);
  file.meta("model", parameter_fingerprint(model.params()));
  add_quantizer(file, "codebooks", *channels.quantizer);
  file.add("transform.key", channels.transform.key);
  file.add("transform.target", channels.transform.target);
  const int64_t s = channels.quantizer->channels()[0].sub_quantizers();
  const auto add = [&](const std::string& name, const std::vector<Code>& codes) {
    file.add<int32_t>(name, {std::ssize(codes) / s, s}, as_int32(codes));
  };
  add("query_codes", channels.query);
  for (std::size_t m = 0; m < channels.item.size(); ++m) add(fmt::format("item_codes.{}", m), channels.item[m]);
  file.save(path);
}

QuantizedChannels load_quantized(const std::string& path, const SeminarModel& model, const Dataset& data) {
  const SafetensorsFile file(path);
  check(file.metadata().count("format") != 0 && file.meta("format") == quantized_format,
        "{}: not codes of this program; make them with 'seminar quantize'", path);
  check(file.meta("model") == parameter_fingerprint(model.params()),
        "{}: made for another model; make it again with 'seminar quantize'", path);
  QuantizedChannels out;
  out.quantizer = std::make_shared<MultimodalQuantizer>(load_quantizer(file, "codebooks"));
  out.transform = {file.tensor("transform.key"), file.tensor("transform.target")};
  const int64_t d = model.settings().dim;
  for (const Tensor* map : {&out.transform.key, &out.transform.target}) {
    check(map->shape() == Shape({d, d}), "{}: a transform {} for width {}", path, map->shape(), d);
    const int64_t bad = first_not_finite(*map);
    check(bad < 0, "{}: number {} of a transform is not finite", path, bad);
  }
  const auto& channels = out.quantizer->channels();
  check(std::ssize(channels) == model.encoders.item_channels() + 1 && channels[0].dim() == model.settings().dim,
        "{}: {} channels of width {} for a model with {} of width {}", path, channels.size(), channels[0].dim(),
        model.encoders.item_channels() + 1, model.settings().dim);
  out.query = load_codes(file, "query_codes", data.queries(), channels[0]);
  for (std::size_t m = 0; m + 1 < channels.size(); ++m)
    out.item.push_back(load_codes(file, fmt::format("item_codes.{}", m), data.items() + 1, channels[m + 1]));
  return out;
}

}  // namespace seminar::inline SEMINAR_PRECISION
