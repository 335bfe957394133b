// What stands where in a safetensors file: read in place, strict, without memory of its own. The sizes in the file are
// checked before they are used (the rules of tensor/io/safetensors.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "seminar/runtime/failure.h"
#include "seminar/runtime/runtime_limits.h"

namespace seminar::runtime {

enum class Dtype { u8, i8, u16, bf16, i32, f32, i64 };

/// A tensor of the file. Shorter shapes end in ones.
struct Entry {
  static constexpr int max_rank = 4;
  std::string_view name;
  Dtype dtype = Dtype::u8;
  int rank = 0;
  int64_t shape[max_rank] = {1, 1, 1, 1};
  const std::byte* data = nullptr;
  int64_t numel() const { return shape[0] * shape[1] * shape[2] * shape[3]; }
};

/// All tensors of a file.
class FileIndex {
 public:
  /// Reads the header of a whole file in memory; `path` is for messages and must stay.
  seminar_status read(const std::byte* data, std::size_t bytes, const char* path);
  /// Null if there is none.
  const Entry* find(std::string_view name) const;
  /// Value of the metadata key "format"; empty if there is none.
  std::string_view format() const { return format_; }

 private:
  friend class HeaderParser;
  Entry entries_[max_tensors];
  int count_ = 0;
  std::string_view format_;
};

}  // namespace seminar::runtime
