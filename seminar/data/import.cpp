#include "seminar/data/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "seminar/data/new_folder.h"

namespace fs = std::filesystem;

namespace seminar::inline SEMINAR_PRECISION {
namespace {

struct Kind {
  const char* name;
  void (*import)(Import&);
};
constexpr Kind kinds[] = {{"amazon", import_amazon},
                          {"kuaisar", import_kuaisar},
                          {"movielens", import_movielens},
                          {"recbole", import_recbole},
                          {"s3rec", import_s3rec}};

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

std::string Import::optional_file(const std::string& name) {
  for (const char* ending : {"", ".gz"})
    if (fs::is_regular_file(source + "/" + name + ending)) return note(source + "/" + name + ending);
  return "";
}

std::string Import::file(const std::string& name) {
  std::string path = optional_file(name);
  check(!path.empty(), "{}/{}: cannot be opened: No such file or directory (nor {}.gz)", source, name, name);
  return path;
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
  check(fs::exists(source), "{}: cannot be opened: No such file or directory", source);
  check_new_folder(dir);
  Import in(source, options);
  in.builder.info.kind = kind;
  in.builder.info.seed = options.seed;
  in.builder.info.options = {{"min_length", static_cast<double>(options.filter.min_length)},
                             {"k_core", static_cast<double>(options.filter.k_core)}};
  found->import(in);
  if (options.skip_bad > 0) in.count("bad_rows_skipped", in.policy.skipped());
  in.builder.write(dir);
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

int64_t checked_time(double seconds, const CsvReader& csv, std::size_t column) {
  if (seconds < 0) csv.reject("time is negative", csv.field(column));
  if (seconds > static_cast<double>(DatasetBuilder::last_time)) csv.reject("time is after 2106", csv.field(column));
  return static_cast<int64_t>(seconds);
}

}  // namespace seminar::inline SEMINAR_PRECISION
