// Opening, reading and checking the data folder.
#include "seminar/data/dataset.h"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "seminar/data/line_reader.h"
#include "tensor/io/file.h"
#include "tensor/io/json.h"

namespace fs = std::filesystem;

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int format_version = 3;
constexpr uint64_t max_manifest = 1 << 20;
constexpr const char* manifest_name = "manifest.json";
constexpr const char *items_file = "items.safetensors", *queries_file = "queries.safetensors",
                     *sequences_file = "sequences.safetensors", *vocabulary_file = "vocabulary.safetensors",
                     *users_file = "users.safetensors", *exposures_file = "exposures.safetensors",
                     *negatives_file = "negatives.safetensors", *pictures_file = "pictures.safetensors",
                     *features_file = "features.safetensors", *truth_file = "truth.safetensors";
constexpr const char* required_files[] = {items_file, queries_file, sequences_file, vocabulary_file};
constexpr const char* optional_files[] = {users_file,    exposures_file, negatives_file,
                                          pictures_file, features_file,  truth_file};

// FNV-1a, fed piece by piece.
struct Checksum {
  uint64_t h = 0xcbf29ce484222325ull;
  void add(std::span<const std::byte> bytes) {
    for (std::byte b : bytes) h = (h ^ static_cast<uint64_t>(b)) * 0x100000001b3ull;
  }
  std::string text() const { return fmt::format("{:016x}", h); }
};

// The manifest with its members' types checked as they are taken out.
class Manifest {
 public:
  Manifest(std::string path, const std::string& text) : path_(std::move(path)), json_(parse_json(text, path_)) {
    check(json_.is_object(), "{}: not a JSON object", path_);
  }
  // Member `name`; throws Error unless it converts to T without loss.
  template <class T>
  T get(const std::string& name) const {
    const auto it = json_.find(name);
    check(it != json_.end(), "{}: member missing: '{}'", path_, name);
    check(fits<T>(*it), "{}: member of a wrong type: '{}'", path_, name);
    return it->template get<T>();
  }
  template <class T>
  std::map<std::string, T> get_map(const std::string& name) const {
    const nlohmann::json members = get<nlohmann::json>(name);
    std::map<std::string, T> map;
    for (const auto& [key, value] : members.items()) {
      check(fits<T>(value), "{}: member of a wrong type: '{}' in '{}'", path_, shown(key), name);
      map[key] = value.template get<T>();
    }
    return map;
  }

 private:
  template <class T>
  static bool fits(const nlohmann::json& value) {
    if constexpr (std::is_same_v<T, std::string>) return value.is_string();
    if constexpr (std::is_same_v<T, bool>) return value.is_boolean();
    if constexpr (std::is_same_v<T, double>) return value.is_number();
    if constexpr (std::is_same_v<T, uint64_t>) return value.is_number_unsigned();
    if constexpr (std::is_same_v<T, nlohmann::json>) return value.is_object();
    if constexpr (std::is_same_v<T, int64_t>)
      return value.is_number_integer() && (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX);
  }
  std::string path_;
  nlohmann::json json_;
};

}  // namespace

std::string checksum(std::span<const std::byte> bytes) {
  Checksum sum;
  sum.add(bytes);
  return sum.text();
}

std::string file_checksum(const std::string& path) {
  Checksum sum;
  FileReader file(path);
  std::vector<std::byte> buffer(std::size_t{1} << 16);
  while (const std::size_t n = file.read(buffer)) sum.add(std::span(buffer).first(n));
  return sum.text();
}

template <class T>
Dataset::Ragged<T> Dataset::ragged(const SafetensorsFile& file, const std::string& start, const std::string& values) {
  const Ragged<T> table{file.view<int64_t>(start), file.view<T>(values)};
  check(!table.start.empty() && table.start.front() == 0, "{}: '{}': does not start with 0", file.path(), start);
  check(table.start.back() == static_cast<int64_t>(table.values.size()), "{}: '{}': ends at {}, but '{}' has {} values",
        file.path(), start, table.start.back(), values, table.values.size());
  return table;
}

const SafetensorsFile* Dataset::optional_file(const char* name) const {
  const auto it = files_.find(name);
  return it == files_.end() ? nullptr : &it->second;
}

