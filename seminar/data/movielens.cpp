#include "seminar/data/movielens.h"

#include <algorithm>
#include <set>

#include "seminar/data/csv.h"
#include "tensor/random.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr std::size_t fewest_actions = 3;  // one to train on, one to validate, one to test

struct Movie {
  std::string title, text, decade;
  std::vector<std::string> genres;
};

struct Rating {
  int64_t movie, time;
};

// "Heat (1995)" -> title words with the year as a word, and the decade "1990s".
void set_title(Movie& movie, std::string_view title) {
  movie.title = title;
  movie.text = title;
  const std::size_t end = title.find_last_not_of(' ');
  if (end == std::string_view::npos || end < 5 || title[end] != ')' || title[end - 5] != '(') return;
  const std::string_view year = title.substr(end - 4, 4);
  if (year.find_first_not_of("0123456789") != std::string_view::npos) return;
  movie.decade = std::string(year.substr(0, 3)) + "0s";
}

std::map<int64_t, Movie> read_movies(const std::string& path) {
  std::map<int64_t, Movie> movies;
  CsvReader csv(path, {"movieId", "title", "genres"});
  while (csv.next()) {
    const auto [at, fresh] = movies.try_emplace(csv.integer(0));
    if (!fresh) csv.reject("movieId occurs twice", csv.field(0));
    set_title(at->second, csv.field(1));
    std::string_view rest = csv.field(2);
    if (rest == "(no genres listed)") continue;
    while (!rest.empty()) {
      const std::size_t bar = std::min(rest.find('|'), rest.size());
      if (bar > 0) at->second.genres.emplace_back(rest.substr(0, bar));
      rest.remove_prefix(std::min(bar + 1, rest.size()));
    }
  }
  return movies;
}

std::map<int64_t, std::vector<Rating>> read_ratings(const std::string& path, const std::map<int64_t, Movie>& movies) {
  std::map<int64_t, std::vector<Rating>> users;
  std::set<std::pair<int64_t, int64_t>> seen;
  CsvReader csv(path, {"userId", "movieId", "rating", "timestamp"});
  while (csv.next()) {
    const int64_t user = csv.integer(0), movie = csv.integer(1), time = csv.integer(3);
    if (movies.count(movie) == 0) csv.reject("movieId is not in movies.csv", csv.field(1));
    if (csv.number(2) < 0.5 || csv.number(2) > 5) csv.reject("rating outside 0.5 to 5", csv.field(2));
    if (time < 0) csv.reject("negative timestamp", csv.field(3));
    if (!seen.emplace(user, movie).second) csv.reject("this user rates this movie twice", csv.field(1));
    users[user].push_back({movie, time});
  }
  for (auto& [user, ratings] : users)
    std::stable_sort(ratings.begin(), ratings.end(), [](const Rating& a, const Rating& b) { return a.time < b.time; });
  return users;
}

// The latest tag of each (user, movie); of equal times the later line.
std::map<std::pair<int64_t, int64_t>, std::string> read_tags(const std::string& path) {
  std::map<std::pair<int64_t, int64_t>, std::pair<int64_t, std::string>> latest;
  CsvReader csv(path, {"userId", "movieId", "tag", "timestamp"});
  while (csv.next()) {
    const int64_t time = csv.integer(3);
    if (time < 0) csv.reject("negative timestamp", csv.field(3));
    auto& entry = latest.try_emplace({csv.integer(0), csv.integer(1)}, -1, "").first->second;
    if (time >= entry.first) entry = {time, std::string(csv.field(2))};
  }
  std::map<std::pair<int64_t, int64_t>, std::string> tags;
  for (auto& [key, entry] : latest) tags[key] = std::move(entry.second);
  return tags;
}

