#include "seminar/data/features.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <unordered_map>

#include "seminar/data/csv.h"
#include "seminar/data/new_folder.h"

namespace fs = std::filesystem;

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr const char* vectors_file = "features.safetensors";
constexpr std::size_t max_npy_header = 1 << 16;

void check_finite(const std::string& path, const NamedVectors& v) {
  for (std::size_t i = 0; i < v.values.size(); ++i)
    check(std::isfinite(v.values[i]), "{}: vector {}, number {}: must be finite: {}", path,
          i / static_cast<std::size_t>(v.width), i % static_cast<std::size_t>(v.width), v.values[i]);
}

void check_shape(const std::string& path, const std::vector<int64_t>& shape) {
  check(shape.size() == 2 && shape[0] >= 1 && shape[1] >= 1 && shape[1] <= 65536,
        "{}: must hold vectors [N, width], width up to 65536: shape [{}]", path, fmt::join(shape, ", "));
}

// NumPy's format 1 to 3: magic, version, header length, a Python dictionary, the numbers.
struct NpyHeader {
  std::string descr;
  bool fortran = false;
  std::vector<int64_t> shape;
  std::size_t data = 0;
};

NpyHeader npy_header(const std::string& path, std::span<const std::byte> file) {
  const auto byte = [&](std::size_t i) { return std::to_integer<std::size_t>(file[i]); };
  check(file.size() >= 12 && std::memcmp(file.data(), "\x93NUMPY", 6) == 0, "{}: not a .npy file", path);
  check(byte(6) >= 1 && byte(6) <= 3, "{}: .npy version {} is not known", path, byte(6));
  const bool short_length = byte(6) == 1;
  const std::size_t begin = short_length ? 10 : 12,
                    length = byte(8) | byte(9) << 8 | (short_length ? 0 : byte(10) << 16 | byte(11) << 24);
  check(length <= max_npy_header && length <= file.size() - begin, "{}: header of {} bytes in a file of {}", path,
        length, file.size());
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + begin, length);
  // The value behind a key, as text up to the closing character.
  const auto value = [&](std::string_view key, char open, char close) {
    const std::size_t at = text.find(key), from = at == text.npos ? at : text.find(open, at + key.size()),
                      to = from == text.npos ? from : text.find(close, from + 1);
    check(to != text.npos, "{}: header without {}: {}", path, key, shown(text));
    return text.substr(from + 1, to - from - 1);
  };
  NpyHeader header;
  header.descr = value("'descr'", '\'', '\'');
  const std::string_view order = value("'fortran_order'", ':', ',');
  header.fortran = order.find("True") != order.npos;
  for (std::string_view part : split(value("'shape'", '(', ')'), ",")) {
    part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
    if (part.empty()) continue;
    int64_t n = 0;
    const auto [end, code] = std::from_chars(part.data(), part.data() + part.size(), n);
    check(code == std::errc() && end == part.data() + part.size() && n >= 0 && n <= (int64_t{1} << 40),
          "{}: shape: not a size: {}", path, shown(part));
    header.shape.push_back(n);
  }
  header.data = begin + length;
  return header;
}

NamedVectors read_npy(const std::string& path, std::span<const std::byte> file) {
  const NpyHeader header = npy_header(path, file);
  check(header.descr == "<f4" || header.descr == "<f8", "{}: must hold '<f4' or '<f8', not {}", path,
        shown(header.descr));
  check(!header.fortran, "{}: stands in Fortran order; save it with numpy.ascontiguousarray", path);
  check_shape(path, header.shape);
  const std::size_t width = header.descr == "<f4" ? 4 : 8, left = file.size() - header.data,
                    count = static_cast<std::size_t>(header.shape[0]) * static_cast<std::size_t>(header.shape[1]);
  check(count <= left / width && count * width == left, "{}: shape [{}] needs {} bytes, the file holds {}", path,
        fmt::join(header.shape, ", "), count * width, left);
  NamedVectors v;
  v.width = header.shape[1];
  v.values.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::byte* at = file.data() + header.data + i * width;
    double d = 0;
    if (width == 8)
      std::memcpy(&d, at, 8);
    else
      std::memcpy(&v.values[i], at, 4);
    if (width == 8) v.values[i] = static_cast<float>(d);
    check(width == 4 || !std::isfinite(d) || std::isfinite(v.values[i]),
          "{}: number {}: too large for single precision: {}", path, i, d);
  }
  return v;
}

