// A trained SEMINAR model as one file for the runtime (seminar/runtime), with all that ranking needs: channel vectors
// of every item and query after G, the folded matrices of GSU and ESU, the head, texts, and product-quantization codes.
//
// Format "seminar-runtime-1", a safetensors file. C channels (the query's first), d width, H heads, I items, Q queries.
//   settings i64 [3]                       history L, K, words of a text that are read
//   query.vectors [Q, d], item.vectors.M [I + 1, d], item.present u8 [I + 1, C - 1]
//   weights [C]                            λ, then the items' shares of 1 - λ (λ form); or, for a gate,
//   gate.query [C, d], gate.bias [C], gate.item [I + 1, C]
//   gsu.ask [d, d], esu.ask [H d, d], esu.value [d, H d], age [ages, d], head.in [hidden + 1, 5 d], head.bias,
//   head.out: the last unit is always 1, its weight the bias of the output
//   item.names, item.titles, query.texts, channel.names   texts: .bytes u8, .start i64, and .order i32 of those that
//                                          are found by their bytes: items and queries
//   word.vectors [W, d], word.texts, word.bias [d], word.project [d, d]     if queries are bags of words
//   pq.codebooks [C, S, d / S, |C|], pq.ask and pq.key [d, d], pq.query u16 [Q, S], pq.item.M u16 [I + 1, S]   with
//   codes
// Tables and matrices are F32 or BF16, or I8 with NAME.scale [rows]; the rest is F32. Matrices stand one row an output.
#pragma once

#include "seminar/retrieval/quantized_model.h"

namespace seminar::inline SEMINAR_PRECISION {

struct ExportOptions {
  std::string dtype = "f32";  ///< of tables and matrices: f32, bf16 or int8
  int64_t history = 200;      ///< L and K that users get who do not ask for others
  int64_t k = 50;
};

/// Writes the file, atomically. `codes` may be null. Throws Error for another dtype or numbers that are not finite.
void export_model(const SeminarModel& model, const Dataset& data, const QuantizedChannels* codes,
                  const ExportOptions& options, const std::string& path);

}  // namespace seminar::inline SEMINAR_PRECISION
