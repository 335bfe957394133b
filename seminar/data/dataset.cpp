// Writing, opening and checking the data folder.
#include "seminar/data/dataset.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "seminar/data/csv.h"
#include "tensor/error.h"
#include "tensor/file.h"

namespace fs = std::filesystem;

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int format_version = 1;
constexpr uint64_t max_manifest = 1 << 20;
constexpr const char* manifest_name = "manifest.json";
constexpr const char* data_files[] = {"items.safetensors", "queries.safetensors", "sequences.safetensors",
                                      "vocabulary.safetensors"};

std::string file_checksum(const std::string& path) { return checksum(MappedFile(path).bytes()); }

int32_t next_id(std::size_t count) {
  check(count < std::numeric_limits<int32_t>::max(), "data set: more ids than 32 bits hold: {}", count);
  return static_cast<int32_t>(count);
}

// Texts with their counts. Ids are given by add() as texts come in and put in final order by sort().
class Vocabulary {
 public:
  int32_t add(const std::string& text) {
    const auto [it, fresh] = ids_.try_emplace(text, next_id(ids_.size()));
    if (fresh) counts_.push_back(0);
    ++counts_[static_cast<std::size_t>(it->second)];
    return it->second;
  }
  // The texts by falling count, then by text, after the empty padding; changes the ids in `uses` to match.
  std::vector<std::string> sort(std::initializer_list<std::vector<int32_t>*> uses) const {
    std::vector<std::pair<std::string, int32_t>> order(ids_.begin(), ids_.end());
    const auto key = [&](const auto& entry) {
      return std::pair<int64_t, std::string_view>(-counts_[static_cast<std::size_t>(entry.second)], entry.first);
    };
    std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
    std::vector<std::string> texts{""};
    std::vector<int32_t> final_id(order.size());
    for (const auto& [text, id] : order) {
      final_id[static_cast<std::size_t>(id)] = next_id(texts.size());
      texts.push_back(text);
    }
    for (std::vector<int32_t>* ids : uses)
      for (int32_t& id : *ids) id = final_id[static_cast<std::size_t>(id)];
    return texts;
  }

 private:
  std::unordered_map<std::string, int32_t> ids_;
  std::vector<int64_t> counts_;
};

// Rows of different lengths on their way into a file.
template <class T>
struct Rows {
  std::vector<int64_t> start{0};
  std::vector<T> values;
  void end_row() { start.push_back(static_cast<int64_t>(values.size())); }
};

Rows<uint8_t> text_rows(const std::vector<std::string>& texts) {
  Rows<uint8_t> rows;
  for (const std::string& text : texts) {
    rows.values.insert(rows.values.end(), text.begin(), text.end());
    rows.end_row();
  }
  return rows;
}

template <class T>
void add(SafetensorsWriter& writer, const std::string& name, const std::vector<T>& values) {
  writer.add<T>(name, {static_cast<int64_t>(values.size())}, values);
}

template <class T>
void add(SafetensorsWriter& writer, const std::string& start, const std::string& values, const Rows<T>& rows) {
  add(writer, start, rows.start);
  add(writer, values, rows.values);
}

void write_sequences(const RawData& data, const std::string& path) {
  Rows<int32_t> items;
  std::vector<int32_t> queries;
  std::vector<int64_t> times, ids;
  for (const RawData::User& user : data.users) {
    for (const RawData::Event& event : user.events) {
      items.values.push_back(event.item);
      queries.push_back(event.query);
      times.push_back(event.time);
    }
    items.end_row();
    ids.push_back(user.original_id);
  }
  SafetensorsWriter writer;
  add(writer, "user_start", "items", items);
  add(writer, "queries", queries);
  add(writer, "times", times);
  add(writer, "user_ids", ids);
  writer.save(path);
}