void Dataset::map_files(const std::string& dir) {
  for (const char* name : required_files) files_.emplace(name, SafetensorsFile(dir + "/" + name));
  for (const char* name : optional_files)
    if (fs::exists(dir + "/" + name)) files_.emplace(name, SafetensorsFile(dir + "/" + name));
  const SafetensorsFile &sequences = files_.at(sequences_file), &items = files_.at(items_file),
                        &queries = files_.at(queries_file), &vocabulary = files_.at(vocabulary_file);
  histories_ = ragged<int32_t>(sequences, "user_start", "items");
  history_queries_ = ragged<int32_t>(sequences, "user_start", "queries");
  times_ = ragged<int64_t>(sequences, "user_start", "times");
  user_ids_ = ragged<uint8_t>(sequences, "user_id_start", "user_ids");
  item_words_ = ragged<int32_t>(items, "word_start", "words");
  item_attributes_ = ragged<int32_t>(items, "attribute_start", "attributes");
  titles_ = ragged<uint8_t>(items, "title_start", "titles");
  item_ids_ = ragged<uint8_t>(items, "id_start", "ids");
  query_words_ = ragged<int32_t>(queries, "word_start", "words");
  query_texts_ = ragged<uint8_t>(queries, "text_start", "texts");
  words_ = ragged<uint8_t>(vocabulary, "word_start", "words");
  attributes_ = ragged<uint8_t>(vocabulary, "attribute_start", "attributes");
  const auto check_rows = [](const SafetensorsFile& file, const char* name, int64_t rows, int64_t expected) {
    check(rows == expected, "{}: '{}': {} rows, expected {}", file.path(), name, rows, expected);
  };
  check(histories_.rows() > 0 && interactions() > 0, "{}: no interactions", sequences.path());
  check_rows(sequences, "user_ids", user_ids_.rows(), users());
  check(titles_.rows() >= 1, "{}: 'titles': no row", items.path());
  check_rows(items, "words", item_words_.rows(), titles_.rows());
  check_rows(items, "attributes", item_attributes_.rows(), titles_.rows());
  check_rows(items, "ids", item_ids_.rows(), titles_.rows());
  check(query_texts_.rows() >= 1, "{}: 'texts': no row", queries.path());
  check_rows(queries, "words", query_words_.rows(), query_texts_.rows());
  for (const Ragged<uint8_t>* table : {&words_, &attributes_, &titles_, &query_texts_})
    check(table->rows() >= 1 && table->rows() <= std::numeric_limits<int32_t>::max(), "{}: a table of {} texts", dir,
          table->rows());
  if (const SafetensorsFile* file = optional_file(users_file)) {
    user_attributes_ = ragged<int32_t>(*file, "attribute_start", "attributes");
    user_attribute_names_ = ragged<uint8_t>(*file, "name_start", "names");
    check_rows(*file, "attributes", user_attributes_.rows(), users());
  }
  if (const SafetensorsFile* file = optional_file(exposures_file)) {
    exposure_items_ = ragged<int32_t>(*file, "user_start", "items");
    exposure_queries_ = ragged<int32_t>(*file, "user_start", "queries");
    exposure_times_ = ragged<int64_t>(*file, "user_start", "times");
    clicked_ = ragged<uint8_t>(*file, "user_start", "clicked");
    check_rows(*file, "items", exposure_items_.rows(), users());
  }
  if (const SafetensorsFile* file = optional_file(negatives_file)) {
    negatives_ = ragged<int32_t>(*file, "user_start", "items");
    check_rows(*file, "items", negatives_.rows(), users());
  }
  for (const char* name : {pictures_file, features_file})
    if (const SafetensorsFile* file = optional_file(name))
      for (const auto& [table, entry] : file->entries())
        if (table.ends_with("_row")) check_rows(*file, table.c_str(), entry.shape.numel(), titles_.rows());
}

std::map<std::string, int64_t> Dataset::counts() const {
  return {{"users", users()},
          {"items", items()},
          {"queries", queries() - 1},
          {"words", words() - 1},
          {"attributes", attributes() - 1},
          {"interactions", interactions()},
          {"exposures", static_cast<int64_t>(exposure_items_.values.size())},
          {"user_attributes", user_attribute_count() - 1}};
}

