// MovieLens: ratings.csv, movies.csv, tags.csv (latest-small, latest, 25m) or ratings.dat, movies.dat, users.dat (1m).
// Every rating is a behaviour; an item's words are its title's, its attributes the genres and the decade. Where a user
// tagged a movie that they rated, the latest tag is the query; of the other behaviours a seeded share gets a made query
// of the movie's genres and decade that shares no word with its title.
#include <algorithm>

#include "seminar/data/import.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

struct Tag {
  int64_t time;
  std::string text;
};
using Tags = std::map<std::pair<int32_t, int32_t>, Tag>;  // by user and item

// The decade of a title that ends in a year like "(1995)"; empty if it doesn't.
std::string decade_of(std::string_view title) {
  title = title.substr(0, title.find_last_not_of(' ') + 1);
  if (title.size() < 6) return "";
  const std::string_view year = title.substr(title.size() - 6);
  const bool digits = std::all_of(year.begin() + 1, year.end() - 1, [](char c) { return c >= '0' && c <= '9'; });
  if (year.front() != '(' || year.back() != ')' || !digits) return "";
  return std::string(year.substr(1, 3)) + "0s";
}

QueryPhrases describe_movie(DatasetBuilder& builder, int32_t item, std::string_view title, std::string_view genres) {
  std::vector<std::string> attributes;
  QueryPhrases phrases;
  if (genres != "(no genres listed)")
    for (const std::string_view genre : split(genres, "|")) {
      if (genre.empty()) continue;
      attributes.emplace_back(genre);
      if (const std::string phrase = query_phrase(genre, title); !phrase.empty()) phrases.choice.push_back(phrase);
    }
  if (const std::string decade = decade_of(title); !decade.empty()) {
    attributes.push_back(decade);
    phrases.fixed = query_phrase(decade, title);
  }
  builder.describe_item(item, title, title, attributes);
  return phrases;
}

// Fields of a line of the 1m layout, "a::b::c".
std::vector<std::string_view> fields(const LineReader& lines, std::size_t count) {
  std::vector<std::string_view> parts = split(lines.line(), "::");
  if (parts.size() != count)
    lines.reject(lines.number(), fmt::format("wrong number of fields: expected {}, found {}", count, parts.size()),
                 lines.line());
  return parts;
}

bool good_rating(double rating) { return rating >= 0.5 && rating <= 5; }

// Movies as they come in, with what their queries may be made of, by item.
struct Movies {
  DatasetBuilder& builder;
  std::vector<QueryPhrases> phrases;

  // False if the movie was there before.
  bool add(int64_t id, std::string_view title, std::string_view genres) {
    const std::string key = fmt::format("{}", id);
    if (builder.find_item(key) >= 0) return false;
    phrases.push_back(describe_movie(builder, builder.item(key), title, genres));
    return true;
  }
};

void read_latest(Import& in, Movies& movies) {
  DatasetBuilder& builder = in.builder;
  // Items are numbered by movieId, whatever the order of the file.
  struct Row {
    std::string title, genres;
  };
  std::map<int64_t, Row> rows;
  CsvReader movie_file(in.file("movies.csv"), {"movieId", "title", "genres"}, in.policy);
  while (movie_file.next())
    in.policy.accept([&] {
      const bool fresh = rows.try_emplace(movie_file.integer(0),
                                          Row{std::string(movie_file.field(1)), std::string(movie_file.field(2))})
                             .second;
      if (!fresh) movie_file.reject("second row for a movieId", movie_file.field(0));
    });
  for (const auto& [id, row] : rows) movies.add(id, row.title, row.genres);

  CsvReader ratings(in.file("ratings.csv"), {"userId", "movieId", "rating", "timestamp"}, in.policy);
  while (ratings.next())
    in.policy.accept([&] {
      const int64_t user = ratings.integer(0);
      const int32_t item = builder.find_item(fmt::format("{}", ratings.integer(1)));
      if (item < 0) ratings.reject("movieId is not in movies.csv", ratings.field(1));
      if (!good_rating(ratings.number(2))) ratings.reject("rating is not in 0.5 to 5", ratings.field(2));
      const int64_t time = checked_time(ratings, 3, TimeUnit::seconds);
      builder.add_event(builder.user(fmt::format("{}", user)), item, 0, time, ratings.line());
    });
}

