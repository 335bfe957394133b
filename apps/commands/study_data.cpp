#include "apps/commands/study_data.h"

#include <filesystem>

#include "seminar/data/import.h"
#include "seminar/studies/file_lock.h"

namespace seminar {
namespace {

namespace fs = std::filesystem;

constexpr double made_query_share = 0.26;  // KuaiSAR's share of searches

// Opens data/<name>, made first if it is not there. Another process may be making it.
template <class Make>
Dataset open_or_make(const std::string& name, const StudySources& sources, const Make& make) {
  const std::string parent = sources.folder + "/data", dir = parent + "/" + name;
  fs::create_directories(parent);
  const FileLock lock(dir + ".lock", false);
  if (!fs::exists(dir + "/manifest.json")) make(dir);
  return Dataset::open(dir);
}

}  // namespace

Dataset study_data(const std::string& set, const StudySources& sources, bool quick) {
  if (set == "movielens")
    return open_or_make(set, sources,
                        [&](const std::string& dir) { import_dataset("movielens", SEMINAR_DEMO_DATA, dir, {}); });
  if (set == "lastfm" || set == "beauty") {
    check(!sources.s3rec.empty(), "--sets {}: needs --s3rec, the folder of S3-Rec's files", set);
    ImportOptions options;
    options.query_share = made_query_share;
    const std::string file = sources.s3rec + (set == "lastfm" ? "/LastFM.txt" : "/Beauty.txt");
    return open_or_make(set, sources, [&](const std::string& dir) { import_dataset("s3rec", file, dir, options); });
  }
  check(set == "generated", "--sets: must be among movielens, lastfm, beauty, generated: '{}'", set);
  SyntheticSettings s;
  s.users = quick ? 300 : 500;
  s.items = 2000;
  s.max_length = quick ? 200 : 500;
  s.picture_size = s.exposures = 0;
  return generated_data(quick ? "generated-quick" : "generated", s, sources);
}

Dataset generated_data(const std::string& name, const SyntheticSettings& settings, const StudySources& sources) {
  const Dataset data =
      open_or_make(name, sources, [&](const std::string& dir) { generate_dataset(settings, dir, nullptr); });
  SyntheticSettings wanted = settings;
  wanted.visit([&](const SettingInfo& s, auto& value) {
    const auto& made = data.info().options;
    if (const auto it = made.find(s.name); it != made.end())
      check(it->second == static_cast<double>(value), "{}/data/{}: made with --{} {}, not {}: use another --out",
            sources.folder, name, s.name, it->second, static_cast<double>(value));
  });
  return data;
}

}  // namespace seminar