void write_texts(const RawData& data, const std::string& folder) {
  Vocabulary words, attributes;
  const auto add_words = [&](Rows<int32_t>& rows, const std::string& text) {
    for (const std::string& word : split_words(text)) rows.values.push_back(words.add(word));
    rows.end_row();
  };
  Rows<int32_t> item_words, item_attributes, query_words;
  std::vector<std::string> titles{""};
  std::vector<int64_t> original_ids{0};
  item_words.end_row();
  item_attributes.end_row();
  for (const RawData::Item& item : data.items) {
    add_words(item_words, item.text);
    for (const std::string& attribute : item.attributes) item_attributes.values.push_back(attributes.add(attribute));
    item_attributes.end_row();
    titles.push_back(item.title);
    original_ids.push_back(item.original_id);
  }
  for (const std::string& text : data.queries.texts()) add_words(query_words, text);
  const std::vector<std::string> word_texts = words.sort({&item_words.values, &query_words.values});
  const std::vector<std::string> attribute_texts = attributes.sort({&item_attributes.values});

  SafetensorsWriter items, queries, vocabulary;
  add(items, "word_start", "words", item_words);
  add(items, "attribute_start", "attributes", item_attributes);
  add(items, "title_start", "titles", text_rows(titles));
  add(items, "original_ids", original_ids);
  items.save(folder + "/items.safetensors");
  add(queries, "word_start", "words", query_words);
  add(queries, "text_start", "texts", text_rows(data.queries.texts()));
  queries.save(folder + "/queries.safetensors");
  add(vocabulary, "word_start", "words", text_rows(word_texts));
  add(vocabulary, "attribute_start", "attributes", text_rows(attribute_texts));
  vocabulary.save(folder + "/vocabulary.safetensors");
}

// Counts as the manifest has them: without the padding entries and the empty query.
std::map<std::string, int64_t> manifest_counts(const Dataset& data) {
  return {{"users", data.users()},
          {"items", data.items()},
          {"queries", data.queries() - 1},
          {"words", data.words() - 1},
          {"attributes", data.attributes() - 1},
          {"interactions", data.interactions()}};
}

// A folder that appears under its name only on commit().
class NewFolder {
 public:
  explicit NewFolder(const std::string& dir) {
    check(!dir.empty(), "output folder: the name is empty");
    std::error_code code;
    fs::path path = fs::absolute(dir, code).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();  // a trailing slash
    check(fs::is_directory(path.parent_path(), code), "{}: cannot be created: its parent folder {} does not exist", dir,
          path.parent_path().string());
    const fs::file_status status = fs::symlink_status(path, code);
    const bool empty = fs::is_directory(status) && fs::is_empty(path, code) && !code;
    check(!fs::exists(status) || empty,
          "{}: exists already and is not an empty folder; choose another name or remove it", dir);
    path_ = path.string();
    temporary_ = fmt::format("{}.tmp.{}", path_, ::getpid());
    fs::remove_all(temporary_, code);  // left by a killed process that had our id
    fs::create_directory(temporary_, code);
    check(!code, "{}: cannot be created: {}", dir, code.message());
  }
  ~NewFolder() {
    std::error_code ignored;
    if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  const std::string& temporary() const { return temporary_; }

  void commit() {
    std::error_code code;
    fs::rename(temporary_, path_, code);
    check(!code, "{}: cannot be created: {}", path_, code.message());
    temporary_.clear();
    const int parent = ::open(fs::path(path_).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent >= 0) {
      ::fsync(parent);
      ::close(parent);
    }
  }

 private:
  std::string path_, temporary_;
};

// The manifest with its members' types checked as they are taken out.
class Manifest {
 public:
  Manifest(std::string path, const std::string& text)
      : path_(std::move(path)), json_(nlohmann::json::parse(text, nullptr, false)) {
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
    if constexpr (std::is_same_v<T, double>) return value.is_number();
    if constexpr (std::is_same_v<T, uint64_t>) return value.is_number_unsigned();
    if constexpr (std::is_same_v<T, nlohmann::json>) return value.is_object();
    if constexpr (std::is_same_v<T, int64_t>)
      return value.is_number_integer() && (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX);
  }
  std::string path_;
  nlohmann::json json_;
};

void check_ids(const SafetensorsFile& file, const std::string& name, int64_t low, int64_t end) {
  for (int32_t id : file.view<int32_t>(name))
    check(id >= low && id < end, "{}: '{}': id out of range: {}, not in [{}, {})", file.path(), name, id, low, end);
}

}  // namespace

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  bool inside = false;
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool part = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
    if (part && !inside) words.emplace_back();
    if (part) words.back() += c;
    inside = part;
  }
  return words;
}

