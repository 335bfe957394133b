#include "seminar/export.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "seminar/evaluation/attention_profile.h"
#include "seminar/runtime/runtime_limits.h"
#include "tensor/finite.h"
#include "tensor/gemm.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr real int8_most = 127;

// The last two axes swapped, in order.
Tensor transposed(const Tensor& x) { return x.swap_axes(-1, -2).contiguous(); }

class Exporter {
 public:
  Exporter(const SeminarModel& model, const Dataset& data, const ExportOptions& options)
      : model_(model), data_(data), options_(options), tables_(channel_tables(model, data)) {}

  void write(const QuantizedChannels* codes, const std::string& path) {
    check_limits();
    file_.meta("format", std::string(runtime::export_format));
    file_.meta("kind", model_.kind());
    ModelSettings settings = model_.settings();
    file_.meta("settings", settings_json(settings));
    file_.meta("dtype", options_.dtype);
    file_.meta("channels", nlohmann::json(channel_names(model_)).dump());
    file_.meta("data", data_.fingerprint());
    file_.meta("model", parameter_fingerprint(model_.params()));
    const std::vector<int64_t> numbers{options_.history, options_.k, settings.text_length};
    file_.add<int64_t>("settings", {3}, numbers);
    add_pairs();
    add_units();
    add_texts();
    if (codes) add_codes(*codes);
    file_.save(path);
  }

 private:
  // What the runtime takes (seminar/runtime/runtime_limits.h).
  void check_limits() const {
    const ModelSettings& s = model_.settings();
    const auto within = [](const char* what, int64_t value, int64_t low, int64_t high) {
      check(value >= low && value <= high, "export: {} must be from {} to {}: {}", what, low, high, value);
    };
    within("channels", std::ssize(tables_.item) + 1, 2, runtime::max_channels);
    within("dim", s.dim, 1, runtime::max_width);
    within("heads", s.heads, 1, runtime::max_heads);
    within("hidden", s.hidden + 1, 2, runtime::max_hidden);
    within("ages", s.ages, 0, runtime::max_ages);
    within("words of a text", s.text_length, 1, runtime::max_text_length);
    within("items", data_.items() + 1, 2, runtime::max_rows);
    within("queries", data_.queries(), 1, runtime::max_rows);
    within("history", options_.history, 1, runtime::max_history);
    within("k", options_.k, 1, runtime::max_history);
  }

  void check_finite(const std::string& name, const Tensor& x) const {
    const int64_t bad = first_not_finite(x);
    if (bad >= 0)
      fail("export: '{}': number {} is {}: the model is not fit for use", name, bad, x.contiguous().data()[bad]);
  }
  // Small arrays that stay as they are.
  void add_plain(const std::string& name, const Tensor& x) {
    check_finite(name, x);
    std::vector<float> values;
    for (const real v : x.to_vector()) values.push_back(static_cast<float>(v));
    file_.add<float>(name, x.shape(), values);
  }
  // A table or matrix [.., n] in the chosen dtype.
  void add(const std::string& name, const Tensor& source) {
    if (options_.dtype == "f32") return add_plain(name, source);
    check_finite(name, source);
    const Tensor x = source.contiguous();
    const int64_t n = x.size(-1), rows = x.numel() / std::max<int64_t>(n, 1);
    if (options_.dtype == "bf16") {
      std::vector<Bf16> values;
      for (int64_t i = 0; i < x.numel(); ++i) values.push_back(bf16_of(static_cast<float>(x.data()[i])));
      return file_.add<Bf16>(name, x.shape(), values);
    }
    std::vector<int8_t> values;
    std::vector<float> scales;
    for (int64_t r = 0; r < rows; ++r) {
      const std::span<const real> row(x.data() + r * n, static_cast<std::size_t>(n));
      real most = 0;
      for (const real v : row) most = std::max(most, std::abs(v));
      scales.push_back(static_cast<float>(most / int8_most));
      for (const real v : row) values.push_back(static_cast<int8_t>(most > 0 ? std::lround(v / most * int8_most) : 0));
    }
    file_.add<int8_t>(name, x.shape(), values);
    file_.add<float>(name + ".scale", {rows}, scales);
  }

  void add_pairs() {
    add("query.vectors", tables_.query);
    for (std::size_t m = 0; m < tables_.item.size(); ++m) add(fmt::format("item.vectors.{}", m), tables_.item[m]);
    std::vector<uint8_t> present;
    for (const real v : tables_.present.to_vector()) present.push_back(v != 0 ? 1 : 0);
    file_.add<uint8_t>("item.present", tables_.present.shape(), present);
    const NoGrad guard;
    const Fusion& fusion = model_.fusion;
    if (fusion.item_logits) {
      const Tensor shares = softmax(*fusion.item_logits).value();
      add_plain("weights", concat({Tensor::full({1}, static_cast<real>(fusion.lambda)), shares}, 0).value());
      return;
    }
    add("gate.query", fusion.gate[0].weight.var().value());
    add_plain("gate.bias", fusion.gate[0].bias->var().value());
    Var items;
    for (std::size_t m = 0; m < tables_.item.size(); ++m) {
      const Var part = fusion.gate[m + 1](tables_.item[m]);
      items = items.defined() ? items + part : part;
    }
    add("gate.item", items.value());
  }

