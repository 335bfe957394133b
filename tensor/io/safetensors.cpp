#include "tensor/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "tensor/io/text.h"

namespace seminar {

namespace {

struct DtypeInfo {
  Dtype dtype;
  const char* name;
  std::size_t bits;
};
// clang-format off
constexpr DtypeInfo dtype_info[] = {
    {Dtype::boolean, "BOOL", 8}, {Dtype::u8, "U8", 8}, {Dtype::i8, "I8", 8}, {Dtype::u16, "U16", 16},
    {Dtype::i16, "I16", 16}, {Dtype::u32, "U32", 32}, {Dtype::i32, "I32", 32}, {Dtype::u64, "U64", 64},
    {Dtype::i64, "I64", 64}, {Dtype::f16, "F16", 16}, {Dtype::bf16, "BF16", 16}, {Dtype::f32, "F32", 32},
    {Dtype::f64, "F64", 64}, {Dtype::f4, "F4", 4}, {Dtype::f6_e2m3, "F6_E2M3", 6}, {Dtype::f6_e3m2, "F6_E3M2", 6},
    {Dtype::f8_e5m2, "F8_E5M2", 8}, {Dtype::f8_e4m3, "F8_E4M3", 8}, {Dtype::f8_e8m0, "F8_E8M0", 8},
    {Dtype::f8_e4m3fnuz, "F8_E4M3FNUZ", 8}, {Dtype::f8_e5m2fnuz, "F8_E5M2FNUZ", 8}, {Dtype::c64, "C64", 64}};
// clang-format on
const DtypeInfo& info(Dtype d) {
  return *std::find_if(std::begin(dtype_info), std::end(dtype_info), [d](const DtypeInfo& i) { return i.dtype == d; });
}

}  // namespace

const char* name_of(Dtype dtype) { return info(dtype).name; }

inline namespace SEMINAR_PRECISION {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint64_t max_header = 100'000'000;  // the format's own limit
constexpr std::size_t max_depth = 4;
constexpr uint64_t max_integer = uint64_t{1} << 48;
constexpr std::size_t max_name = 1024;

template <class T>
constexpr Dtype dtype_of() {
  if constexpr (std::is_same_v<T, uint8_t>) return Dtype::u8;
  if constexpr (std::is_same_v<T, int8_t>) return Dtype::i8;
  if constexpr (std::is_same_v<T, uint16_t>) return Dtype::u16;
  if constexpr (std::is_same_v<T, int32_t>) return Dtype::i32;
  if constexpr (std::is_same_v<T, int64_t>) return Dtype::i64;
  if constexpr (std::is_same_v<T, float>) return Dtype::f32;
  if constexpr (std::is_same_v<T, double>) return Dtype::f64;
  if constexpr (std::is_same_v<T, Bf16>) return Dtype::bf16;
}

// Only whole bytes are written.
uint64_t bytes_of(Dtype dtype, const Shape& shape) {
  return info(dtype).bits / 8 * static_cast<uint64_t>(shape.numel());
}

// Calls f(x) with every number of a tensor as a double; false if its type is not read.
template <class F>
bool each_number(Dtype dtype, std::span<const std::byte> bytes, const F& f) {
  const auto each = [&]<class T>(T, auto&& convert) {
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(T)) {
      T v;
      std::memcpy(&v, bytes.data() + at, sizeof(T));
      f(static_cast<double>(convert(v)));
    }
    return true;
  };
  switch (dtype) {
    case Dtype::boolean:
      return each(uint8_t{}, [](uint8_t v) { return v != 0 ? 1 : 0; });
    case Dtype::u8:
      return each(uint8_t{}, std::identity());
    case Dtype::i8:
      return each(int8_t{}, std::identity());
    case Dtype::u16:
      return each(uint16_t{}, std::identity());
    case Dtype::i16:
      return each(int16_t{}, std::identity());
    case Dtype::u32:
      return each(uint32_t{}, std::identity());
    case Dtype::i32:
      return each(int32_t{}, std::identity());
    case Dtype::u64:
      return each(uint64_t{}, std::identity());
    case Dtype::i64:
      return each(int64_t{}, std::identity());
    case Dtype::f16:
      return each(uint16_t{}, half_to_float);
    case Dtype::bf16:
      return each(uint16_t{}, [](uint16_t v) { return std::bit_cast<float>(uint32_t{v} << 16); });
    case Dtype::f32:
      return each(float{}, std::identity());
    case Dtype::f64:
      return each(double{}, std::identity());
    default:
      return false;
  }
}

constexpr std::size_t write_buffer = std::size_t{1} << 16;

// What the header says of one tensor, before anything of it is believed.
struct Claim {
  std::string dtype;
  std::vector<uint64_t> shape, offsets;
  bool has_dtype = false, has_shape = false, has_offsets = false;
};

// A strict reader of the header: only the format's own structure, every key once, only unsigned integers.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(std::string path) : path_(std::move(path)) {}
  std::map<std::string, Claim> claims;
  std::map<std::string, std::string> metadata;