// One or two of the movie's genres and its decade, like "comedy drama 1990s"; empty if it has neither.
std::string made_query(const Movie& movie, Rng& rng) {
  std::vector<std::string> words(movie.genres);
  const std::size_t wanted = std::min<std::size_t>(words.size(), 1 + static_cast<std::size_t>(rng.below(2)));
  for (std::size_t i = 0; i < wanted; ++i) std::swap(words[i], words[i + static_cast<std::size_t>(rng.below(std::ssize(words) - static_cast<int64_t>(i)))]);
  words.resize(wanted);
  std::sort(words.begin(), words.end());
  if (!movie.decade.empty()) words.push_back(movie.decade);
  return fmt::format("{}", fmt::join(words, " "));
}

}  // namespace

RawData import_movielens(const std::string& source, const MovielensOptions& options) {
  check(options.query_share >= 0 && options.query_share <= 1, "query share: must be from 0 to 1: {}", options.query_share);
  const std::string movies_path = source + "/movies.csv", ratings_path = source + "/ratings.csv", tags_path = source + "/tags.csv";
  const std::map<int64_t, Movie> movies = read_movies(movies_path);
  std::map<int64_t, std::vector<Rating>> users = read_ratings(ratings_path, movies);
  const auto tags = read_tags(tags_path);

  RawData raw;
  raw.info.kind = "movielens";
  for (const std::string& path : {movies_path, ratings_path, tags_path})
    raw.info.sources[path.substr(path.rfind('/') + 1)] = checksum(MappedFile(path).bytes());
  raw.info.seed = options.seed;
  raw.info.options["query-share"] = options.query_share;
  raw.info.import_counts["users left out (fewer than 3 actions)"] =
      static_cast<int64_t>(std::erase_if(users, [](const auto& u) { return u.second.size() < fewest_actions; }));
  check(!users.empty(), "{}: no user has at least {} ratings", ratings_path, fewest_actions);

  std::map<int64_t, int32_t> item_ids;  // in order of movieId
  for (const auto& [user, ratings] : users)
    for (const Rating& r : ratings) item_ids[r.movie] = 0;
  for (auto& [movie, id] : item_ids) {
    const Movie& m = movies.at(movie);
    RawData::Item item{movie, m.title, m.text, m.genres};
    if (!m.decade.empty()) item.attributes.push_back(m.decade);
    raw.items.push_back(std::move(item));
    id = static_cast<int32_t>(raw.items.size());
  }

  // A tag without any word is no query; the draw for the others makes up the wanted share.
  int64_t behaviours = 0, typed = 0, made = 0;
  const auto tag_of = [&](int64_t user, int64_t movie) {
    const auto it = tags.find({user, movie});
    return it == tags.end() || split_words(it->second).empty() ? std::string() : it->second;
  };
  for (const auto& [user, ratings] : users)
    for (const Rating& r : ratings) {
      ++behaviours;
      typed += !tag_of(user, r.movie).empty();
    }
  const double chance = behaviours == typed ? 0
                                            : std::max(0.0, options.query_share * static_cast<double>(behaviours) - static_cast<double>(typed)) /
                                                  static_cast<double>(behaviours - typed);
  const Rng rng = Rng(options.seed).split("queries");
  for (const auto& [user, ratings] : users) {
    RawData::User out{user, {}};
    for (std::size_t p = 0; p < ratings.size(); ++p) {
      std::string query = tag_of(user, ratings[p].movie);
      Rng stream = rng.split(static_cast<uint64_t>(user)).split(p);
      if (query.empty() && stream.chance(chance)) {
        query = made_query(movies.at(ratings[p].movie), stream);
        made += !query.empty();
      }
      out.events.push_back({item_ids.at(ratings[p].movie), raw.queries.id(query), ratings[p].time});
    }
    raw.users.push_back(std::move(out));
  }
  raw.info.import_counts["queries typed as tags"] = typed;
  raw.info.import_counts["queries made from genre and decade"] = made;
  return raw;
}

}  // namespace seminar::inline SEMINAR_PRECISION
