// Item vectors made elsewhere (CLIP features, numbers of the catalogue) as channels of a data set.
#pragma once

#include "seminar/data/dataset.h"

namespace seminar::inline SEMINAR_PRECISION {

/// The channel whose vectors are numeric attributes: standardised and read by g(.), not a channel of its own.
inline constexpr const char* numeric_channel = "numeric";

/// Vectors by name.
struct NamedVectors {
  std::vector<std::string> names;
  int64_t width = 0;
  std::vector<float> values;  ///< [names, width]
};

/// Reads vectors:
///   .safetensors  what `seminar encode` writes, or `vectors` [N, width] with `ids`
///   .npy          a little-endian float array [N, width], with `ids`; may be packed, like .npy.gz
///   .csv          a column `item` and columns of numbers; an empty field is the column's mean; may be packed
/// `ids` is a text file of one name a line, in the vectors' order; empty if the file brings its names. Throws Error
/// naming file, place and value, also for NaN and infinity.
NamedVectors read_vectors(const std::string& path, const std::string& ids);
/// Writes what read_vectors reads, with metadata; without names, reading needs `ids`.
void write_vectors(const NamedVectors& vectors, const std::map<std::string, std::string>& metadata,
                   const std::string& path);

/// The lines of a text file, without blank ones at its end.
std::vector<std::string> read_lines(const std::string& path);
/// The same as names; throws Error for a blank line among them.
std::vector<std::string> read_names(const std::string& path);
/// `file` without the ending of a picture's file.
std::string_view without_picture_ending(std::string_view file);

struct FeatureCounts {
  int64_t items = 0, unknown = 0;  ///< items that have a vector now; vectors whose name is no item's
};
/// Writes the data set `dir` anew as `out` with the vectors as channel `channel`, in place of one of that name. A
/// vector belongs to the item whose id in the source is its name, with or without the ending of a picture's file
/// (.png, .jpg, .jpeg). Throws
/// Error if it would belong to none, or two to the same.
FeatureCounts add_feature_channel(const std::string& dir, const std::string& channel, const NamedVectors& vectors,
                                  const std::string& out);

}  // namespace seminar::inline SEMINAR_PRECISION
