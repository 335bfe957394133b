// The MovieLens importer.
#include "seminar/data/movielens.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "seminar/data/csv.h"
#include "tensor/error.h"
#include "tensor/random.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr std::size_t min_ratings = 3;
constexpr const char* files[] = {"movies.csv", "ratings.csv", "tags.csv"};

struct Movie {
  std::string title;
  std::vector<std::string> genres;
  std::string decade;                    // like "1990s", or empty
  std::vector<std::string> query_words;  // genres and, last, the decade as a made query may name them
  bool query_decade = false;             // the last of query_words is the decade
  int32_t item = 0;                      // id, given once it is known who rates it
};

struct Rating {
  int64_t movie, time, line;
};

struct Tag {
  int64_t time;
  std::string text;
};

using Movies = std::map<int64_t, Movie>;
using Users = std::map<int64_t, std::vector<Rating>>;
using Tags = std::map<std::pair<int64_t, int64_t>, Tag>;  // by user and movie

// The decade of a title that ends in a year like "(1995)"; empty if it doesn't.
std::string decade_of(std::string_view title) {
  title = title.substr(0, title.find_last_not_of(' ') + 1);
  if (title.size() < 6) return "";
  const std::string_view year = title.substr(title.size() - 6);
  const bool digits = std::all_of(year.begin() + 1, year.end() - 1, [](char c) { return c >= '0' && c <= '9'; });
  if (year.front() != '(' || year.back() != ')' || !digits) return "";
  return std::string(year.substr(1, 3)) + "0s";
}

std::vector<std::string> split_genres(std::string_view text) {
  std::vector<std::string> genres;
  if (text == "(no genres listed)") return genres;
  while (!text.empty()) {
    const std::size_t bar = std::min(text.find('|'), text.size());
    if (bar > 0) genres.emplace_back(text.substr(0, bar));
    text.remove_prefix(std::min(bar + 1, text.size()));
  }
  return genres;
}

Movies read_movies(const std::string& path) {
  Movies movies;
  CsvReader csv(path, {"movieId", "title", "genres"});
  while (csv.next()) {
    const auto [it, fresh] = movies.try_emplace(csv.integer(0));
    if (!fresh) csv.reject("second row for a movieId", csv.field(0));
    Movie& movie = it->second;
    movie.title = csv.field(1);
    movie.genres = split_genres(csv.field(2));
    movie.decade = decade_of(movie.title);
    const std::vector<std::string> title = split_words(movie.title);
    // The words of `text` for a query; a text that shares a word with the title is left out, for it could give the
    // movie away.
    const auto offer = [&](const std::string& text) {
      const std::vector<std::string> words = split_words(text);
      const bool in_title = std::find_first_of(words.begin(), words.end(), title.begin(), title.end()) != words.end();
      if (words.empty() || in_title) return false;
      movie.query_words.push_back(fmt::format("{}", fmt::join(words, " ")));
      return true;
    };
    for (const std::string& genre : movie.genres) offer(genre);
    movie.query_decade = offer(movie.decade);
  }
  return movies;
}

int64_t read_time(const CsvReader& csv, std::size_t column) {
  const int64_t time = csv.integer(column);
  if (time < 0) csv.reject("timestamp is negative", csv.field(column));
  return time;
}

Users read_ratings(const std::string& path, const Movies& movies) {
  Users users;
  CsvReader csv(path, {"userId", "movieId", "rating", "timestamp"});
  while (csv.next()) {
    const int64_t user = csv.integer(0), movie = csv.integer(1);
    if (!movies.count(movie)) csv.reject("movieId is not in movies.csv", csv.field(1));
    const double rating = csv.number(2);
    if (rating < 0.5 || rating > 5) csv.reject("rating is not in 0.5 to 5", csv.field(2));
    users[user].push_back({movie, read_time(csv, 3), csv.line()});
  }
  for (auto& [user, ratings] : users) {
    std::sort(ratings.begin(), ratings.end(),
              [](const Rating& a, const Rating& b) { return std::tie(a.movie, a.line) < std::tie(b.movie, b.line); });
    const auto twice = std::adjacent_find(ratings.begin(), ratings.end(),
                                          [](const Rating& a, const Rating& b) { return a.movie == b.movie; });
    if (twice != ratings.end())
      csv.reject_at((twice + 1)->line, "second rating of a movie by a user", fmt::format("{},{}", user, twice->movie));
    std::sort(ratings.begin(), ratings.end(),
              [](const Rating& a, const Rating& b) { return std::tie(a.time, a.line) < std::tie(b.time, b.line); });
  }
  return users;
}

