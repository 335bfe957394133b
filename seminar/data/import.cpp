#include "seminar/data/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>

#include "seminar/data/features.h"
#include "seminar/data/new_folder.h"

namespace fs = std::filesystem;

namespace seminar::inline SEMINAR_PRECISION {
namespace {

struct Kind {
  const char* name;
  void (*import)(Import&);
};
constexpr Kind kinds[] = {{"amazon", import_amazon},   {"kuaisar", import_kuaisar}, {"movielens", import_movielens},
                          {"recbole", import_recbole}, {"s3rec", import_s3rec},     {"csv", import_csv}};

// One or two of the phrases in their order, so that equal choices are one query, and the fixed one.
std::string made_query(const QueryPhrases& phrases, Rng& rng) {
  const int64_t count = std::ssize(phrases.choice);
  std::vector<std::string> parts;
  if (count > 0) {
    const int64_t a = rng.below(count);
    // Any place but a's for the second; a's own stands for none when only one phrase is wanted.
    const int64_t b = count > 1 && rng.chance(0.5) ? (a + 1 + rng.below(count - 1)) % count : a;
    parts.push_back(phrases.choice[std::min(a, b)]);
    if (a != b) parts.push_back(phrases.choice[std::max(a, b)]);
  }
  if (!phrases.fixed.empty()) parts.push_back(phrases.fixed);
  return fmt::format("{}", fmt::join(parts, " "));
}

}  // namespace

std::string Import::optional_path(const std::string& path) {
  std::vector<std::string> found;
  for (const char* ending : packed_endings)
    if (fs::exists(path + ending) && !fs::is_directory(path + ending)) found.push_back(path + ending);
  check(found.size() <= 1, "{}: two files where one is meant: leave one", fmt::join(found, " and "));
  return found.empty() ? "" : note(found[0]);
}

std::string Import::optional_file(const std::string& name) { return optional_path(source + "/" + name); }

std::string Import::file(const std::string& name) {
  std::string path = optional_file(name);
  check(!path.empty(), "{}/{}: cannot be opened: No such file or directory (nor {}.gz or .zst)", source, name, name);
  return path;
}

std::string Import::only_file(const char* kind, const char* pattern, const char* advice,
                              const std::function<bool(std::string_view)>& wanted) const {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(source))
    if (!entry.is_directory() && wanted(without_packed_ending(entry.path().filename().string())))
      found.push_back(entry.path().string());
  std::sort(found.begin(), found.end());
  check(!found.empty(), "{}: has no {} file: none is called {}, plain or .gz or .zst", source, kind, pattern);
  check(found.size() == 1, "{}: {} {} files, one is read: {} one of them: {}", source, found.size(), kind, advice,
        fmt::join(found, ", "));
  return found[0];
}

std::vector<std::string> Import::unread() const {
  if (!fs::exists(source)) return {};  // standard input
  const bool whole = fs::is_directory(source);
  const fs::path folder = whole ? fs::path(source) : fs::absolute(source).parent_path();
  const std::string name = fs::path(std::string(without_packed_ending(source))).stem().string();
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string other = entry.path().filename().string();
    const bool related = other.starts_with(name + ".") || other.starts_with(name + "_");
    if (entry.is_regular_file() && (whole || related) && other[0] != '.' && builder.info.sources.count(other) == 0)
      names.push_back(other);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Import::note(const std::string& path) {
  builder.info.sources[fs::path(path).filename().string()] = file_checksum(path);
  return path;
}

std::vector<std::string> import_kinds() {
  std::vector<std::string> names;
  for (const Kind& kind : kinds) names.emplace_back(kind.name);
  return names;
}

void import_dataset(const std::string& kind, const std::string& source, const std::string& dir,
                    const ImportOptions& options) {
  check(options.query_share == -1 || (options.query_share >= 0 && options.query_share <= 1),
        "--query-share: must be from 0 to 1: {}", options.query_share);
  check(options.filter.min_length >= 1 && options.filter.k_core >= 0 && options.skip_bad >= 0,
        "import: --min-length must be 1 or more, --k-core and --skip-bad 0 or more");
  const auto found = std::find_if(std::begin(kinds), std::end(kinds), [&](const Kind& k) { return kind == k.name; });
  check(found != std::end(kinds), "import: unknown layout '{}': must be one of {}", kind,
        fmt::join(import_kinds(), ", "));
  for (const std::string& file : options.table.more_files)
    check(kind == "csv", "import: {} reads one folder or file, not {} as well", kind, file);
  check(fs::exists(source) || (kind == "csv" && source == "-"), "{}: cannot be opened: No such file or directory",
        source);
  if (!options.table.dry_run) check_new_folder(dir);
  Import in(source, options);
  in.builder.info.kind = kind;
  in.builder.info.seed = options.seed;
  in.builder.shuffle_ties(options.seed);
  in.builder.info.options = {{"min_length", static_cast<double>(options.filter.min_length)},
                             {"k_core", static_cast<double>(options.filter.k_core)}};
  found->import(in);
  if (options.skip_bad > 0) in.count("bad_rows_skipped", in.policy.skipped());
  if (const auto unread = in.unread(); !unread.empty()) in.tell("not read: {}", fmt::join(unread, ", "));
  if (!options.table.dry_run) in.builder.write(dir);
}

void NumericAttributes::add(int32_t item, std::vector<float> values) {
  total_.resize(values.size());
  count_.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isnan(values[i])) {
      total_[i] += values[i];
      ++count_[i];
    }
  if (!values.empty()) rows_.emplace_back(item, std::move(values));
}