std::string checksum(std::span<const std::byte> bytes) {
  uint64_t h = 0xcbf29ce484222325ull;
  for (std::byte b : bytes) h = (h ^ static_cast<uint64_t>(b)) * 0x100000001b3ull;
  return fmt::format("{:016x}", h);
}

int32_t QueryTable::id(std::string_view text) {
  const std::vector<std::string> words = split_words(text);
  if (words.empty()) return 0;
  const auto [it, fresh] = ids_.try_emplace(fmt::format("{}", fmt::join(words, " ")), next_id(texts_.size()));
  if (fresh) texts_.emplace_back(text);
  return it->second;
}

void check_new_folder(const std::string& dir) { const NewFolder probe(dir); }

template <class T>
Dataset::Ragged<T> Dataset::ragged(const SafetensorsFile& file, const std::string& start, const std::string& values) {
  const Ragged<T> table{file.view<int64_t>(start), file.view<T>(values)};
  check(!table.start.empty() && table.start.front() == 0, "{}: '{}': does not start with 0", file.path(), start);
  check(std::is_sorted(table.start.begin(), table.start.end()), "{}: '{}': offsets go back", file.path(), start);
  check(table.start.back() == static_cast<int64_t>(table.values.size()), "{}: '{}': ends at {}, but '{}' has {} values",
        file.path(), start, table.start.back(), values, table.values.size());
  return table;
}

void Dataset::map_files(const std::string& dir) {
  for (const char* name : data_files) files_.emplace(name, SafetensorsFile(dir + "/" + name));
  const SafetensorsFile &sequences = files_.at("sequences.safetensors"), &items = files_.at("items.safetensors"),
                        &queries = files_.at("queries.safetensors"), &vocabulary = files_.at("vocabulary.safetensors");
  histories_ = ragged<int32_t>(sequences, "user_start", "items");
  history_queries_ = ragged<int32_t>(sequences, "user_start", "queries");
  times_ = ragged<int64_t>(sequences, "user_start", "times");
  user_ids_ = sequences.view<int64_t>("user_ids");
  item_words_ = ragged<int32_t>(items, "word_start", "words");
  item_attributes_ = ragged<int32_t>(items, "attribute_start", "attributes");
  titles_ = ragged<uint8_t>(items, "title_start", "titles");
  original_ids_ = items.view<int64_t>("original_ids");
  query_words_ = ragged<int32_t>(queries, "word_start", "words");
  query_texts_ = ragged<uint8_t>(queries, "text_start", "texts");
  words_ = ragged<uint8_t>(vocabulary, "word_start", "words");
  attributes_ = ragged<uint8_t>(vocabulary, "attribute_start", "attributes");
}

void Dataset::check_contents() const {
  const SafetensorsFile &item_file = files_.at("items.safetensors"), &query_file = files_.at("queries.safetensors"),
                        &sequence_file = files_.at("sequences.safetensors");
  const auto check_rows = [](const SafetensorsFile& file, const char* name, int64_t rows, int64_t expected) {
    check(rows == expected, "{}: '{}': {} rows, expected {}", file.path(), name, rows, expected);
  };
  const auto check_texts = [](const SafetensorsFile& file, const char* name, const Ragged<uint8_t>& table) {
    check(table.rows() >= 1 && table.rows() <= std::numeric_limits<int32_t>::max(), "{}: '{}': {} rows", file.path(),
          name, table.rows());
    check(table.row(0).empty(), "{}: '{}': row 0 is not empty", file.path(), name);
    for (int64_t i = 1; i < table.rows(); ++i)
      check(valid_utf8(text(table, i)), "{}: '{}': row {} is not UTF-8: {}", file.path(), name, i,
            shown(text(table, i)));
  };
  check_texts(files_.at("vocabulary.safetensors"), "words", words_);
  check_texts(files_.at("vocabulary.safetensors"), "attributes", attributes_);

  check_texts(item_file, "titles", titles_);
  check_rows(item_file, "words", item_words_.rows(), titles_.rows());
  check_rows(item_file, "attributes", item_attributes_.rows(), titles_.rows());
  check_rows(item_file, "original_ids", static_cast<int64_t>(original_ids_.size()), titles_.rows());
  check(item_words_.row(0).empty() && item_attributes_.row(0).empty(), "{}: the padding row 0 is not empty",
        item_file.path());
  check_ids(item_file, "words", 1, words());
  check_ids(item_file, "attributes", 1, attributes());

  check_texts(query_file, "texts", query_texts_);
  check_rows(query_file, "words", query_words_.rows(), query_texts_.rows());
  for (int64_t i = 0; i < queries(); ++i)
    check(query_words_.row(i).empty() == (i == 0), "{}: query {} has {} words: {}", query_file.path(), i,
          query_words_.row(i).size(), shown(text(query_texts_, i)));
  check_ids(query_file, "words", 1, words());

  check(interactions() > 0, "{}: no interactions", sequence_file.path());
  check_rows(sequence_file, "user_ids", static_cast<int64_t>(user_ids_.size()), users());
  check_ids(sequence_file, "items", 1, items() + 1);
  check_ids(sequence_file, "queries", 0, queries());
  for (int64_t user = 0; user < users(); ++user)
    check(std::is_sorted(user_times(user).begin(), user_times(user).end()), "{}: 'times': the times of user {} go back",
          sequence_file.path(), user);
}