  void add_units() {
    const NoGrad guard;
    const int64_t d = model_.settings().dim, h = model_.settings().heads;
    const TargetAttention& attention = model_.esu.attention;
    add("gsu.ask", transposed(model_.gsu.folded()));
    // Row o of a head holds what its output o is made of: (W^Q W^Kᵀ)ᵀ = W^K W^Qᵀ.
    const Tensor ask =
        scale(matmul_transposed(attention.wk, attention.wq), 1 / std::sqrt(static_cast<real>(d))).value();
    add("esu.ask", ask.reshape({h * d, d}));
    const Tensor value = matmul(attention.wv, reshape(attention.wo, {h, d, d})).value();  // [H, d, d]: W_h^V W_h^O
    add("esu.value", transposed(value.reshape({h * d, d})));
    add("age", model_.esu.age.table ? model_.esu.age.table->var().value() : Tensor::zeros({0, d}));
    check(!model_.side, "export: the runtime has no features of users or of the moment: train with --side none, not {}",
          model_.settings().side);
    check(model_.settings().search_by == "pair",
          "export: the runtime searches by the pair: train with --search-by pair, not {}", model_.settings().search_by);
    const std::vector<Linear>& layers = model_.head.mlp.layers;
    if (layers.size() != 2) throw Bug("export: the head has other layers than the runtime");
    // The output's bias is the weight of one more hidden unit, which is always 1.
    const int64_t hidden = model_.settings().hidden;
    add("head.in", concat({with_mean(layers[0].weight, d), Tensor::zeros({1, 5 * d})}, 0).value());
    add_plain("head.bias", concat({*layers[0].bias, Tensor::full({1}, 1)}, 0).value());
    add_plain("head.out", concat({reshape(layers[1].weight, {hidden}), *model_.head.bias}, 0).value());
  }

  // The head's first layer [hidden, 5 d] as the runtime has it: without the mean of the history its columns are zeros.
  Var with_mean(const Var& weight, int64_t d) const {
    if (model_.head.history_mean) return weight;
    const Tensor none = Tensor::zeros({weight.size(0), d});
    return concat({slice(weight, 1, 0, d), none, slice(weight, 1, d, 3 * d), none}, 1);
  }

  // `count` texts, with their order by bytes if they are to be found.
  template <class Get>
  void add_text(const std::string& name, int64_t count, bool ordered, const Get& get) {
    std::vector<uint8_t> bytes;
    std::vector<int64_t> start{0};
    std::vector<int32_t> order(static_cast<std::size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
      const std::string_view text = get(static_cast<int32_t>(i));
      bytes.insert(bytes.end(), text.begin(), text.end());
      start.push_back(std::ssize(bytes));
    }
    file_.add<uint8_t>(name + ".bytes", {std::ssize(bytes)}, bytes);
    file_.add<int64_t>(name + ".start", {count + 1}, start);
    if (!ordered) return;
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return get(a) < get(b); });
    file_.add<int32_t>(name + ".order", {count}, order);
  }

  void add_texts() {
    const int64_t items = data_.items() + 1;
    add_text("item.names", items, true,
             [&](int32_t i) { return i == 0 ? std::string_view() : data_.original_item(i); });
    add_text("item.titles", items, false, [&](int32_t i) { return i == 0 ? std::string_view() : data_.title(i); });
    const std::vector<std::string> channels = channel_names(model_);
    add_text("channel.names", std::ssize(channels), false,
             [&](int32_t i) { return std::string_view(channels[static_cast<std::size_t>(i)]); });
    add_text("query.texts", data_.queries(), true, [&](int32_t i) { return data_.query_text(i); });
    const Encoders& e = model_.encoders;
    if (e.query_transformer || e.vocabulary.tokenizer) return;
    // The mean of word vectors goes through linear maps: they are applied to the words already. Unit norms stand
    // between.
    const NoGrad guard;
    Tensor words = matmul_transposed(e.words.table, e.query_map.weight).value(),
           bias = e.query_map.bias->var().value().reshape({1, model_.settings().dim});
    const Tensor g = model_.gsu.g[0].var().value();
    if (e.unit_norms) {
      add("word.project", transposed(g));
    } else {
      words = matmul(words, g);
      bias = matmul(bias, g);
    }
    add("word.vectors", words);
    add_plain("word.bias", bias.reshape({model_.settings().dim}));
    add_text("word.texts", data_.words(), true, [&](int32_t i) { return data_.word(i); });
  }

  void add_codes(const QuantizedChannels& codes) {
    const std::vector<ProductQuantizer>& channels = codes.quantizer->channels();
    const Shape one = channels[0].codebooks().shape();
    std::vector<Var> books;
    books.reserve(channels.size());
    for (const ProductQuantizer& q : channels)
      books.emplace_back(transposed(q.codebooks()).reshape({1, one[0], one[2], one[1]}));
    const NoGrad guard;
    add_plain("pq.codebooks", concat(books, 0).value());
    add("pq.ask", transposed(matmul(model_.gsu.folded(), codes.transform.target)));
    add("pq.key", transposed(codes.transform.key));
    const int64_t s = one[0];
    const auto add_rows = [&](const std::string& name, const std::vector<MultimodalQuantizer::Code>& rows) {
      file_.add<uint16_t>(name, {std::ssize(rows) / s, s}, rows);
    };
    add_rows("pq.query", codes.query);
    for (std::size_t m = 0; m < codes.item.size(); ++m) add_rows(fmt::format("pq.item.{}", m), codes.item[m]);
  }

  const SeminarModel& model_;
  const Dataset& data_;
  const ExportOptions& options_;
  ChannelTables tables_;
  SafetensorsWriter file_;
};

}  // namespace

void export_model(const SeminarModel& model, const Dataset& data, const QuantizedChannels* codes,
                  const ExportOptions& options, const std::string& path) {
  check(options.dtype == "f32" || options.dtype == "bf16" || options.dtype == "int8",
        "--dtype: must be f32, bf16 or int8: '{}'", options.dtype);
  check(options.k <= options.history, "--k: must be at most --history, {}: {}", options.history, options.k);
  Exporter(model, data, options).write(codes, path);
}

}  // namespace seminar::inline SEMINAR_PRECISION