Dataset Dataset::open(const std::string& dir) {
  const std::string path = dir + "/" + manifest_name, text = read_file(path, max_manifest);
  const Manifest manifest(path, text);
  const int64_t version = manifest.get<int64_t>("format_version");
  check(version == format_version, "{}: format_version is {}, this program reads {}: import the data again", path,
        version, format_version);
  Dataset data;
  data.dir_ = dir;
  data.info_.kind = manifest.get<std::string>("kind");
  data.info_.sources = manifest.get_map<std::string>("sources");
  data.info_.seed = manifest.get<uint64_t>("seed");
  data.info_.has_times = manifest.get<bool>("has_times");
  data.info_.options = manifest.get_map<double>("options");
  data.info_.import_counts = manifest.get_map<int64_t>("import_counts");
  check(data.info_.import_counts.count("searches") != 0, "{}: member missing: 'searches' in 'import_counts'", path);
  data.checksums_ = manifest.get_map<std::string>("checksums");
  data.map_files(dir);
  for (const auto& [name, file] : data.files_)
    check(data.checksums_.count(name) != 0, "{}: no checksum of {}", path, name);
  for (const auto& [name, sum] : data.checksums_)
    check(data.files_.count(name) != 0, "{}/{}: cannot be opened: No such file or directory", dir, shown(name));
  const auto counts = data.counts();
  for (const auto& [name, count] : manifest.get_map<int64_t>("counts")) {
    const auto actual = counts.find(name);
    check(actual != counts.end() && actual->second == count, "{}: counts: '{}' is {}, which the files contradict", path,
          shown(name), count);
  }
  std::string contents = fmt::format("has_times {}", data.info_.has_times);
  for (const auto& [name, sum] : data.checksums_) contents += fmt::format("\n{} {}", name, sum);
  data.fingerprint_ = checksum(std::as_bytes(std::span(contents)));
  return data;
}

void Dataset::verify() const {
  for (const auto& [name, expected] : checksums_) {
    const std::string path = dir_ + "/" + name, actual = file_checksum(path);
    check(actual == expected, "{}: damaged: its checksum is {}, the manifest says {}; import the data again", path,
          actual, expected);
  }
  const auto path = [&](const char* file) { return files_.at(file).path(); };
  const auto check_texts = [&](const char* file, const char* name, const Ragged<uint8_t>& table) {
    check(table.row(0).empty(), "{}: '{}': row 0 is not empty", path(file), name);
    for (int64_t i = 1; i < table.rows(); ++i)
      check(valid_utf8(text(table, i)), "{}: '{}': row {} is not UTF-8: {}", path(file), name, i,
            shown(text(table, i)));
  };
  const auto check_ids = [&](const char* file, const char* name, const Ragged<int32_t>& table, int64_t low,
                             int64_t end) {
    for (int64_t i = 0; i < table.rows(); ++i)
      for (int32_t id : table.row(i))
        check(id >= low && id < end, "{}: '{}': id out of range: {}, not in [{}, {})", path(file), name, id, low, end);
  };
  check_texts(vocabulary_file, "words", words_);
  check_texts(vocabulary_file, "attributes", attributes_);
  check_texts(items_file, "titles", titles_);
  check(item_words_.row(0).empty() && item_attributes_.row(0).empty(), "{}: the padding row 0 is not empty",
        path(items_file));
  check_ids(items_file, "words", item_words_, 1, words());
  check_ids(items_file, "attributes", item_attributes_, 1, attributes());
  check_texts(queries_file, "texts", query_texts_);
  for (int64_t i = 0; i < queries(); ++i)
    check(query_words_.row(i).empty() == (i == 0), "{}: query {} has {} words: {}", path(queries_file), i,
          query_words_.row(i).size(), shown(text(query_texts_, i)));
  check_ids(queries_file, "words", query_words_, 1, words());
  check_ids(sequences_file, "items", histories_, 1, items() + 1);
  check_ids(sequences_file, "queries", history_queries_, 0, queries());
  for (int64_t user = 0; user < users(); ++user)
    check(std::is_sorted(user_times(user).begin(), user_times(user).end()), "{}: 'times': the times of user {} go back",
          path(sequences_file), user);
  if (optional_file(users_file)) check_ids(users_file, "attributes", user_attributes_, 1, user_attribute_count());
  if (optional_file(exposures_file)) {
    check_ids(exposures_file, "items", exposure_items_, 1, items() + 1);
    check_ids(exposures_file, "queries", exposure_queries_, 0, queries());
  }
  if (optional_file(negatives_file)) check_ids(negatives_file, "items", negatives_, 1, items() + 1);
  for (int32_t item = 0; item <= items(); ++item) {
    picture(item);
    if (const SafetensorsFile* file = optional_file(features_file))
      for (const auto& [name, entry] : file->entries()) {
        if (name.ends_with("_row")) continue;
        for (float v : feature(name, item))
          check(std::isfinite(v), "{}: '{}': the vector of item {} holds {}", file->path(), name, item, v);
      }
  }
}

