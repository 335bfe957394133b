#include "seminar/runtime/model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace seminar::runtime {
namespace {

float bf16_to_float(uint16_t v) {
  const uint32_t bits = uint32_t{v} << 16;
  float out;
  std::memcpy(&out, &bits, sizeof out);
  return out;
}

// Finds tensors of the shapes that the model needs, and keeps what is missing or wrong.
class Locator {
 public:
  Locator(const FileIndex& index, const char* path) : index_(index), path_(path) {}

  static constexpr int64_t any = -1;
  /// The tensor; null, and the failure kept, if it is missing or of another dtype or shape.
  const Entry* tensor(std::string_view name, std::initializer_list<Dtype> dtypes,
                      std::initializer_list<int64_t> shape) {
    const Entry* entry = index_.find(name);
    if (!entry) return wrong(name, "missing");
    if (std::find(dtypes.begin(), dtypes.end(), entry->dtype) == dtypes.end()) return wrong(name, "of another dtype");
    bool fits = entry->rank == static_cast<int>(shape.size());
    for (int i = 0; fits && i < entry->rank; ++i) fits = shape.begin()[i] == any || entry->shape[i] == shape.begin()[i];
    return fits ? entry : wrong(name, "of another shape");
  }
  template <class T>
  const T* array(std::string_view name, Dtype dtype, std::initializer_list<int64_t> shape) {
    const Entry* entry = tensor(name, {dtype}, shape);
    return entry ? reinterpret_cast<const T*>(entry->data) : nullptr;
  }
  Table table(std::string_view name, int64_t rows, int64_t width) {
    const Entry* entry = tensor(name, {Dtype::f32, Dtype::bf16, Dtype::i8}, {rows, width});
    if (!entry) return {};
    Table t{entry->data, nullptr, entry->dtype, entry->shape[0], entry->shape[1]};
    if (t.dtype == Dtype::i8) t.scale = array<float>(joined(name, ".scale"), Dtype::f32, {t.rows});
    return t;
  }
  /// A matrix as floats: in place, or as a copy in `arena`, which is only measured while it is null.
  const float* matrix(std::string_view name, std::initializer_list<int64_t> shape) {
    const Entry* entry = tensor(name, {Dtype::f32, Dtype::bf16, Dtype::i8}, shape);
    if (!entry || entry->numel() == 0) return nullptr;
    const float* out = reinterpret_cast<const float*>(entry->data);
    const int64_t n = entry->numel(), last = entry->shape[std::max(0, entry->rank - 1)];
    if (entry->dtype != Dtype::f32) {
      Table t{entry->data, nullptr, entry->dtype, n / last, last};
      if (t.dtype == Dtype::i8 && !(t.scale = array<float>(joined(name, ".scale"), Dtype::f32, {t.rows})))
        return nullptr;
      if (arena_) {
        for (int64_t i = 0; i < t.rows; ++i) t.row(i, arena_ + used_ + i * last);
        out = arena_ + used_;
      }
      used_ += n;
      if (!arena_) return out;
    }
    for (int64_t i = 0; i < n; ++i)
      if (!std::isfinite(out[i])) {
        wrong(name, "not finite");
        return nullptr;
      }
    return out;
  }
  Texts texts(const char* name, int64_t count, bool ordered) {
    Texts t;
    t.count = count;
    t.start = array<int64_t>(joined(name, ".start"), Dtype::i64, {count + 1});
    const Entry* bytes = tensor(joined(name, ".bytes"), {Dtype::u8}, {any});
    if (bytes) {
      t.bytes = bytes->data;
      t.total = bytes->shape[0];
    }
    if (ordered) t.order = array<int32_t>(joined(name, ".order"), Dtype::i32, {count});
    return t;
  }
  std::nullptr_t wrong(std::string_view name, const char* what) {
    if (status == SEMINAR_OK)
      status = failed(SEMINAR_BAD_FILE, "%s: '%.*s': %s; write the file again with 'seminar export'", path_,
                      static_cast<int>(name.size()), name.data(), what);
    return nullptr;
  }
  bool has(std::string_view name) const { return index_.find(name) != nullptr; }
  void fill(float* arena) {
    arena_ = arena;
    used_ = 0;
  }
  int64_t used() const { return used_; }

  seminar_status status = SEMINAR_OK;