Dataset Dataset::open(const std::string& dir) {
  const std::string path = dir + "/" + manifest_name, text = read_file(path, max_manifest);
  const Manifest manifest(path, text);
  const int64_t version = manifest.get<int64_t>("format_version");
  check(version == format_version, "{}: format_version is {}, this program reads {}", path, version, format_version);
  Dataset data;
  data.info_.kind = manifest.get<std::string>("kind");
  data.info_.sources = manifest.get_map<std::string>("sources");
  data.info_.seed = manifest.get<uint64_t>("seed");
  data.info_.options = manifest.get_map<double>("options");
  data.info_.import_counts = manifest.get_map<int64_t>("import_counts");
  const auto checksums = manifest.get_map<std::string>("checksums");
  for (const char* name : data_files) {
    const auto expected = checksums.find(name);
    check(expected != checksums.end(), "{}: no checksum of {}", path, name);
    const std::string file = dir + "/" + name, actual = file_checksum(file);
    check(actual == expected->second, "{}: damaged: its checksum is {}, the manifest says {}", file, actual,
          expected->second);
  }
  data.map_files(dir);
  data.check_contents();
  const auto counts = manifest_counts(data);
  for (const auto& [name, count] : manifest.get_map<int64_t>("counts")) {
    const auto actual = counts.find(name);
    check(actual != counts.end() && actual->second == count, "{}: counts: '{}' is {}, which the files contradict", path,
          shown(name), count);
  }
  data.fingerprint_ = checksum(std::as_bytes(std::span(text)));
  return data;
}

double Dataset::query_share() const {
  const int64_t with =
      std::count_if(history_queries_.values.begin(), history_queries_.values.end(), [](int32_t q) { return q != 0; });
  return interactions() == 0 ? 0 : static_cast<double>(with) / static_cast<double>(interactions());
}

int64_t Dataset::original_item(int32_t item) const {
  check(item >= 0 && item < std::ssize(original_ids_), "data set: id out of range: {} of {}", item,
        original_ids_.size());
  return original_ids_[static_cast<std::size_t>(item)];
}

int64_t Dataset::original_user(int64_t user) const {
  check(user >= 0 && user < std::ssize(user_ids_), "data set: id out of range: {} of {}", user, user_ids_.size());
  return user_ids_[static_cast<std::size_t>(user)];
}

void write_dataset(const RawData& data, const std::string& dir) {
  NewFolder folder(dir);
  const std::string& temporary = folder.temporary();
  write_sequences(data, temporary + "/sequences.safetensors");
  write_texts(data, temporary);
  Dataset written;
  written.map_files(temporary);
  written.check_contents();
  nlohmann::ordered_json manifest;
  manifest["format_version"] = format_version;
  manifest["kind"] = data.info.kind;
  manifest["sources"] = data.info.sources;
  manifest["seed"] = data.info.seed;
  manifest["options"] = data.info.options;
  manifest["import_counts"] = data.info.import_counts;
  manifest["counts"] = manifest_counts(written);
  for (const char* name : data_files) manifest["checksums"][name] = file_checksum(temporary + "/" + name);
  write_file(temporary + "/" + manifest_name, manifest.dump(2) + "\n");
  folder.commit();
}

}  // namespace seminar::inline SEMINAR_PRECISION
