// What the runtime takes. `seminar export` refuses the same, so that it never writes what the runtime refuses.
#pragma once

#include <cstdint>
#include <string_view>

namespace seminar::runtime {

inline constexpr std::string_view format_prefix = "seminar-runtime-", export_format = "seminar-runtime-1";
inline constexpr int max_channels = 16;  // the query's among them
inline constexpr int max_tensors = 128;  // of a file: more than 16 channels with codes and scales have
// Hidden units: 4096 and the one that holds the bias of the output.
inline constexpr int64_t max_width = 1024, max_heads = 64, max_hidden = 4097, max_ages = 64, max_history = 1'000'000,
                         max_rows = 1 << 30, max_text_length = 1 << 20, max_centroids = 65536;
inline constexpr uint64_t max_header = 1 << 20;  // bytes

}  // namespace seminar::runtime
