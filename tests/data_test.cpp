// CSV files, the MovieLens importer and the data set on disk: good input, bad input, damage.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "seminar/data/batch.h"
#include "seminar/data/import.h"
#include "seminar/data/synthetic.h"
#include "tests/tiny_data.h"

using namespace seminar;
namespace fs = std::filesystem;

namespace {

const std::string demo_data = std::string(SEMINAR_SOURCE_DIR) + "/apps/demo/ml-latest-small";

std::vector<std::string> read_all(const std::string& path) {
  std::vector<std::string> fields;
  ReadPolicy policy;
  CsvReader csv(path, {"b", "a"}, policy);
  while (csv.next()) fields.push_back(fmt::format("{}|{}", csv.field(0), csv.field(1)));
  return fields;
}

}  // namespace

TEST_SUITE("data") {
  TEST_CASE("CSV: quotes, newlines in quotes, CRLF, byte order mark, no final newline, columns by name") {
    const TemporaryFolder folder;
    const std::string path = folder / "a.csv";
    const auto check_fields = [&](const std::string& text, const std::vector<std::string>& expected) {
      write_file(path, text);
      CHECK(read_all(path) == expected);
    };
    check_fields("a,b\n1,2\n3,4\n", {"2|1", "4|3"});
    check_fields(
        "\xef\xbb\xbf"
        "a,b\r\n1,2\r\n3,4",
        {"2|1", "4|3"});
    check_fields("x,a,y,b\n0,1,0,2\n", {"2|1"});
    check_fields("a,b\n\"one, two\",\"say \"\"hi\"\"\"\n", {"say \"hi\"|one, two"});
    check_fields("a,b\n\"two\nlines\",\n", {"|two\nlines"});
    check_fields("a,b\n\n1,2\n   \n\r\n3,4\n\n\r\n", {"2|1", "4|3"});
    check_fields(" a , b\n1,2\n", {"2|1"});
    check_fields("a,b\nMisérables,ü\n", {"ü|Misérables"});
  }

  TEST_CASE("CSV: what is wrong is named with file, line and value") {
    const TemporaryFolder folder;
    const std::string path = folder / "bad.csv";
    const auto refused = [&](const std::string& text, const std::string& message) {
      write_file(path, text);
      CAPTURE(text.substr(0, 60));
      CHECK_THROWS_WITH_AS(read_all(path), doctest::Contains(message.c_str()), Error);
    };
    refused("", "bad.csv:1: ");
    refused("a,b\n", "bad.csv");
    refused("a,c\n1,2\n", "bad.csv:1: ");
    refused("a,b\n1\n", "bad.csv:2: ");
    refused("a,b\n\n\n", "bad.csv:1: only a header");
    refused("a;b\n1;2\n", "the fields must stand between commas, here they stand between semicolons");
    refused("a,x\n1,2\n", "column missing: 'b'; the columns are 'a', 'x'");
    refused("a,b\n1,2\n1,2,3\n", "bad.csv:3: ");
    refused("a,b\n1,\"2\n", "bad.csv:2: ");
    refused("a,b\n1,\"2\"x\n", "bad.csv:2: ");
    refused(std::string("a,b\n1,\0\n", 8), "bad.csv:2: ");
    refused("a,b\n1,\xff\n", "bad.csv:2: ");
    refused("a,b\n1," + std::string(2 << 20, 'x') + "\n", "bad.csv:2: ");
    CHECK_THROWS_WITH_AS(read_all(folder / "none.csv"), doctest::Contains("none.csv"), Error);
    write_file(path, "a,b\nx,99999999999999999999\n1.5,inf\n");
    ReadPolicy policy;
    CsvReader csv(path, {"a", "b"}, policy);
    REQUIRE(csv.next());
    CHECK_THROWS_WITH_AS(csv.integer(0), doctest::Contains("bad.csv:2: "), Error);
    CHECK_THROWS_WITH_AS(csv.integer(1), doctest::Contains("99999999999999999999"), Error);
    REQUIRE(csv.next());
    CHECK(csv.number(0) == 1.5);
    CHECK_THROWS_AS(csv.number(1), Error);
  }

  TEST_CASE("the shipped MovieLens data: counts, order, queries that do not name the movie") {
    const TemporaryFolder folder;
    import_dataset("movielens", demo_data, folder / "data", {});
    const Dataset data = Dataset::open(folder / "data");
    CHECK(data.users() == 610);
    CHECK(data.items() == 9724);
    CHECK(data.interactions() == 100836);
    CHECK(data.query_share() == doctest::Approx(0.26).epsilon(0.02));
    CHECK(data.original_user(0) == "1");
    CHECK(data.title(1) == "Toy Story (1995)");
    std::vector<std::string> words, attributes;
    for (int32_t w : data.item_words(1)) words.emplace_back(data.word(w));
    for (int32_t a : data.item_attributes(1)) attributes.emplace_back(data.attribute(a));
    CHECK(words == std::vector<std::string>{"toy", "story", "1995"});
    CHECK(attributes == std::vector<std::string>{"Adventure", "Animation", "Children", "Comedy", "Fantasy", "1990s"});
    CHECK(data.info().import_counts.at("typed_queries") > 1000);
    for (int64_t user = 0; user < data.users(); ++user) {
      const auto times = data.user_times(user);
      CHECK(std::is_sorted(times.begin(), times.end()));
    }
    CHECK(data.item_words(0).empty());
    CHECK(data.query_words(0).empty());
    CHECK_THROWS_WITH_AS(data.item_words(9725), doctest::Contains("id out of range: 9725"), Error);
    data.verify();

    SUBCASE("the same seed gives the same bytes, another seed does not") {
      import_dataset("movielens", demo_data, folder / "again", {});
      ImportOptions two;
      two.seed = 2;
      import_dataset("movielens", demo_data, folder / "other", two);
      for (const char* name : {"sequences.safetensors", "items.safetensors", "queries.safetensors",
                               "vocabulary.safetensors", "manifest.json"})
        CHECK(read_file(folder / "data/" + name) == read_file(folder / "again/" + name));
      CHECK(Dataset::open(folder / "other").fingerprint() != data.fingerprint());
    }
  }

  TEST_CASE("a folder damaged anywhere is found by verify(); opening never crashes on it") {
    const TemporaryFolder folder;
    const std::string dir = folder / "data";
    SyntheticSettings s;
    s.users = 6, s.items = 20, s.topics = 3, s.min_length = 4, s.max_length = 9, s.picture_size = 3,
    s.feature_width = 2;
    s.exposures = 2;
    generate_dataset(s, dir, nullptr);
    Dataset::open(dir).verify();
    int files = 0;
    for (const auto& entry : fs::directory_iterator(dir)) {
      const std::string path = entry.path().string(), name = entry.path().filename().string(), good = read_file(path);
      if (name == "manifest.json") continue;
      ++files;
      CAPTURE(name);
      for (std::size_t at = 0; at < good.size(); at += 1 + good.size() / 50) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 1);
        write_file(path, bad);
        CHECK_THROWS_WITH_AS(Dataset::open(dir).verify(), doctest::Contains(name.c_str()), Error);
      }
      for (std::size_t cut : {std::size_t{0}, good.size() / 2, good.size() - 1}) {
        write_file(path, good.substr(0, cut));
        CHECK_THROWS_WITH_AS(Dataset::open(dir), doctest::Contains(name.c_str()), Error);
      }
      fs::remove(path);
      CHECK_THROWS_WITH_AS(Dataset::open(dir), doctest::Contains("No such file"), Error);
      write_file(path, good);
    }
    CHECK(files == 9);
    const std::string manifest = dir + "/manifest.json", good = read_file(manifest);
    for (const std::string& bad :
         {std::string("{}"), std::string("["), std::string(), good.substr(0, good.size() / 2), "[" + good + "]"}) {
      write_file(manifest, bad);
      CHECK_THROWS_WITH_AS(Dataset::open(dir), doctest::Contains("manifest.json"), Error);
    }
    std::string lie = good;
    lie.replace(lie.rfind("\"users\": 6"), 10, "\"users\": 7");
    write_file(manifest, lie);
    CHECK_THROWS_WITH_AS(Dataset::open(dir), doctest::Contains("'users'"), Error);
  }

  TEST_CASE("ids that point outside, with the checksums made right: an error, no crash") {
    const TinyData tiny;
    const std::string path = tiny.folder / "data/sequences.safetensors";
    const SafetensorsFile file(path);
    const auto copy = [&](const char* changed, int32_t value) {
      SafetensorsWriter writer;
      for (const auto& [name, entry] : file.entries()) {
        if (entry.dtype == Dtype::i32) {
          std::vector<int32_t> v(file.view<int32_t>(name).begin(), file.view<int32_t>(name).end());
          if (name == changed) std::fill(v.begin(), v.end(), value);
          writer.add<int32_t>(name, entry.shape, v);
        } else if (entry.dtype == Dtype::i64) {
          writer.add<int64_t>(name, entry.shape, file.view<int64_t>(name));
        } else {
          writer.add<uint8_t>(name, entry.shape, file.view<uint8_t>(name));
        }
      }
      writer.save(path);
    };
    for (const char* column : {"items", "queries"})
      for (int32_t value : {-1, 31, INT32_MAX}) {
        copy(column, value);
        const Dataset bad = Dataset::open(tiny.folder / "data");
        CHECK_THROWS_AS(bad.verify(), Error);
        const Target target{5, 1};
        CHECK_THROWS_WITH_AS(make_batch(bad, std::span(&target, 1), {5, 1, 0}, Rng(1)),
                             doctest::Contains("data info --verify"), Error);
      }
  }

  TEST_CASE("writing a data set: into a new or empty folder only, and whole") {
    const TemporaryFolder folder;
    fs::create_directories(folder / "empty");
    tiny_builder().write(folder / "empty");
    CHECK_THROWS_WITH_AS(tiny_builder().write(folder / "empty"), doctest::Contains("is not an empty folder"), Error);
    CHECK_THROWS_WITH_AS(tiny_builder().write(folder / "none/data"), doctest::Contains("does not exist"), Error);
    DatasetBuilder builder = tiny_builder();
    CHECK_THROWS_WITH_AS(builder.add_event(0, 30, 0, 0, 0), doctest::Contains("which are not all known"), Error);
    builder.filter({1000, 0});
    CHECK_THROWS_WITH_AS(builder.write(folder / "wrong"), doctest::Contains("no user is left"), Error);
    CHECK(!fs::exists(folder / "wrong"));
    int files = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder / "")) ++files;
    CHECK(files == 1);
  }

  TEST_CASE("k-core: applied until nothing changes") {
    const TemporaryFolder folder;
    DatasetBuilder b;
    // Item i4 has one behaviour; without it u3 has one, without u3 item i3 has one, and so on: only the square is left.
    const auto add = [&](const char* user, const char* item) {
      b.add_event(b.user(user), b.item(item), 0, b.events(), b.events());
    };
    for (const char* user : {"u1", "u2"})
      for (const char* item : {"i1", "i2"}) add(user, item);
    add("u2", "i3"), add("u3", "i3"), add("u3", "i4");
    CHECK(b.filter({1, 2}) == std::pair<int64_t, int64_t>{1, 2});
    b.write(folder / "data");
    const Dataset data = Dataset::open(folder / "data");
    CHECK(data.users() == 2);
    CHECK(data.items() == 2);
    CHECK(data.interactions() == 4);
  }

  TEST_CASE("the shortest history stays in force beside the k-core") {
    DatasetBuilder b;
    for (const char* user : {"u1", "u2", "u3"})
      for (int i = 0; i < (user[1] == '3' ? 4 : 5); ++i)
        b.add_event(b.user(user), b.item(std::string(1, static_cast<char>('a' + i))), 0, b.events(), b.events());
    CHECK(b.filter({5, 2}) == std::pair<int64_t, int64_t>{1, 0});
    CHECK(b.events() == 10);
  }

  TEST_CASE("generated data: planted effects are there, the same seed gives the same bytes") {
    const TemporaryFolder folder;
    SyntheticSettings s;
    s.users = 60, s.items = 400, s.topics = 8, s.min_length = 40, s.max_length = 300;
    generate_dataset(s, folder / "a", nullptr);
    generate_dataset(s, folder / "b", nullptr);
    const Dataset data = Dataset::open(folder / "a");
    data.verify();
    for (const auto& entry : fs::directory_iterator(folder / "a"))
      CHECK(read_file(entry.path().string()) == read_file(folder / "b/" + entry.path().filename().string()));
    CHECK(data.query_share() == doctest::Approx(s.search_share).epsilon(0.05));
    const auto topic = data.truth("topic"), old = data.truth("old"), intent = data.truth("intent");
    int64_t at = 0, same = 0, late_old = 0, told = 0, searches = 0, longest = 0;
    for (int64_t u = 0; u < data.users(); ++u) {
      const auto items = data.user_items(u), queries = data.user_queries(u);
      const auto times = data.user_times(u);
      CHECK(std::is_sorted(times.begin(), times.end()));
      longest = std::max<int64_t>(longest, std::ssize(items));
      for (std::size_t i = 0; i < items.size(); ++i, ++at) {
        same += topic[items[i]] == intent[at];
        late_old += old[items[i]] && times[i] > (1672531200 + 130 * 86400) * us_per_second;
        if (queries[i] == 0) continue;
        ++searches;
        told += data.query_text(queries[i]).starts_with(fmt::format("t{}w", intent[at]));
      }
    }
    const auto share = [](int64_t part, int64_t all) { return static_cast<double>(part) / static_cast<double>(all); };
    CHECK(share(same, at) == doctest::Approx(s.fit + (1 - s.fit) / 8).epsilon(0.05));
    CHECK(share(told, searches) == doctest::Approx(s.query_truth + (1 - s.query_truth) / 8).epsilon(0.05));
    CHECK(late_old == 0);
    CHECK(share(std::accumulate(old.begin(), old.end(), 0), s.items) == doctest::Approx(s.old_share).epsilon(0.3));
    CHECK(longest > 150);
    CHECK(data.picture_size() == std::pair<int64_t, int64_t>{16, 16});
    CHECK(data.picture(1).size() == 16 * 16 * 3);
    for (const auto& [channel, norm] : {std::pair{"text", 1.0}, {"image", 2.0}, {"attribute", 4.0}}) {
      double square = 0;
      for (float v : data.feature(channel, 1)) square += double{v} * double{v};
      CHECK(std::sqrt(square) == doctest::Approx(norm).epsilon(1e-5));
    }
    int64_t shown = 0, clicked = 0;
    for (int64_t u = 0; u < data.users(); ++u) {
      for (uint8_t c : data.exposures(u).clicked) clicked += c;
      shown += std::ssize(data.exposures(u).clicked);
      CHECK(data.user_attributes(u).size() == 2);
    }
    CHECK(shown == 60 * s.exposures);
    CHECK(share(clicked, shown) > 0.2);
    CHECK(share(clicked, shown) < 0.8);
  }
}