  /// `a` and `b` as one name, valid until the next call.
  std::string_view joined(std::string_view a, std::string_view b) {
    const std::size_t first = std::min(a.size(), sizeof name_ / 2), second = std::min(b.size(), sizeof name_ / 2);
    std::memcpy(name_, a.data(), first);
    std::memcpy(name_ + first, b.data(), second);
    return {name_, first + second};
  }
  /// `name` and the number of a channel.
  std::string_view numbered(std::string_view name, int number) {
    const char digits[2] = {static_cast<char>('0' + number / 10), static_cast<char>('0' + number % 10)};
    return joined(name, std::string_view(digits + (number < 10), number < 10 ? 1 : 2));
  }

 private:
  const FileIndex& index_;
  const char* path_;
  float* arena_ = nullptr;
  int64_t used_ = 0;
  char name_[64];
};

bool is_word_byte(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

}  // namespace

void Table::row(int64_t i, float* out) const {
  const std::size_t at = static_cast<std::size_t>(i * width);
  if (dtype == Dtype::f32) {
    std::memcpy(out, data + at * sizeof(float), static_cast<std::size_t>(width) * sizeof(float));
  } else if (dtype == Dtype::bf16) {
    const uint16_t* x = reinterpret_cast<const uint16_t*>(data) + at;
    for (int64_t j = 0; j < width; ++j) out[j] = bf16_to_float(x[j]);
  } else {
    const int8_t* x = reinterpret_cast<const int8_t*>(data) + at;
    const float s = scale[i];
    for (int64_t j = 0; j < width; ++j) out[j] = s * static_cast<float>(x[j]);
  }
}

std::string_view Texts::operator[](int64_t i) const {
  if (start[i] < 0 || start[i] > start[i + 1] || start[i + 1] > total) return {};
  return {reinterpret_cast<const char*>(bytes) + start[i], static_cast<std::size_t>(start[i + 1] - start[i])};
}

int32_t Texts::find(std::string_view text) const {
  int64_t low = 0, high = count;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    const int32_t at = order[middle];
    if (at < 0 || at >= count) return -1;
    if ((*this)[at] < text)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == count || order[low] < 0 || order[low] >= count || (*this)[order[low]] != text) return -1;
  return order[low];
}

seminar_status Model::read(const std::byte* data, std::size_t bytes, const char* path) {
  if constexpr (std::endian::native != std::endian::little)
    return failed(SEMINAR_UNSUPPORTED, "%s: model files are little-endian, this machine is not", path);
  FileIndex index;
  const seminar_status status = index.read(data, bytes, path);
  const std::string_view format = index.format();
  if (format != export_format && format.size() > format_prefix.size() &&
      std::string_view(format.data(), format_prefix.size()) == format_prefix)
    return failed(SEMINAR_UNSUPPORTED, "%s: format '%.*s' of another version of seminar: this one reads '%.*s'", path,
                  static_cast<int>(std::min<std::size_t>(format.size(), 32)), format.data(),
                  static_cast<int>(export_format.size()), export_format.data());
  if (status != SEMINAR_OK) return status;
  if (format != export_format)
    return failed(SEMINAR_BAD_FILE, "%s: format '%.*s': not a model of 'seminar export'", path,
                  static_cast<int>(std::min<std::size_t>(format.size(), 32)), format.data());
  kernels = &f32::vector_kernels();
  return locate(index, path);
}