NamedVectors read_npy(const std::string& path) {
  if (UnpackedFile(path).packed()) {
    const std::string file = read_unpacked(path);
    return read_npy(path, std::as_bytes(std::span(file)));
  }
  const MappedFile file(path);
  return read_npy(path, file.bytes());
}

NamedVectors read_safetensors(const std::string& path) {
  const SafetensorsFile file(path);
  const Tensor t = file.tensor("vectors");
  NamedVectors v;
  check_shape(path, {t.shape().begin(), t.shape().end()});
  v.width = t.size(1);
  v.values.assign(t.data(), t.data() + t.numel());
  if (file.has("names")) {
    const auto start = file.view<int64_t>("names_start");
    const auto names = file.view<uint8_t>("names");
    check(std::ssize(start) == t.size(0) + 1, "{}: 'names_start': {} numbers for {} vectors", path, start.size(),
          t.size(0));
    for (std::size_t i = 0; i + 1 < start.size(); ++i) {
      check(start[i] >= 0 && start[i] <= start[i + 1] && start[i + 1] <= std::ssize(names),
            "{}: 'names_start': {} to {} of {}", path, start[i], start[i + 1], names.size());
      v.names.emplace_back(names.begin() + start[i], names.begin() + start[i + 1]);
    }
    // Earlier versions named the vectors of texts by their lines.
    const auto source = file.metadata().find("source");
    bool numbers = source != file.metadata().end() && source->second == "texts";
    for (std::size_t i = 0; i < v.names.size(); ++i) numbers = numbers && v.names[i] == std::to_string(i + 1);
    check(!numbers, "{}: its vectors are named by line numbers, not by items: encode the texts again with --ids FILE",
          path);
  }
  return v;
}

NamedVectors read_csv(const std::string& path) {
  ReadPolicy policy;
  CsvReader csv(path, {}, policy);
  csv.check_named();
  const auto& names = csv.names();
  const std::size_t item = csv.column("item");
  check(names.size() >= 2, "{}:1: needs a column 'item' and columns of numbers", path);
  NamedVectors v;
  v.width = std::ssize(names) - 1;
  std::vector<double> total(names.size());
  std::vector<int64_t> count(names.size());
  while (csv.next()) {
    v.names.emplace_back(csv.field(item));
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (i == item) continue;
      const bool empty = csv.field(i).empty();
      const float x = empty ? 0 : csv.single(i);
      total[i] += x;
      count[i] += empty ? 0 : 1;
      v.values.push_back(empty ? NAN : x);
    }
  }
  std::size_t at = 0;
  for (std::size_t row = 0; row < v.names.size(); ++row)
    for (std::size_t i = 0; i < names.size(); ++i)
      if (i != item) {
        float& x = v.values[at++];
        if (std::isnan(x)) x = count[i] > 0 ? static_cast<float>(total[i] / static_cast<double>(count[i])) : 0;
      }
  return v;
}

}  // namespace

std::vector<std::string> read_lines(const std::string& path) {
  std::vector<std::string> all;
  ReadPolicy policy;
  LineReader lines(path, policy);
  while (lines.next()) {
    all.emplace_back(lines.line());
    if (all.back().find_first_not_of(' ') == std::string::npos) all.back().clear();
  }
  while (!all.empty() && all.back().empty()) all.pop_back();
  return all;
}

std::vector<std::string> read_names(const std::string& path) {
  std::vector<std::string> names = read_lines(path);
  const auto blank = std::find(names.begin(), names.end(), "");
  check(blank == names.end(), "{}:{}: blank line among the names", path, blank - names.begin() + 1);
  return names;
}

std::string_view without_picture_ending(std::string_view file) {
  for (const std::string_view ending : {".png", ".jpg", ".jpeg"}) {
    if (file.size() <= ending.size()) continue;
    const std::string_view own = file.substr(file.size() - ending.size());
    if (std::equal(own.begin(), own.end(), ending.begin(),
                   [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; }))
      return file.substr(0, file.size() - ending.size());
  }
  return file;
}