double Dataset::query_share() const {
  return static_cast<double>(info_.import_counts.at("searches")) / static_cast<double>(interactions());
}

std::span<const int32_t> Dataset::user_attributes(int64_t user) const {
  return user_attributes_.rows() ? user_attributes_.row(user) : std::span<const int32_t>();
}

Dataset::Exposures Dataset::exposures(int64_t user) const {
  if (!has_exposures()) return {};
  return {exposure_items_.row(user), exposure_queries_.row(user), exposure_times_.row(user), clicked_.row(user)};
}

std::span<const int32_t> Dataset::negatives(int64_t user) const {
  return negatives_.rows() ? negatives_.row(user) : std::span<const int32_t>();
}

template <class T>
std::span<const T> Dataset::table_row(const char* file_name, const std::string& name, int32_t item) const {
  const SafetensorsFile* file = optional_file(file_name);
  if (!file || !file->has(name)) return {};
  const std::span<const int32_t> rows = file->view<int32_t>(name + "_row");
  check(item >= 0 && item < std::ssize(rows), "data set: id out of range: {} of {}", item, rows.size());
  const std::span<const T> values = file->view<T>(name);
  const Shape& shape = file->entry(name).shape;
  const int64_t row = rows[item], count = shape.rank() > 0 ? shape[0] : 0;
  if (row == -1) return {};
  check(row >= 0 && row < count, "{}: '{}': row out of range: {} of {}", file->path(), name, row, count);
  const std::size_t width = values.size() / static_cast<std::size_t>(count);
  return values.subspan(static_cast<std::size_t>(row) * width, width);
}

std::pair<int64_t, int64_t> Dataset::picture_size() const {
  const SafetensorsFile* file = optional_file(pictures_file);
  if (!file) return {0, 0};
  const Shape& shape = file->entry("pixels").shape;
  check(shape.rank() == 4 && shape[3] == 3, "{}: 'pixels': shape {}, expected [P, height, width, 3]", file->path(),
        shape);
  return {shape[1], shape[2]};
}

std::span<const uint8_t> Dataset::picture(int32_t item) const {
  return table_row<uint8_t>(pictures_file, "pixels", item);
}

std::vector<std::string> Dataset::feature_channels() const {
  std::vector<std::string> channels;
  if (const SafetensorsFile* file = optional_file(features_file))
    for (const auto& [name, entry] : file->entries())
      if (file->has(name + "_row")) channels.push_back(name);
  return channels;
}

int64_t Dataset::feature_width(const std::string& channel) const {
  const SafetensorsFile* file = optional_file(features_file);
  if (!file || !file->has(channel)) return 0;
  const Shape& shape = file->entry(channel).shape;
  check(shape.rank() == 2 && shape[1] > 0, "{}: '{}': shape {}, expected [P, width]", file->path(), channel, shape);
  return shape[1];
}

std::span<const float> Dataset::feature(const std::string& channel, int32_t item) const {
  return table_row<float>(features_file, channel, item);
}

std::string Dataset::feature_file() const { return dir_ + "/" + features_file; }

std::span<const int32_t> Dataset::truth(const std::string& name) const {
  const SafetensorsFile* file = optional_file(truth_file);
  check(file, "{}: has no {}: only generated data know their truth", dir_, truth_file);
  return file->view<int32_t>(name);
}

void write_manifest(const DatasetInfo& info, const std::string& folder) {
  Dataset written;
  written.map_files(folder);
  nlohmann::ordered_json manifest;
  manifest["format_version"] = format_version;
  manifest["kind"] = info.kind;
  manifest["sources"] = info.sources;
  manifest["seed"] = info.seed;
  manifest["has_times"] = info.has_times;
  manifest["options"] = info.options;
  manifest["import_counts"] = info.import_counts;
  manifest["counts"] = written.counts();
  for (const auto& [name, file] : written.files_) manifest["checksums"][name] = file_checksum(file.path());
  write_file(folder + "/" + manifest_name, manifest.dump(2) + "\n");
}

}  // namespace seminar::inline SEMINAR_PRECISION