seminar_status Model::locate(const FileIndex& index, const char* path) {
  Locator at(index, path);
  const auto* settings = at.array<int64_t>("settings", Dtype::i64, {3});
  const Entry* query_table =
      at.tensor("query.vectors", {Dtype::f32, Dtype::bf16, Dtype::i8}, {Locator::any, Locator::any});
  const Entry* ask = at.tensor("esu.ask", {Dtype::f32, Dtype::bf16, Dtype::i8}, {Locator::any, Locator::any});
  const Entry* age_table = at.tensor("age", {Dtype::f32, Dtype::bf16, Dtype::i8}, {Locator::any, Locator::any});
  const Entry* hidden_bias = at.tensor("head.bias", {Dtype::f32}, {Locator::any});
  const Entry* present_table = at.tensor("item.present", {Dtype::u8}, {Locator::any, Locator::any});
  if (at.status != SEMINAR_OK) return at.status;
  history = settings[0];
  k = settings[1];
  text_length = settings[2];
  width = query_table->shape[1];
  heads = static_cast<int>(std::min<int64_t>(width > 0 ? ask->shape[0] / width : 0, max_heads + 1));
  ages = age_table->shape[0];
  hidden = hidden_bias->shape[0];
  channels = static_cast<int>(std::min<int64_t>(present_table->shape[1], max_channels)) + 1;
  const int64_t items_and_none = present_table->shape[0];
  const auto outside = [&](const char* what, int64_t value, int64_t low, int64_t high) {
    if (value >= low && value <= high) return false;
    at.status = failed(SEMINAR_BAD_FILE, "%s: %s must be from %lld to %lld: %lld", path, what,
                       static_cast<long long>(low), static_cast<long long>(high), static_cast<long long>(value));
    return true;
  };
  if (outside("history", history, 1, max_history) || outside("k", k, 1, max_history) ||
      outside("width", width, 1, max_width) || outside("heads", heads, 1, max_heads) ||
      outside("hidden", hidden, 1, max_hidden) || outside("channels", channels, 2, max_channels) ||
      outside("items", items_and_none, 2, max_rows) || outside("queries", query_table->shape[0], 1, max_rows) ||
      outside("ages", ages, 0, max_ages) || outside("text length", text_length, 1, max_text_length))
    return at.status;

  queries = at.table("query.vectors", Locator::any, width);
  for (int m = 1; m < channels; ++m)
    items[m - 1] = at.table(at.numbered("item.vectors.", m - 1), items_and_none, width);
  present = at.array<std::byte>("item.present", Dtype::u8, {items_and_none, channels - 1});
  const bool gated = at.has("gate.item");
  if (gated)
    gate_item = at.table("gate.item", items_and_none, channels);
  else if (const float* w = at.matrix("weights", {channels}))
    std::copy_n(w, channels, weights);
  for (int m = 0; m < channels && !gated && at.status == SEMINAR_OK; ++m)
    if (!(weights[m] >= 0 && weights[m] <= 1)) at.wrong("weights", "not from 0 to 1");
  const bool coded = at.has("pq.codebooks");
  if (coded) {
    const Entry* books = at.tensor("pq.codebooks", {Dtype::f32}, {channels, Locator::any, Locator::any, Locator::any});
    if (!books) return at.status;
    sub_quantizers = static_cast<int>(books->shape[1]);
    centroids = static_cast<int>(std::min<int64_t>(books->shape[3], 65537));
    if (outside("sub-quantizers", books->shape[1], 1, width) || outside("centroids", centroids, 1, max_centroids) ||
        outside("width of all sub-quantizers", books->shape[1] * books->shape[2], width, width))
      return at.status;
    query_codes = at.array<uint16_t>("pq.query", Dtype::u16, {queries.rows, sub_quantizers});
    for (int m = 1; m < channels; ++m)
      item_codes[m - 1] =
          at.array<uint16_t>(at.numbered("pq.item.", m - 1), Dtype::u16, {items_and_none, sub_quantizers});
  }
  item_names = at.texts("item.names", items_and_none, true);
  titles = at.texts("item.titles", items_and_none, false);
  query_texts = at.texts("query.texts", queries.rows, true);
  if (at.has("channel.names.start")) channel_names = at.texts("channel.names", channels, false);
  if (at.has("word.vectors")) {
    word_vectors = at.table("word.vectors", Locator::any, width);
    words = at.texts("word.texts", word_vectors.rows, true);
  }
  // Twice: what has to be copied is measured, then copied.
  for (const bool copy : {false, true}) {
    if (copy && at.used() > 0) {
      float* arena = static_cast<float*>(memory.take(static_cast<uint64_t>(at.used()) * sizeof(float)));
      if (!arena) return failed(SEMINAR_NO_MEMORY, "%s: no memory for its matrices", path);
      owned = arena;
      at.fill(arena);
    }
    gsu_ask = at.matrix("gsu.ask", {width, width});
    esu_ask = at.matrix("esu.ask", {heads * width, width});
    esu_value = at.matrix("esu.value", {width, heads * width});
    age = at.matrix("age", {ages, width});
    head_in = at.matrix("head.in", {hidden, 5 * width});
    head_bias = at.matrix("head.bias", {hidden});
    head_out = at.matrix("head.out", {hidden});
    if (gated) {
      gate_query = at.matrix("gate.query", {channels, width});
      gate_bias = at.matrix("gate.bias", {channels});
    }
    if (coded) {
      codebooks = at.matrix("pq.codebooks", {channels, sub_quantizers, width / sub_quantizers, centroids});
      code_ask = at.matrix("pq.ask", {width, width});
      code_key = at.matrix("pq.key", {width, width});
    }
    if (word_vectors.rows > 0) {
      word_bias = at.matrix("word.bias", {width});
      if (at.has("word.project")) word_project = at.matrix("word.project", {width, width});
    }
  }
  return at.status;
}