  bool null() override { return wrong("null"); }
  bool boolean(bool) override { return wrong("a boolean"); }
  bool number_integer(number_integer_t v) override { return wrong(fmt::format("{}", v)); }
  bool number_float(number_float_t, const string_t& s) override { return wrong(s); }
  bool binary(binary_t&) override { return wrong("binary"); }
  bool number_unsigned(number_unsigned_t v) override {
    if (depth_ != 3 || !list_) return wrong(fmt::format("{}", v));
    if (v > max_integer) fail("{}: header: number too large in {}: {}", path_, shown(tensor_), v);
    if (list_->size() == static_cast<std::size_t>(Shape::max_rank))
      fail("{}: header: too many sizes in {}", path_, shown(tensor_));
    list_->push_back(v);
    return true;
  }
  bool string(string_t& s) override {
    if (depth_ == 2 && in_metadata_) {
      metadata.emplace(key_, s);
      return true;
    }
    if (depth_ == 2 && key_ == "dtype") {
      claim().dtype = s;
      return true;
    }
    return wrong(shown(s));
  }
  bool start_object(std::size_t) override {
    check(++depth_ <= max_depth && !list_, "{}: header: nested too deep", path_);
    if (depth_ == 2) {
      in_metadata_ = tensor_ == "__metadata__";
      if (!in_metadata_) claims[tensor_];
      seen_.clear();
    }
    return depth_ <= 2 || wrong("an object");
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    check(++depth_ <= max_depth, "{}: header: nested too deep", path_);
    if (depth_ != 3 || in_metadata_ || (key_ != "shape" && key_ != "data_offsets")) return wrong("an array");
    list_ = key_ == "shape" ? &claim().shape : &claim().offsets;
    (key_ == "shape" ? claim().has_shape : claim().has_offsets) = true;
    return true;
  }
  bool end_array() override {
    --depth_;
    list_ = nullptr;
    return true;
  }
  bool key(string_t& k) override {
    if (k.size() > max_name || !printable(k)) fail("{}: header: name too long or not printable: {}", path_, shown(k));
    if (depth_ == 1) {
      if (!names_.insert(k).second) fail("{}: header: tensor twice: {}", path_, shown(k));
      tensor_ = k;
      return true;
    }
    if (!seen_.insert(k).second) fail("{}: header: key twice in {}: {}", path_, shown(tensor_), shown(k));
    if (!in_metadata_ && k != "dtype" && k != "shape" && k != "data_offsets")
      fail("{}: header: unknown key in {}: {}", path_, shown(tensor_), shown(k));
    key_ = k;
    return true;
  }
  bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception&) override {
    fail("{}: header: not valid JSON at byte {}", path_, at);
  }

 private:
  Claim& claim() { return claims[tensor_]; }
  bool wrong(const std::string& what) { fail("{}: header: unexpected value in {}: {}", path_, shown(tensor_), what); }

  std::string path_, tensor_, key_;
  std::set<std::string> names_, seen_;
  std::vector<uint64_t>* list_ = nullptr;
  std::size_t depth_ = 0;
  bool in_metadata_ = false;
};

