#include "seminar/clip/pairs.h"

#include <algorithm>
#include <filesystem>

#include "seminar/data/csv.h"

namespace fs = std::filesystem;

namespace seminar {

PicturePairs read_pairs(const std::string& folder, const std::string& csv, int64_t size, int64_t skip_bad,
                        int64_t* skipped, const std::function<void(int64_t)>& progress) {
  PicturePairs pairs;
  ReadPolicy policy(skip_bad);
  CsvReader rows(csv, {"image", "caption"}, policy);
  while (rows.next())
    policy.accept([&] {
      const std::string file(rows.field(0)), caption(rows.field(1));
      const fs::path relative(file);
      if (file.empty() || relative.is_absolute() || std::find(relative.begin(), relative.end(), "..") != relative.end())
        rows.reject("image must be a path below the folder", file);
      if (caption.find_first_not_of(" \t") == std::string::npos) rows.reject("caption missing for", file);
      try {
        pairs.pictures.push_back(resize_and_crop(load_image((fs::path(folder) / relative).string()), size));
      } catch (const Error& e) {
        throw BadRow(fmt::format("{}:{}: {}", csv, rows.line(), e.what()));
      }
      pairs.files.push_back(file);
      pairs.captions.push_back(caption);
      if (progress) progress(std::ssize(pairs.files));
    });
  if (skipped) *skipped = policy.skipped();
  return pairs;
}

std::vector<std::string> picture_files(const std::string& folder) {
  check(fs::is_directory(folder), "{}: not a folder", folder);
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::string ending = entry.path().extension().string();
    std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
    if (entry.is_regular_file() && (ending == ".png" || ending == ".jpg" || ending == ".jpeg"))
      files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  check(!files.empty(), "{}: no .png, .jpg or .jpeg file", folder);
  return files;
}

}  // namespace seminar