void Model::pair_channels(int32_t item, int32_t query, const float* query_vector, float* x) const {
  if (query_vector)
    std::copy_n(query_vector, width, x);
  else
    queries.row(query, x);
  for (int m = 1; m < channels; ++m) items[m - 1].row(item, x + m * width);
}

void Model::pair_weights(int32_t item, const float* x, const float* own, float* gamma) const {
  const std::byte* has = present + int64_t{item} * (channels - 1);
  if (own) {
    float shares = 0;
    for (int m = 1; m < channels; ++m) shares += has[m - 1] != std::byte{0} ? own[m] : 0;
    gamma[0] = own[0];
    for (int m = 1; m < channels; ++m)
      gamma[m] = has[m - 1] != std::byte{0} && shares > 0 ? (1 - own[0]) * own[m] / shares : 0;
    return;
  }
  float mask[max_channels] = {1};
  gate_item.row(item, gamma);
  for (int m = 0; m < channels; ++m) {
    gamma[m] += kernels->dot(width, gate_query + m * width, x) + gate_bias[m];
    if (m > 0) mask[m] = has[m - 1] != std::byte{0} ? 1 : 0;
  }
  float logits[max_channels];
  std::copy_n(gamma, channels, logits);
  kernels->softmax(channels, gamma, logits, mask);
}

void Model::fuse_pair(int32_t item, int32_t query, const float* query_vector, const float* own, float* room, float* x,
                      float* gamma) const {
  pair_channels(item, query, query_vector, room);
  pair_weights(item, room, own, gamma);
  std::fill_n(x, width, 0.0f);
  for (int m = 0; m < channels; ++m)
    if (gamma[m] != 0) kernels->axpy(width, gamma[m], room + m * width, x);
}

seminar_status Model::pair_codes(int32_t item, int32_t query, const float* query_vector, float* scratch,
                                 uint16_t* out) const {
  const int64_t s = sub_quantizers, part = width / s;
  if (query_vector) {
    matvec(*kernels, width, width, code_key, query_vector, scratch);
    for (int64_t b = 0; b < s; ++b) {
      float least = INFINITY;
      for (int64_t c = 0; c < centroids; ++c) {
        float distance = 0;
        for (int64_t j = 0; j < part; ++j) {
          const float difference = scratch[b * part + j] - codebooks[(b * part + j) * centroids + c];
          distance += difference * difference;
        }
        if (distance < least) {
          least = distance;
          out[b] = static_cast<uint16_t>(c);
        }
      }
    }
  } else {
    std::copy_n(query_codes + query * s, s, out);
  }
  for (int m = 1; m < channels; ++m) std::copy_n(item_codes[m - 1] + item * s, s, out + m * s);
  for (int64_t i = 0; i < channels * s; ++i)
    if (out[i] >= centroids)
      return failed(SEMINAR_BAD_FILE, "item %d, query %d: a code without a centroid: %d", item, query, out[i]);
  return SEMINAR_OK;
}

seminar_status Model::encode_text(std::string_view text, float* vector) const {
  if (word_vectors.rows == 0)
    return failed(SEMINAR_UNSUPPORTED, "this model's query encoder does not read words: only known queries");
  char word[256];
  float row[max_width], sum[max_width] = {};
  int64_t known = 0;
  for (std::size_t at = 0; at < text.size() && known < text_length;) {
    std::size_t n = 0;
    while (at < text.size() && !is_word_byte(static_cast<unsigned char>(text[at]))) ++at;
    for (; at < text.size() && is_word_byte(static_cast<unsigned char>(text[at])); ++at, ++n) {
      const char c = text[at];
      if (n < sizeof word) word[n] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    const int32_t id = n > 0 && n <= sizeof word ? words.find({word, n}) : -1;
    if (id <= 0) continue;
    word_vectors.row(id, row);
    kernels->axpy(width, 1, row, sum);
    ++known;
  }
  if (known == 0) return failed(SEMINAR_NOT_FOUND, "the model knows no word of the text");
  for (int64_t j = 0; j < width; ++j) sum[j] = sum[j] / static_cast<float>(known) + word_bias[j];
  if (word_project) {
    const float norm = std::max(std::sqrt(kernels->dot(width, sum, sum)), 1e-12f);
    for (int64_t j = 0; j < width; ++j) sum[j] /= norm;
    matvec(*kernels, width, width, word_project, sum, vector);
  } else {
    std::copy_n(sum, width, vector);
  }
  return SEMINAR_OK;
}

}  // namespace seminar::runtime
