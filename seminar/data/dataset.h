// The data set on disk: one folder of safetensors files and a manifest, written whole by the importers and opened
// memory-mapped. Not here: splits into training and test parts, batches.
//
// Item ids run from 1, item 0 is the empty padding row; query 0 is the empty query; word 0 and attribute 0 are padding.
//   sequences.safetensors   user_start i64 [U+1], items i32 [N], queries i32 [N], times i64 [N], user_ids i64 [U]
//   items.safetensors       word_start i64 [I+2], words i32, attribute_start i64 [I+2], attributes i32,
//                           title_start i64 [I+2], titles u8, original_ids i64 [I+1]
//   queries.safetensors     word_start i64 [Q+1], words i32, text_start i64 [Q+1], texts u8
//   vocabulary.safetensors  word_start i64 [W+1], words u8, attribute_start i64 [A+1], attributes u8
//   manifest.json           where the data come from, counts (all without the entries 0), checksums of the other files
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tensor/real.h"
#include "tensor/safetensors.h"

namespace seminar::inline SEMINAR_PRECISION {

/// The words of a text: runs of ASCII letters, digits and bytes from 0x80, ASCII letters in lower case.
std::vector<std::string> split_words(std::string_view text);

/// 64-bit FNV-1a as 16 hex digits. It finds damage; it does not protect against forgery.
std::string checksum(std::span<const std::byte> bytes);

/// Where a data set comes from.
struct DatasetInfo {
  std::string kind;                            ///< importer, like "movielens"
  std::map<std::string, std::string> sources;  ///< checksum of each input file, by its name without folder
  uint64_t seed = 0;
  std::map<std::string, double> options;         ///< the importer's options and filters
  std::map<std::string, int64_t> import_counts;  ///< what the importer made, left out and so on
};

/// Distinct queries by id from 1. Queries with the same words are one query, kept in its first spelling.
class QueryTable {
 public:
  /// The id of `text`; 0 if it has no words.
  int32_t id(std::string_view text);
  /// Texts by id; the first is the empty query.
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::vector<std::string> texts_{""};
  std::unordered_map<std::string, int32_t> ids_;
};

/// What an importer read, before ids of words and attributes are given.
struct RawData {
  struct Event {
    int32_t item = 0;   ///< position in `items` plus 1
    int32_t query = 0;  ///< from `queries`, 0 for none
    int64_t time = 0;   ///< Unix time, s
  };
  struct User {
    int64_t original_id = 0;
    std::vector<Event> events;  ///< in time order
  };
  struct Item {
    int64_t original_id = 0;
    std::string title;  ///< for people to read
    std::string text;   ///< what the item's words are taken from
    std::vector<std::string> attributes;
  };
  DatasetInfo info;
  std::vector<User> users;
  std::vector<Item> items;
  QueryTable queries;
};

/// Throws Error unless write_dataset() could create `dir`: its parent must exist and be writable, it must itself be
/// missing or an empty folder. Called before long work, not after it.
void check_new_folder(const std::string& dir);

/// Writes `data` as the folder `dir`, which appears only when complete; on an Error nothing is left behind. Words and
/// attributes get ids by falling count, then by text; equal data give equal bytes.
void write_dataset(const RawData& data, const std::string& dir);

/// A data set, mapped read-only and checked as a whole when opened. Copies share the files. The accessors throw Error
/// for an id out of range; what they return is valid as long as the data set or a copy of it lives.
class Dataset {
 public:
  /// Throws Error `file: what is wrong: value` if anything is missing, damaged or contradictory.
  static Dataset open(const std::string& dir);

  const DatasetInfo& info() const { return info_; }
  /// Checksum of the manifest and so of all files: identifies the data in model files.
  const std::string& fingerprint() const { return fingerprint_; }

  int64_t users() const { return histories_.rows(); }
  int64_t items() const { return titles_.rows() - 1; }               ///< without the padding row: ids are 1..items()
  int64_t queries() const { return query_words_.rows(); }            ///< with the empty query 0
  int64_t words() const { return words_.rows(); }                    ///< with the padding 0
  int64_t attributes() const { return attributes_.rows(); }          ///< with the padding 0
  int64_t interactions() const { return histories_.values.size(); }  ///< of all users together
  /// Share of the interactions that have a query, in [0, 1].
  double query_share() const;

  /// A user's (0..users()-1) history in time order: items, queries (0 for none) and Unix times in s.
  std::span<const int32_t> user_items(int64_t user) const { return histories_.row(user); }
  std::span<const int32_t> user_queries(int64_t user) const { return history_queries_.row(user); }
  std::span<const int64_t> user_times(int64_t user) const { return times_.row(user); }

  std::span<const int32_t> item_words(int32_t item) const { return item_words_.row(item); }
  std::span<const int32_t> item_attributes(int32_t item) const { return item_attributes_.row(item); }
  std::span<const int32_t> query_words(int32_t query) const { return query_words_.row(query); }

  std::string_view title(int32_t item) const { return text(titles_, item); }
  std::string_view query_text(int32_t query) const { return text(query_texts_, query); }
  std::string_view word(int32_t id) const { return text(words_, id); }
  std::string_view attribute(int32_t id) const { return text(attributes_, id); }

  /// Ids in the source.
  int64_t original_item(int32_t item) const;
  int64_t original_user(int64_t user) const;

 private:
  friend void write_dataset(const RawData& data, const std::string& dir);
  // Rows of different lengths: row i is values[start[i], start[i + 1]).
  template <class T>
  struct Ragged {
    std::span<const int64_t> start;
    std::span<const T> values;
    int64_t rows() const { return static_cast<int64_t>(start.size()) - 1; }
    std::span<const T> row(int64_t i) const {
      check(i >= 0 && i < rows(), "data set: id out of range: {} of {}", i, rows());
      const auto at = start.begin() + i;
      return values.subspan(static_cast<std::size_t>(at[0]), static_cast<std::size_t>(at[1] - at[0]));
    }
  };
  template <class T>
  static Ragged<T> ragged(const SafetensorsFile& file, const std::string& start, const std::string& values);
  static std::string_view text(const Ragged<uint8_t>& table, int64_t id) {
    const std::span<const uint8_t> row = table.row(id);
    return {reinterpret_cast<const char*>(row.data()), row.size()};
  }
  friend void write_dataset(const RawData& data, const std::string& dir);
  Dataset() = default;
  void map_files(const std::string& dir);
  void check_contents() const;

  DatasetInfo info_;
  std::string fingerprint_;
  std::map<std::string, SafetensorsFile> files_;
  Ragged<int32_t> histories_, history_queries_, item_words_, item_attributes_, query_words_;
  Ragged<int64_t> times_;
  Ragged<uint8_t> titles_, query_texts_, words_, attributes_;
  std::span<const int64_t> user_ids_, original_ids_;
};

}  // namespace seminar::inline SEMINAR_PRECISION
