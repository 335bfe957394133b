#include "seminar/runtime/file_index.h"

#include <algorithm>
#include <cstring>

namespace seminar::runtime {
namespace {

constexpr uint64_t max_integer = uint64_t{1} << 48;

struct DtypeName {
  std::string_view name;
  Dtype dtype;
  int64_t bytes;
};
constexpr DtypeName known_dtypes[] = {{"U8", Dtype::u8, 1},     {"I8", Dtype::i8, 1},   {"U16", Dtype::u16, 2},
                                      {"BF16", Dtype::bf16, 2}, {"I32", Dtype::i32, 4}, {"F32", Dtype::f32, 4},
                                      {"I64", Dtype::i64, 8}};

}  // namespace

// The header is `{"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, ..}` and, once, "__metadata__"
// with strings. Nothing else is accepted.
class HeaderParser {
 public:
  HeaderParser(FileIndex& index, std::string_view text, const std::byte* data, uint64_t bytes, const char* path)
      : index_(index), text_(text), data_(data), bytes_(bytes), path_(path) {}

  seminar_status parse() {
    if (!object([&](std::string_view key) { return key == "__metadata__" ? metadata() : tensor(key); }) || !at_end())
      return why_ ? failed(SEMINAR_BAD_FILE, "%s: header: %s at byte %zu", path_, why_, at_ + 8)
                  : failed(SEMINAR_BAD_FILE, "%s: header: not what safetensors allows at byte %zu", path_, at_ + 8);
    return contiguous();
  }

 private:
  bool wrong(const char* why) {
    why_ = why;
    return false;
  }
  void blank() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }
  bool take(char c) {
    blank();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool at_end() {
    blank();
    return at_ == text_.size();
  }
  // A string as it stands in the file; with `plain` one without escapes.
  bool string(std::string_view& out, bool plain) {
    if (!take('"')) return false;
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (static_cast<unsigned char>(text_[at_]) < 0x20) return wrong("control character in a string");
      if (text_[at_] == '\\') {
        if (plain) return wrong("escape in a name");
        ++at_;
      }
      ++at_;
    }
    if (at_ >= text_.size()) return wrong("string without end");
    out = {text_.data() + begin, at_ - begin};
    ++at_;
    return true;
  }
  bool integer(uint64_t& out) {
    blank();
    const std::size_t begin = at_;
    out = 0;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
      out = out * 10 + static_cast<uint64_t>(text_[at_++] - '0');
      if (out > max_integer) return wrong("number too large");
    }
    return at_ > begin && (text_[begin] != '0' || at_ == begin + 1);
  }
  // `{"key": value, ..}`, the values read by `value(key)`.
  template <class Value>
  bool object(const Value& value) {
    if (!take('{')) return false;
    if (take('}')) return true;
    do {
      std::string_view key;
      if (!string(key, true) || !take(':') || !value(key)) return false;
    } while (take(','));
    return take('}');
  }
  bool integers(uint64_t* out, int most, int& count) {
    if (!take('[')) return false;
    count = 0;
    if (take(']')) return true;
    do {
      if (count == most) return wrong("too many sizes");
      if (!integer(out[count++])) return false;
    } while (take(','));
    return take(']');
  }
  bool metadata() {
    if (seen_metadata_) return wrong("metadata twice");
    seen_metadata_ = true;
    return object([&](std::string_view key) {
      std::string_view value;
      if (!string(value, false)) return false;
      if (key == "format") {
        if (!index_.format_.empty()) return wrong("key twice");
        index_.format_ = value;
      }
      return true;
    });
  }
  bool tensor(std::string_view name) {
    if (index_.find(name)) return wrong("tensor twice");
    if (index_.count_ == max_tensors) return wrong("too many tensors");
    Entry& entry = index_.entries_[index_.count_];
    entry = Entry{};
    entry.name = name;
    std::string_view dtype;
    uint64_t shape[Entry::max_rank], offsets[2];
    int pair = 0;
    bool has_dtype = false, has_shape = false, has_offsets = false;
    const auto once = [&](bool& has) { return has ? wrong("key twice") : (has = true); };
    if (!object([&](std::string_view key) {
          if (key == "dtype") return once(has_dtype) && string(dtype, true);
          if (key == "shape") return once(has_shape) && integers(shape, Entry::max_rank, entry.rank);
          if (key == "data_offsets") return once(has_offsets) && integers(offsets, 2, pair);
          return wrong("unknown key");
        }))
      return false;
    if (!has_dtype || !has_shape || pair != 2) return wrong("a tensor needs dtype, shape and two data_offsets");
    const auto* known = std::find_if(std::begin(known_dtypes), std::end(known_dtypes),
                                     [&](const DtypeName& d) { return d.name == dtype; });
    if (known == std::end(known_dtypes)) return wrong("dtype not supported");
    entry.dtype = known->dtype;
    uint64_t size = static_cast<uint64_t>(known->bytes);
    for (int i = 0; i < entry.rank; ++i) {
      if (__builtin_mul_overflow(size, shape[i], &size) || size > max_integer) return wrong("shape too large");
      entry.shape[i] = static_cast<int64_t>(shape[i]);
    }
    if (offsets[0] > offsets[1] || offsets[1] > bytes_) return wrong("data_offsets outside the file");
    if (offsets[1] - offsets[0] != size) return wrong("data_offsets and shape differ");
    entry.data = data_ + offsets[0];
    if (reinterpret_cast<uintptr_t>(entry.data) % static_cast<uintptr_t>(known->bytes) != 0)
      return wrong("data not aligned");
    begin_[index_.count_] = offsets[0];
    end_[index_.count_++] = offsets[1];
    return true;
  }
  // Every byte of the data belongs to one tensor.
  seminar_status contiguous() {
    uint64_t at = 0;
    for (int done = 0; done < index_.count_; ++done) {
      int next = -1;
      for (int i = 0; i < index_.count_; ++i)
        if (begin_[i] == at && !placed_[i] && (next < 0 || end_[i] < end_[next])) next = i;
      if (next < 0) return failed(SEMINAR_BAD_FILE, "%s: tensors overlap or leave a hole", path_);
      placed_[next] = true;
      at = end_[next];
    }
    if (at != bytes_) return failed(SEMINAR_BAD_FILE, "%s: bytes follow the last tensor", path_);
    return SEMINAR_OK;
  }

  FileIndex& index_;
  std::string_view text_;
  const std::byte* data_;
  uint64_t bytes_;
  const char* path_;
  std::size_t at_ = 0;
  const char* why_ = nullptr;
  bool seen_metadata_ = false;
  uint64_t begin_[max_tensors], end_[max_tensors];
  bool placed_[max_tensors] = {};
};

seminar_status FileIndex::read(const std::byte* data, std::size_t bytes, const char* path) {
  count_ = 0;
  format_ = {};
  uint64_t length = 0;
  if (bytes < 8) return failed(SEMINAR_BAD_FILE, "%s: not a safetensors file: %zu bytes", path, bytes);
  std::memcpy(&length, data, 8);
  if (length > max_header || length > bytes - 8)
    return failed(SEMINAR_BAD_FILE, "%s: not a model of 'seminar export': a header of %llu bytes in %zu", path,
                  static_cast<unsigned long long>(length), bytes);
  const std::string_view text(reinterpret_cast<const char*>(data) + 8, length);
  return HeaderParser(*this, text, data + 8 + length, bytes - 8 - length, path).parse();
}

const Entry* FileIndex::find(std::string_view name) const {
  for (int i = 0; i < count_; ++i)
    if (entries_[i].name == name) return &entries_[i];
  return nullptr;
}

}  // namespace seminar::runtime
