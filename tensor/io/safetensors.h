// The safetensors container: 8-byte little-endian header length, JSON header, raw little-endian numbers. The reader is
// strict (https://github.com/huggingface/safetensors, format rules): it trusts no size in the file.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tensor/io/file.h"
#include "tensor/io/half.h"
#include "tensor/tensor.h"

namespace seminar {

/// All types of the format. Those up to f64 can be read; others are listed, counted and left alone.
enum class Dtype {
  boolean,
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  u64,
  i64,
  f16,
  bf16,
  f32,
  f64,
  f4,
  f6_e2m3,
  f6_e3m2,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  c64
};

/// As the format names it, like "BF16".
const char* name_of(Dtype dtype);

inline namespace SEMINAR_PRECISION {

/// A safetensors file, mapped and checked as a whole when opened.
class SafetensorsFile {
 public:
  /// Throws Error `path: what is wrong: value` for anything the format forbids.
  explicit SafetensorsFile(const std::string& path);

  struct Entry {
    Dtype dtype = Dtype::f32;
    Shape shape;
    std::span<const std::byte> bytes;
  };
  const std::map<std::string, Entry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::string& path() const { return file_->path(); }

  bool has(const std::string& name) const { return entries_.count(name) != 0; }
  /// The entry; throws Error naming file and tensor if it is missing.
  const Entry& entry(const std::string& name) const;
  /// Σx² over a tensor's numbers, false and true as 0 and 1; nothing for types that are not read.
  std::optional<double> square_sum(const std::string& name) const;
  /// A copy as engine numbers, from F64, F32, F16 or BF16.
  Tensor tensor(const std::string& name) const;
  /// The numbers in place, valid as long as this object (or a copy of it) lives. T is uint8_t, int8_t, uint16_t,
  /// int32_t, int64_t, float, double or Bf16 and must be the stored type.
  template <class T>
  std::span<const T> view(const std::string& name) const;
  /// Metadata value, or throws Error.
  const std::string& meta(const std::string& key) const;

 private:
  std::shared_ptr<const MappedFile> file_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

/// Collects tensors by name and writes them as one file.
class SafetensorsWriter {
 public:
  void meta(const std::string& key, const std::string& value) { metadata_[key] = value; }
  /// Engine numbers as they are when save() comes, stored as F32 (F64 in the double build).
  void add(const std::string& name, const Tensor& tensor);
  /// Plain numbers, T as in SafetensorsFile::view.
  template <class T>
  void add(const std::string& name, const Shape& shape, std::span<const T> values);
  template <class T>
  using Emit = std::function<void(std::span<const T>)>;
  /// The same for numbers that need not stand in memory together: `produce` is called by save() and hands them on piece
  /// by piece, shape.numel() in all.
  template <class T>
  void add_streamed(const std::string& name, const Shape& shape, std::function<void(const Emit<T>&)> produce);
  /// Writes atomically; the bytes depend on the contents only.
  void save(const std::string& path) const;

 private:
  struct Item {
    Dtype dtype = Dtype::f32;
    Shape shape;
    std::function<void(const Emit<std::byte>&)> produce;
  };
  std::map<std::string, Item> items_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace SEMINAR_PRECISION
}  // namespace seminar
