// The data set on disk: one folder of safetensors files and a manifest, written whole (dataset_builder.h) and opened
// memory-mapped without reading it. Not here: splits into training and test parts, batches.
//
// Item ids run from 1, item 0 is the empty padding row; query 0 is the empty query; word 0 and attribute 0 are padding.
//   sequences.safetensors   user_start i64 [U+1], items i32 [N], queries i32 [N], times i64 [N] (us since 1970),
//                           user_id_start i64 [U+1], user_ids u8 (ids in the source, as text)
//   items.safetensors       word_start i64 [I+2], words i32, attribute_start i64 [I+2], attributes i32,
//                           title_start i64 [I+2], titles u8, id_start i64 [I+2], ids u8
//   queries.safetensors     word_start i64 [Q+1], words i32, text_start i64 [Q+1], texts u8
//   vocabulary.safetensors  word_start i64 [W+1], words u8, attribute_start i64 [A+1], attributes u8
//   manifest.json           where the data come from, counts (all without the entries 0), checksums of the other files
// and, where the source has them:
//   users.safetensors       attribute_start i64 [U+1], attributes i32, name_start i64, names u8
//   exposures.safetensors   user_start i64 [U+1], items i32, queries i32, times i64, clicked u8: what was shown
//   negatives.safetensors   user_start i64 [U+1], items i32: the source's own negatives of the test targets
//   pictures.safetensors    pixels_row i32 [I+1] (-1: none), pixels u8 [P, height, width, 3]
//   features.safetensors    per channel NAME_row i32 [I+1] (-1: none), NAME f32 [P, width]: vectors made elsewhere
//   truth.safetensors       what a generator planted, for the studies
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seminar/data/text.h"
#include "tensor/io/safetensors.h"
#include "tensor/real.h"

namespace seminar::inline SEMINAR_PRECISION {

/// 64-bit FNV-1a as 16 hex digits. It finds damage; it does not protect against forgery.
std::string checksum(std::span<const std::byte> bytes);
/// The same of a file, read piece by piece.
std::string file_checksum(const std::string& path);

/// Where a data set comes from.
struct DatasetInfo {
  std::string kind;                            ///< importer, like "movielens"
  std::map<std::string, std::string> sources;  ///< checksum of each input file, by its name without folder
  uint64_t seed = 0;
  bool has_times = true;                         ///< false: actions are only in order, their times are places in it
  std::map<std::string, double> options;         ///< the importer's options and filters
  std::map<std::string, int64_t> import_counts;  ///< what the importer made, left out and so on
};

/// Writes manifest.json for the files in `folder`.
void write_manifest(const DatasetInfo& info, const std::string& folder);

/// A data set, mapped read-only. Opening checks the structure of the files, not their contents: every accessor checks
/// what it is asked for, so damage is an Error, never a crash; verify() reads everything. Copies share the files. What
/// the accessors return is valid as long as the data set or a copy of it lives.
class Dataset {
 public:
  /// Throws Error `file: what is wrong: value` if a file is missing, cut short or of another layout.
  static Dataset open(const std::string& dir);
  /// Reads all files and throws Error if a checksum, an id, an order or a text is wrong.
  void verify() const;

  const DatasetInfo& info() const { return info_; }
  /// Checksum of what the files hold, whatever they were imported from: identifies the data in model files.
  const std::string& fingerprint() const { return fingerprint_; }

  int64_t users() const { return histories_.rows(); }
  int64_t items() const { return titles_.rows() - 1; }               ///< without the padding row: ids are 1..items()
  int64_t queries() const { return query_words_.rows(); }            ///< with the empty query 0
  int64_t words() const { return words_.rows(); }                    ///< with the padding 0
  int64_t attributes() const { return attributes_.rows(); }          ///< with the padding 0
  int64_t interactions() const { return histories_.values.size(); }  ///< of all users together
  /// Share of the interactions that have a query, in [0, 1], as the manifest counts them.
  double query_share() const;