SafetensorsFile::Entry checked_entry(const std::string& path, const std::string& name, const Claim& claim,
                                     std::span<const std::byte> data) {
  const std::string where = fmt::format("{}: {}", path, shown(name));
  SafetensorsFile::Entry entry;
  const auto known = std::find_if(std::begin(dtype_info), std::end(dtype_info),
                                  [&](const DtypeInfo& d) { return claim.dtype == d.name; });
  check(known != std::end(dtype_info), "{}: dtype not supported: {}", where, shown(claim.dtype));
  check(claim.has_shape && claim.has_offsets && claim.offsets.size() == 2,
        "{}: needs dtype, shape and two data_offsets", where);
  entry.dtype = known->dtype;
  // The product without zeros: strides are computed from it as well.
  uint64_t bytes = known->bits;
  bool none = false;
  for (uint64_t s : claim.shape) {
    none |= s == 0;
    check(s == 0 || (!__builtin_mul_overflow(bytes, s, &bytes) && bytes <= 8 * max_integer), "{}: shape overflows",
          where);
    entry.shape.push_back(static_cast<int64_t>(s));
  }
  check(none || bytes % 8 == 0, "{}: shape {} of {} ends within a byte", where, entry.shape, known->name);
  bytes = none ? 0 : bytes / 8;
  const uint64_t begin = claim.offsets[0], end = claim.offsets[1];
  check(begin <= end && end <= data.size(), "{}: data_offsets outside the file: [{}, {}) of {} bytes", where, begin,
        end, data.size());
  check(end - begin == bytes, "{}: shape {} needs {} bytes, data_offsets give {}", where, entry.shape, bytes,
        end - begin);
  entry.bytes = data.subspan(begin, bytes);
  return entry;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(std::make_shared<MappedFile>(path)) {
  const std::span<const std::byte> all = file_->bytes();
  check(all.size() >= 8, "{}: not a safetensors file: {} bytes", path, all.size());
  uint64_t length = 0;
  std::memcpy(&length, all.data(), 8);
  check(length <= max_header && length <= all.size() - 8, "{}: header length {} does not fit a file of {} bytes", path,
        length, all.size());
  const std::string_view text(reinterpret_cast<const char*>(all.data()) + 8, length);
  check(text.starts_with('{'), "{}: not a safetensors file: the header does not start with '{{'", path);
  const std::size_t nul = text.find('\0');  // the parser would take it for the end
  check(nul == std::string_view::npos, "{}: header: not valid JSON at byte {}: a NUL", path, nul + 1);
  HeaderReader header(path);
  nlohmann::json::sax_parse(text.begin(), text.end(), &header);
  metadata_ = std::move(header.metadata);
  const std::span<const std::byte> data = all.subspan(8 + length);
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (const auto& [name, claim] : header.claims) {
    entries_[name] = checked_entry(path, name, claim, data);
    ranges.emplace_back(claim.offsets[0], claim.offsets[1]);
  }
  std::sort(ranges.begin(), ranges.end());
  uint64_t at = 0;
  for (const auto& [begin, end] : ranges) {
    check(begin == at, "{}: tensors overlap or leave a hole at data byte {}", path, at);
    at = end;
  }
  check(at == data.size(), "{}: {} bytes follow the last tensor", path, data.size() - at);
}

const SafetensorsFile::Entry& SafetensorsFile::entry(const std::string& name) const {
  const auto it = entries_.find(name);
  check(it != entries_.end(), "{}: tensor missing: '{}'", path(), name);
  return it->second;
}

const std::string& SafetensorsFile::meta(const std::string& key) const {
  const auto it = metadata_.find(key);
  check(it != metadata_.end(), "{}: metadata missing: '{}'", path(), key);
  return it->second;
}

Tensor SafetensorsFile::tensor(const std::string& name) const {
  const Entry& e = entry(name);
  check(e.dtype == Dtype::f64 || e.dtype == Dtype::f32 || e.dtype == Dtype::f16 || e.dtype == Dtype::bf16,
        "{}: '{}': must be F64, F32, F16 or BF16, not {}", path(), name, info(e.dtype).name);
  Tensor t = Tensor::empty(e.shape);
  real* y = t.write();
  each_number(e.dtype, e.bytes, [&](double x) { *y++ = static_cast<real>(x); });
  return t;
}

std::optional<double> SafetensorsFile::square_sum(const std::string& name) const {
  const Entry& e = entry(name);
  double sum = 0;
  if (!each_number(e.dtype, e.bytes, [&](double x) { sum += x * x; })) return std::nullopt;
  return sum;
}

template <class T>
std::span<const T> SafetensorsFile::view(const std::string& name) const {
  const Entry& e = entry(name);
  check(e.dtype == dtype_of<T>(), "{}: '{}': must be {}, not {}", path(), name, info(dtype_of<T>()).name,
        info(e.dtype).name);
  check(reinterpret_cast<uintptr_t>(e.bytes.data()) % alignof(T) == 0, "{}: '{}': data not aligned", path(), name);
  return {reinterpret_cast<const T*>(e.bytes.data()), e.bytes.size() / sizeof(T)};
}

void SafetensorsWriter::add(const std::string& name, const Tensor& tensor) {
  add_streamed<real>(name, tensor.shape(), [t = tensor.contiguous()](const Emit<real>& emit) {
    emit(std::span(t.data(), static_cast<std::size_t>(t.numel())));
  });
}

template <class T>
void SafetensorsWriter::add(const std::string& name, const Shape& shape, std::span<const T> values) {
  check(shape.numel() == static_cast<int64_t>(values.size()), "safetensors: '{}': {} values for shape {}", name,
        values.size(), shape);
  add_streamed<T>(name, shape,
                  [kept = std::vector<T>(values.begin(), values.end())](const Emit<T>& emit) { emit(kept); });
}

template <class T>
void SafetensorsWriter::add_streamed(const std::string& name, const Shape& shape,
                                     std::function<void(const Emit<T>&)> produce) {
  auto bytes = [produce = std::move(produce)](const Emit<std::byte>& emit) {
    produce([&](std::span<const T> values) { emit(std::as_bytes(values)); });
  };
  check(items_.emplace(name, Item{dtype_of<T>(), shape, std::move(bytes)}).second, "safetensors: '{}' added twice",
        name);
}

void SafetensorsWriter::save(const std::string& path) const {
  // Widest numbers first, then by name, so that every tensor is aligned.
  std::vector<const std::pair<const std::string, Item>*> order;
  for (const auto& item : items_) order.push_back(&item);
  std::stable_sort(order.begin(), order.end(),
                   [](auto* a, auto* b) { return info(a->second.dtype).bits > info(b->second.dtype).bits; });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata_.empty()) header["__metadata__"] = metadata_;
  uint64_t at = 0;
  for (const auto* item : order) {
    const Item& i = item->second;
    header[item->first] = {{"dtype", info(i.dtype).name},
                           {"shape", std::vector<int64_t>(i.shape.begin(), i.shape.end())},
                           {"data_offsets", {at, at + bytes_of(i.dtype, i.shape)}}};
    at += bytes_of(i.dtype, i.shape);
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t length = text.size();
  AtomicFile file(path);
  file.write(&length, 8);
  file.write(text);
  std::string buffer;  // small pieces leave together
  for (const auto* item : order) {
    uint64_t written = 0;
    item->second.produce([&](std::span<const std::byte> bytes) {
      written += bytes.size();
      if (bytes.size() < write_buffer) buffer.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      if (bytes.size() >= write_buffer || buffer.size() >= write_buffer) {
        file.write(std::exchange(buffer, {}));
        if (bytes.size() >= write_buffer) file.write(bytes.data(), bytes.size());
      }
    });
    if (written != bytes_of(item->second.dtype, item->second.shape))
      throw Bug(fmt::format("safetensors: '{}': {} bytes for shape {}", item->first, written, item->second.shape));
  }
  file.write(buffer);
  file.commit();
}

#define SEMINAR_INSTANTIATE(T)                                                                   \
  template std::span<const T> SafetensorsFile::view<T>(const std::string&) const;                \
  template void SafetensorsWriter::add<T>(const std::string&, const Shape&, std::span<const T>); \
  template void SafetensorsWriter::add_streamed<T>(const std::string&, const Shape&,             \
                                                   std::function<void(const Emit<T>&)>);
SEMINAR_INSTANTIATE(uint8_t)
SEMINAR_INSTANTIATE(int8_t)
SEMINAR_INSTANTIATE(uint16_t)
SEMINAR_INSTANTIATE(Bf16)
SEMINAR_INSTANTIATE(int32_t)
SEMINAR_INSTANTIATE(int64_t)
SEMINAR_INSTANTIATE(float)
SEMINAR_INSTANTIATE(double)
#undef SEMINAR_INSTANTIATE

}  // namespace SEMINAR_PRECISION
}  // namespace seminar