NamedVectors read_vectors(const std::string& path, const std::string& ids) {
  const std::string_view plain = without_packed_ending(path);
  NamedVectors v = plain.ends_with(".npy")   ? read_npy(path)
                   : plain.ends_with(".csv") ? read_csv(path)
                   : path.ends_with(".safetensors")
                       ? read_safetensors(path)
                       : (fail("{}: must end in .safetensors, .npy or .csv", path), NamedVectors());
  check(ids.empty() || v.names.empty(), "{}: brings its own names; leave --ids out", path);
  if (!ids.empty()) v.names = read_names(ids);
  const int64_t rows = std::ssize(v.values) / v.width;
  check(!v.names.empty(), "{}: has no names; give --ids FILE with one item id a line", path);
  check(std::ssize(v.names) == rows, "{}: {} names for the {} vectors of {}", ids.empty() ? path : ids, v.names.size(),
        rows, path);
  check_finite(path, v);
  return v;
}

void write_vectors(const NamedVectors& v, const std::map<std::string, std::string>& metadata, const std::string& path) {
  SafetensorsWriter file;
  for (const auto& [key, value] : metadata) file.meta(key, value);
  std::vector<int64_t> start{0};
  std::vector<uint8_t> names;
  for (const std::string& name : v.names) {
    names.insert(names.end(), name.begin(), name.end());
    start.push_back(std::ssize(names));
  }
  file.add<float>("vectors", {std::ssize(v.values) / v.width, v.width}, v.values);
  if (!v.names.empty()) {
    file.add<int64_t>("names_start", {std::ssize(start)}, start);
    file.add<uint8_t>("names", {std::ssize(names)}, names);
  }
  file.save(path);
}

FeatureCounts add_feature_channel(const std::string& dir, const std::string& channel, const NamedVectors& vectors,
                                  const std::string& out) {
  check(!channel.empty() && channel.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == channel.npos,
        "--channel: must consist of small letters, digits and '-': {}", shown(channel));
  const Dataset data = Dataset::open(dir);
  std::unordered_map<std::string_view, int32_t> items;
  for (int32_t item = 1; item <= data.items(); ++item) items.emplace(data.original_item(item), item);
  FeatureCounts counts;
  std::vector<int32_t> row(static_cast<std::size_t>(data.items()) + 1, -1);
  for (std::size_t i = 0; i < vectors.names.size(); ++i) {
    const std::string& name = vectors.names[i];
    auto it = items.find(name);
    if (it == items.end()) it = items.find(without_picture_ending(name));
    if (it == items.end()) {
      ++counts.unknown;
      continue;
    }
    int32_t& r = row[static_cast<std::size_t>(it->second)];
    check(r < 0, "--vectors: two vectors for the item {}: {} and {}", shown(it->first), r, i);
    r = static_cast<int32_t>(i);
    ++counts.items;
  }
  check(counts.items > 0, "--vectors: no name is an item's id, like {}; the first one is {}",
        shown(data.original_item(1)), shown(vectors.names[0]));

  NewFolder folder(out);
  for (const auto& entry : fs::directory_iterator(dir))
    if (const std::string name = entry.path().filename(); name.ends_with(".safetensors") && name != vectors_file)
      copy_file(entry.path().string(), folder.temporary() + "/" + name);
  SafetensorsWriter writer;
  if (fs::exists(fs::path(dir) / vectors_file)) {
    const SafetensorsFile old((fs::path(dir) / vectors_file).string());
    for (const std::string& name : data.feature_channels())
      if (name != channel) {
        const auto rows = old.view<int32_t>(name + "_row");
        writer.add<int32_t>(name + "_row", {std::ssize(rows)}, rows);
        writer.add<float>(name, old.entry(name).shape, old.view<float>(name));
      }
  }
  writer.add<int32_t>(channel + "_row", {std::ssize(row)}, row);
  writer.add<float>(channel, {std::ssize(vectors.names), vectors.width}, vectors.values);
  writer.save(folder.temporary() + "/" + vectors_file);
  DatasetInfo info = data.info();
  info.import_counts["vectors_" + channel] = counts.items;
  write_manifest(info, folder.temporary());
  folder.commit();
  return counts;
}

}  // namespace seminar::inline SEMINAR_PRECISION
