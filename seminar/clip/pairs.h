// Pictures with captions, read from a folder and a table.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "seminar/data/image.h"

namespace seminar {

/// Pairs in the order of the table; pictures all of one size.
struct PicturePairs {
  std::vector<std::string> files, captions;
  std::vector<Image> pictures;
};

/// Reads `csv`, a table with the columns `image` (a path below `folder`) and `caption`, and the pictures it names,
/// resized and cropped to size x size. A bad row or picture is an Error naming file, line and value; up to `skip_bad`
/// of them are left out instead and counted in `skipped`. `progress` (may be null) hears of every picture.
PicturePairs read_pairs(const std::string& folder, const std::string& csv, int64_t size, int64_t skip_bad = 0,
                        int64_t* skipped = nullptr, const std::function<void(int64_t done)>& progress = nullptr);

/// The PNG and JPEG files in a folder, by name. Throws Error if there are none.
std::vector<std::string> picture_files(const std::string& folder);

}  // namespace seminar