  /// A user's (0..users()-1) history in time order: items, queries (0 for none) and Unix times in µs.
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
  std::string_view original_item(int32_t item) const { return text(item_ids_, item); }
  std::string_view original_user(int64_t user) const { return text(user_ids_, user); }

  /// Attributes of users: how many there are (with the padding 0), a user's, their names.
  int64_t user_attribute_count() const { return std::max<int64_t>(1, user_attribute_names_.rows()); }
  std::span<const int32_t> user_attributes(int64_t user) const;
  std::string_view user_attribute(int32_t id) const { return text(user_attribute_names_, id); }
  /// What was shown to a user, in time order; empty if the source does not say.
  struct Exposures {
    std::span<const int32_t> items, queries;
    std::span<const int64_t> times;
    std::span<const uint8_t> clicked;
  };
  bool has_exposures() const { return exposure_items_.rows() > 0; }
  Exposures exposures(int64_t user) const;
  /// The source's own negatives of a user's test target; empty if it has none.
  std::span<const int32_t> negatives(int64_t user) const;
  /// Pictures: their height and width (0 if there are none), and an item's RGB bytes, empty if it has none.
  std::pair<int64_t, int64_t> picture_size() const;
  std::span<const uint8_t> picture(int32_t item) const;
  /// Channels of vectors that were made elsewhere, in order of their names.
  std::vector<std::string> feature_channels() const;
  /// Width of the channel's vectors that were made elsewhere (0: none), and an item's, empty if it has none.
  int64_t feature_width(const std::string& channel) const;
  std::span<const float> feature(const std::string& channel, int32_t item) const;
  /// Path of the file that holds them, for messages.
  std::string feature_file() const;
  /// A column of truth.safetensors; throws Error if there is none of that name.
  std::span<const int32_t> truth(const std::string& name) const;

 private:
  // Rows of different lengths: row i is values[start[i], start[i + 1]).
  template <class T>
  struct Ragged {
    std::span<const int64_t> start;
    std::span<const T> values;
    int64_t rows() const { return start.empty() ? 0 : static_cast<int64_t>(start.size()) - 1; }
    std::span<const T> row(int64_t i) const {
      check(i >= 0 && i < rows(), "data set: id out of range: {} of {}", i, rows());
      const auto at = start.begin() + i;
      check(at[0] >= 0 && at[0] <= at[1] && at[1] <= static_cast<int64_t>(values.size()),
            "data set: damaged offsets {} to {} of row {}; see 'seminar data info --verify'", at[0], at[1], i);
      return values.subspan(static_cast<std::size_t>(at[0]), static_cast<std::size_t>(at[1] - at[0]));
    }
  };
  template <class T>
  static Ragged<T> ragged(const SafetensorsFile& file, const std::string& start, const std::string& values);
  static std::string_view text(const Ragged<uint8_t>& table, int64_t id) {
    const std::span<const uint8_t> row = table.row(id);
    return {reinterpret_cast<const char*>(row.data()), row.size()};
  }
  friend void write_manifest(const DatasetInfo& info, const std::string& folder);
  Dataset() = default;
  void map_files(const std::string& dir);
  std::map<std::string, int64_t> counts() const;
  // The row of `name` that belongs to an item, empty if it has none.
  template <class T>
  std::span<const T> table_row(const char* file, const std::string& name, int32_t item) const;
  const SafetensorsFile* optional_file(const char* name) const;

  std::string dir_;
  DatasetInfo info_;
  std::map<std::string, std::string> checksums_;
  std::string fingerprint_;
  std::map<std::string, SafetensorsFile> files_;
  Ragged<int32_t> histories_, history_queries_, item_words_, item_attributes_, query_words_;
  Ragged<int64_t> times_;
  Ragged<uint8_t> titles_, query_texts_, words_, attributes_, item_ids_, user_ids_;
  Ragged<int32_t> user_attributes_, exposure_items_, exposure_queries_, negatives_;
  Ragged<int64_t> exposure_times_;
  Ragged<uint8_t> user_attribute_names_, clicked_;
};

}  // namespace seminar::inline SEMINAR_PRECISION