// The latest tag of each user and movie; of tags of one second, the last in the file.
Tags read_tags(const std::string& path) {
  Tags tags;
  CsvReader csv(path, {"userId", "movieId", "tag", "timestamp"});
  while (csv.next()) {
    const int64_t user = csv.integer(0), movie = csv.integer(1), time = read_time(csv, 3);
    if (split_words(csv.field(2)).empty()) continue;
    const auto [it, fresh] = tags.try_emplace({user, movie}, Tag{time, ""});
    if (fresh || time >= it->second.time) it->second = {time, std::string(csv.field(2))};
  }
  return tags;
}

// One or two genres and the decade, in the movie's order so that equal choices are one query.
std::string made_query(const Movie& movie, Rng& rng) {
  const std::vector<std::string>& words = movie.query_words;
  const int64_t genres = static_cast<int64_t>(words.size()) - movie.query_decade;
  std::string query;
  const auto append = [&](int64_t i) { query += (query.empty() ? "" : " ") + words[static_cast<std::size_t>(i)]; };
  if (genres > 0) {
    const int64_t a = rng.below(genres);
    // Any position but a's for the second; a's own stands for none when only one genre is wanted.
    const int64_t b = genres > 1 && rng.chance(0.5) ? (a + 1 + rng.below(genres - 1)) % genres : a;
    append(std::min(a, b));
    if (a != b) append(std::max(a, b));
  }
  if (movie.query_decade) append(genres);
  return query;
}

// Gives ids to the movies that the users rate, by ascending movieId, and lists them in `data`.
int64_t add_items(Movies& movies, const Users& users, RawData& data) {
  for (const auto& [user, ratings] : users)
    for (const Rating& rating : ratings) movies.at(rating.movie).item = 1;
  int64_t unrated = 0;
  for (auto& [id, movie] : movies) {
    if (movie.item == 0) {
      ++unrated;
      continue;
    }
    RawData::Item item{id, movie.title, movie.title, movie.genres};
    if (!movie.decade.empty()) item.attributes.push_back(movie.decade);
    data.items.push_back(std::move(item));
    movie.item = static_cast<int32_t>(data.items.size());
  }
  return unrated;
}

}  // namespace

RawData import_movielens(const std::string& src_dir, const MovielensOptions& options) {
  check(options.query_share >= 0 && options.query_share <= 1, "import: query share must be in 0 to 1: {}",
        options.query_share);
  const auto path = [&](const char* name) { return src_dir + "/" + name; };
  Movies movies = read_movies(path("movies.csv"));
  Users users = read_ratings(path("ratings.csv"), movies);
  const Tags tags = read_tags(path("tags.csv"));
  const auto dropped =
      static_cast<int64_t>(std::erase_if(users, [](const auto& entry) { return entry.second.size() < min_ratings; }));
  check(!users.empty(), "{}: no user has {} ratings or more: {} users", path("ratings.csv"), min_ratings, dropped);

  RawData data;
  data.info.kind = "movielens";
  for (const char* name : files) data.info.sources[name] = checksum(MappedFile(path(name)).bytes());
  data.info.seed = options.seed;
  data.info.options = {{"min_ratings", static_cast<double>(min_ratings)}, {"query_share", options.query_share}};
  const int64_t unrated = add_items(movies, users, data);

  // How likely a behaviour that can have a made query must get one, for the whole to reach the share.
  int64_t behaviours = 0, typed = 0, eligible = 0, made = 0;
  for (const auto& [user, ratings] : users)
    for (const Rating& rating : ratings) {
      ++behaviours;
      const bool tagged = tags.count({user, rating.movie}) != 0;
      typed += tagged;
      eligible += !tagged && !movies.at(rating.movie).query_words.empty();
    }
  const double wanted = options.query_share * static_cast<double>(behaviours) - static_cast<double>(typed);
  const double chance = eligible ? wanted / static_cast<double>(eligible) : 0;

  const Rng seeded(options.seed);
  for (const auto& [user, ratings] : users) {
    const Rng user_rng = seeded.split(static_cast<uint64_t>(user));
    RawData::User& out = data.users.emplace_back(RawData::User{user, {}});
    for (const Rating& rating : ratings) {
      const Movie& movie = movies.at(rating.movie);
      Rng rng = user_rng.split(out.events.size());
      int32_t query = 0;
      if (const auto tag = tags.find({user, rating.movie}); tag != tags.end()) {
        query = data.queries.id(tag->second.text);
      } else if (!movie.query_words.empty() && rng.chance(chance)) {
        query = data.queries.id(made_query(movie, rng));
        ++made;
      }
      out.events.push_back({movie.item, query, rating.time});
    }
  }
  data.info.import_counts = {{"typed_queries", typed},
                             {"made_queries", made},
                             {"dropped_users", dropped},
                             {"unrated_movies", unrated},
                             {"tags_without_rating", static_cast<int64_t>(tags.size()) - typed}};
  return data;
}

}  // namespace seminar::inline SEMINAR_PRECISION