// The latest tag of each user and movie; of tags of one second, the last in the file.
Tags read_tags(Import& in, const std::string& path) {
  Tags tags;
  CsvReader csv(path, {"userId", "movieId", "tag", "timestamp"}, in.policy);
  while (csv.next())
    in.policy.accept([&] {
      const int64_t user_id = csv.integer(0), movie_id = csv.integer(1), time = checked_time(csv, 3, TimeUnit::seconds);
      if (split_words(csv.field(2)).empty()) return;
      const int32_t user = in.builder.find_user(fmt::format("{}", user_id)),
                    item = in.builder.find_item(fmt::format("{}", movie_id));
      if (user < 0 || item < 0) return in.count("tags_without_rating");
      const auto [it, fresh] = tags.try_emplace({user, item}, Tag{time, ""});
      if (fresh || time >= it->second.time) it->second = {time, std::string(csv.field(2))};
    });
  return tags;
}

void read_1m(Import& in, Movies& movies) {
  DatasetBuilder& builder = in.builder;
  const auto each_row = [&](const std::string& path, std::size_t width, auto row) {
    each_line(in, path, {.maybe_latin1 = true}, [&](const LineReader& lines) { row(lines, fields(lines, width)); });
  };
  const auto integer = [](std::string_view text, const char* name, const LineReader& lines) {
    return parse_integer(text, name, lines, lines.number());
  };
  each_row(in.file("movies.dat"), 3, [&](const LineReader& lines, const auto& f) {
    if (!movies.add(integer(f[0], "MovieID", lines), f[1], f[2]))
      lines.reject(lines.number(), "second row for a MovieID", f[0]);
  });
  each_row(in.file("ratings.dat"), 4, [&](const LineReader& lines, const auto& f) {
    const int64_t user = integer(f[0], "UserID", lines), movie = integer(f[1], "MovieID", lines),
                  time = checked_time(f[3], TimeUnit::seconds, "Timestamp", lines, lines.number());
    const int32_t item = builder.find_item(fmt::format("{}", movie));
    if (item < 0) lines.reject(lines.number(), "MovieID is not in movies.dat", f[1]);
    if (!good_rating(parse_number(f[2], "Rating", lines, lines.number())))
      lines.reject(lines.number(), "rating is not in 0.5 to 5", f[2]);
    builder.add_event(builder.user(fmt::format("{}", user)), item, 0, time, lines.number());
  });
  if (const std::string path = in.optional_file("users.dat"); !path.empty())
    each_row(path, 5, [&](const LineReader& lines, const auto& f) {
      const int32_t user = builder.find_user(fmt::format("{}", integer(f[0], "UserID", lines)));
      if (user < 0) return in.count("users_without_rating");
      const std::string attributes[] = {fmt::format("gender:{}", f[1]), fmt::format("age:{}", f[2]),
                                        fmt::format("occupation:{}", f[3])};
      if (!builder.describe_user(user, attributes)) lines.reject(lines.number(), "second row for a UserID", f[0]);
    });
}

}  // namespace

void import_movielens(Import& in) {
  DatasetBuilder& builder = in.builder;
  Movies movies{builder, {}};
  const std::string old = in.optional_file("ratings.dat");
  const bool latest = old.empty();
  if (!latest)
    if (const std::string both = in.optional_file("ratings.csv"); !both.empty())
      fail("{} and {}: two files where one is meant: leave one", old, both);
  latest ? read_latest(in, movies) : read_1m(in, movies);
  const char* ratings = latest ? "ratings.csv" : "ratings.dat";
  // A user rates a movie once.
  builder.each_user([&](int32_t, std::span<DatasetBuilder::Event> events) {
    std::vector<DatasetBuilder::Event*> by_item;
    for (auto& e : events) by_item.push_back(&e);
    std::sort(by_item.begin(), by_item.end(),
              [](auto* a, auto* b) { return std::tie(a->item, a->order) < std::tie(b->item, b->order); });
    const DatasetBuilder::Event* first = nullptr;
    for (DatasetBuilder::Event* e : by_item) {
      if (!first || e->item != first->item) {
        first = e;
        continue;
      }
      in.policy.accept([&] {
        throw BadRow(fmt::format("{}/{}:{}: second rating of a movie by a user; the first is in line {}", in.source,
                                 ratings, e->order, first->order));
      });
      e->item = -1;
    }
  });
  builder.filter(in.options.filter);
  if (const std::string path = in.optional_file("tags.csv"); latest && !path.empty()) {
    const Tags tags = read_tags(in, path);
    builder.each_user([&](int32_t user, std::span<DatasetBuilder::Event> events) {
      for (auto& e : events)
        if (const auto tag = tags.find({user, e.item}); tag != tags.end())
          e.query = builder.queries.id(tag->second.text);
    });
  }
  make_queries(in, in.options.query_share < 0 ? default_query_share : in.options.query_share,
               [&](int32_t item) -> const QueryPhrases& { return movies.phrases[item]; });
}

}  // namespace seminar::inline SEMINAR_PRECISION
