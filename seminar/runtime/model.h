// A model as `seminar export` writes it (seminar/export.h lists the tensors): tables of channel vectors in the mapped
// file, small matrices as floats, texts in order. Read-only once it is open.
// C channels (the query's first), d width, H heads, S sub-quantizers of |C| centroids.
#pragma once

#include <string_view>

#include "seminar/runtime/file_index.h"
#include "tensor/vector_kernels.h"

namespace seminar::runtime {

/// Rows of numbers as they are stored: f32, bf16, or i8 with a scale a row.
struct Table {
  const std::byte* data = nullptr;
  const float* scale = nullptr;
  Dtype dtype = Dtype::f32;
  int64_t rows = 0, width = 0;
  /// Row i as floats [width].
  void row(int64_t i, float* out) const;
};

/// Texts one after the other, and their order.
struct Texts {
  const int64_t* start = nullptr;  // [count + 1]
  const std::byte* bytes = nullptr;
  const int32_t* order = nullptr;  // [count]: by bytes, each once
  int64_t count = 0, total = 0;
  /// Text i; empty where the file is damaged.
  std::string_view operator[](int64_t i) const;
  /// The number of a text, -1 if there is none.
  int32_t find(std::string_view text) const;
};

/// Memory through the caller's hooks.
class Memory {
 public:
  /// Checks the hooks; null is malloc.
  seminar_status use(const seminar_allocator* allocator);
  /// Null if there is none left, or if this machine has no such number. Aligned to 64 bytes.
  void* take(uint64_t bytes) const;
  void give(void* memory) const;

 private:
  seminar_allocator hooks_{};
};

struct Model {
  /// From a whole file in memory, which must stay. `path` is for messages during this call.
  seminar_status read(const std::byte* data, std::size_t bytes, const char* path);
  void release() { memory.give(owned); }

  /// The channel weights γ [C] of a pair whose channels are x [C, d]: `weights` [C], or the gate's if that is null.
  void pair_weights(int32_t item, const float* x, const float* weights, float* gamma) const;
  /// Channels x [C, d] of a pair; the query's are `query_vector` if it is not null.
  void pair_channels(int32_t item, int32_t query, const float* query_vector, float* x) const;
  /// The fused vector x [d] = Σ_m γ_m x_m of a pair and its weights γ; `room` has place for [C, d].
  void fuse_pair(int32_t item, int32_t query, const float* query_vector, const float* own, float* room, float* x,
                 float* gamma) const;
  /// The codes [C, S] of a pair; a given query vector is coded here, with `scratch` [d].
  seminar_status pair_codes(int32_t item, int32_t query, const float* query_vector, float* scratch,
                            uint16_t* out) const;
  /// The vector [d] of a text.
  seminar_status encode_text(std::string_view text, float* vector) const;

  int64_t item_count() const { return items[0].rows; }  // with item 0
  bool has_codes() const { return codebooks != nullptr; }

  Memory memory;
  const f32::VectorKernels* kernels = nullptr;
  int channels = 0, heads = 0, sub_quantizers = 0, centroids = 0;
  int64_t width = 0, hidden = 0, ages = 0, history = 0, k = 0, text_length = 0;

  Table queries, items[max_channels];                       ///< after G: [Q, d], per item channel [I + 1, d]
  const std::byte* present = nullptr;                       ///< [I + 1, C - 1]: 0 where an item lacks the channel
  float weights[max_channels];                              ///< λ form: λ, then the items' shares of 1 - λ
  Table gate_item;                                          ///< gate form: the items' part of the logits [I + 1, C]
  const float *gate_query = nullptr, *gate_bias = nullptr;  ///< [C, d], [C]
  const float* gsu_ask = nullptr;                           ///< [d, d], one row an output: x Σ_h W_h^Q W_h^Kᵀ
  const float* esu_ask = nullptr;                           ///< [H d, d]: x W_h^Q W_h^Kᵀ / √d
  const float* esu_value = nullptr;                         ///< [d, H d]: what the heads found times W_h^V W^O
  const float* age = nullptr;                               ///< [ages, d]
  const float *head_in = nullptr, *head_bias = nullptr, *head_out = nullptr;   ///< [hidden, 5 d], [hidden], [hidden]
  const float *codebooks = nullptr, *code_ask = nullptr, *code_key = nullptr;  ///< [C, S, d / S, |C|]; [d, d] twice
  const uint16_t *query_codes = nullptr, *item_codes[max_channels] = {};       ///< [Q, S], per item channel [I + 1, S]
  Texts item_names, titles, query_texts, words, channel_names;  ///< those of channels only in files of today
  Table word_vectors;                                           ///< [W, d], before the bias
  const float *word_bias = nullptr, *word_project = nullptr;    ///< [d]; [d, d] if the vector is normalised before G

 private:
  seminar_status locate(const FileIndex& index, const char* path);
  void* owned = nullptr;
};

/// y [rows] = matrix [rows, n] x.
inline void matvec(const f32::VectorKernels& kernels, int64_t rows, int64_t n, const float* matrix, const float* x,
                   float* y) {
  for (int64_t i = 0; i < rows; ++i) y[i] = kernels.dot(n, matrix + i * n, x);
}

}  // namespace seminar::runtime