void NumericAttributes::give_to(DatasetBuilder& builder) {
  for (auto& [item, values] : rows_) {
    for (std::size_t i = 0; i < values.size(); ++i)
      if (std::isnan(values[i]))
        values[i] = count_[i] > 0 ? static_cast<float>(total_[i] / static_cast<double>(count_[i])) : 0;
    builder.add_features(numeric_channel, item, values);
  }
}

std::string query_phrase(std::string_view phrase, std::string_view title) {
  const std::vector<std::string> words = split_words(phrase), in_title = split_words(title);
  const bool shared = std::find_first_of(words.begin(), words.end(), in_title.begin(), in_title.end()) != words.end();
  return shared ? "" : fmt::format("{}", fmt::join(words, " "));
}

void make_queries(Import& in, double share, const std::function<const QueryPhrases&(int32_t item)>& phrases) {
  // How likely a behaviour that can have a made query must get one, for the whole to reach the share.
  int64_t behaviours = 0, typed = 0, eligible = 0;
  in.builder.each_user([&](int32_t, std::span<DatasetBuilder::Event> events) {
    for (const auto& e : events) {
      ++behaviours;
      typed += e.query != 0;
      eligible += e.query == 0 && !phrases(e.item).empty();
    }
  });
  const double wanted = share * static_cast<double>(behaviours) - static_cast<double>(typed);
  const double chance = eligible ? wanted / static_cast<double>(eligible) : 0;
  const Rng seeded(in.options.seed);
  in.builder.info.options["query_share"] = share;
  in.count("typed_queries", typed);
  in.builder.each_user([&](int32_t user, std::span<DatasetBuilder::Event> events) {
    const Rng user_rng = seeded.split(static_cast<uint64_t>(user));
    for (std::size_t i = 0; i < events.size(); ++i) {
      Rng rng = user_rng.split(i);
      if (events[i].query != 0 || phrases(events[i].item).empty() || !rng.chance(chance)) continue;
      events[i].query = in.builder.queries.id(made_query(phrases(events[i].item), rng));
      in.count("made_queries");
    }
  });
}

int64_t checked_time(std::string_view text, TimeUnit unit, const std::string& name, const LineReader& lines,
                     int64_t line) {
  const auto time = parse_time(text, unit);
  const auto number = parse_decimal(text);
  if (!time && !number) lines.reject(line, fmt::format("{} is not a time in {}", name, name_of(unit)), text);
  if (number ? number->negative && number->digits != 0 : *time < 0) lines.reject(line, "time is negative", text);
  if (!time || *time > last_time_us) lines.reject(line, "time is after 2106", text);
  return *time;
}

int64_t checked_time(const CsvReader& csv, std::size_t column, TimeUnit unit) {
  return checked_time(csv.field(column), unit, csv.names()[column], csv.lines(), csv.line());
}

bool names_time(std::string_view column) {
  std::string name;
  for (const char c : column)
    if (c != '_' && c != '-' && c != ' ') name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  constexpr std::string_view names[] = {"timestamp",      "time",       "ts",          "date",      "datetime",
                                        "unixtime",       "timems",     "timestampms", "eventtime", "createdat",
                                        "unixreviewtime", "timestamps", "reviewtime",  "clicktime", "visittime",
                                        "eventtimestamp"};
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace seminar::inline SEMINAR_PRECISION
