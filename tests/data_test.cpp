// CSV files, the MovieLens importer and the data set on disk: good input, bad input, damage.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "seminar/data/csv.h"
#include "seminar/data/movielens.h"
#include "tests/tiny_data.h"

using namespace seminar;
namespace fs = std::filesystem;

namespace {

const std::string demo_data = std::string(SEMINAR_SOURCE_DIR) + "/apps/demo/ml-latest-small";

std::vector<std::string> read_all(const std::string& path) {
  std::vector<std::string> fields;
  CsvReader csv(path, {"b", "a"});
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
    refused("a,b\n1,2\n1,2,3\n", "bad.csv:3: ");
    refused("a,b\n1,\"2\n", "bad.csv:2: ");
    refused("a,b\n1,\"2\"x\n", "bad.csv:2: ");
    refused(std::string("a,b\n1,\0\n", 8), "bad.csv:2: ");
    refused("a,b\n1,\xff\n", "bad.csv:2: ");
    refused("a,b\n1," + std::string(2 << 20, 'x') + "\n", "bad.csv:2: ");
    CHECK_THROWS_WITH_AS(read_all(folder / "none.csv"), doctest::Contains("none.csv"), Error);
    write_file(path, "a,b\nx,99999999999999999999\n1.5,inf\n");
    CsvReader csv(path, {"a", "b"});
    REQUIRE(csv.next());
    CHECK_THROWS_WITH_AS(csv.integer(0), doctest::Contains("bad.csv:2: "), Error);
    CHECK_THROWS_WITH_AS(csv.integer(1), doctest::Contains("99999999999999999999"), Error);
    REQUIRE(csv.next());
    CHECK(csv.number(0) == 1.5);
    CHECK_THROWS_AS(csv.number(1), Error);
  }

  TEST_CASE("words") {
    CHECK(split_words("The Matrix (1999): Héllo-World 2") ==
          std::vector<std::string>{"the", "matrix", "1999", "héllo", "world", "2"});
    CHECK(split_words(" !? ").empty());
  }

  TEST_CASE("the shipped MovieLens data: counts, order, queries that do not name the movie") {
    const TemporaryFolder folder;
    write_dataset(import_movielens(demo_data, {}), folder / "data");
    const Dataset data = Dataset::open(folder / "data");
    CHECK(data.users() == 610);
    CHECK(data.items() == 9724);
    CHECK(data.interactions() == 100836);
    CHECK(data.query_share() == doctest::Approx(0.26).epsilon(0.02));
    CHECK(data.original_user(0) == 1);
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

    SUBCASE("the same seed gives the same bytes, another seed does not") {
      write_dataset(import_movielens(demo_data, {}), folder / "again");
      write_dataset(import_movielens(demo_data, {2, 0.26}), folder / "other");
      for (const char* name : {"sequences.safetensors", "items.safetensors", "queries.safetensors",
                               "vocabulary.safetensors", "manifest.json"})
        CHECK(read_file(folder / "data/" + name) == read_file(folder / "again/" + name));
      CHECK(Dataset::open(folder / "other").fingerprint() != data.fingerprint());
    }
  }

  TEST_CASE("a damaged folder is refused, whatever is damaged") {
    const TemporaryFolder folder;
    const std::string dir = folder / "data";
    write_dataset(tiny_raw(), dir);
    CHECK(Dataset::open(dir).users() == 12);
    for (const char* name :
         {"sequences.safetensors", "items.safetensors", "queries.safetensors", "vocabulary.safetensors"}) {
      CAPTURE(name);
      const std::string path = dir + "/" + name, good = read_file(path);
      for (std::size_t at : {std::size_t{3}, good.size() / 2, good.size() - 1}) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 1);
        write_file(path, bad);
        CHECK_THROWS_WITH_AS(Dataset::open(dir), doctest::Contains(name), Error);
      }
      write_file(path, good.substr(0, good.size() / 2));
      CHECK_THROWS_AS(Dataset::open(dir), Error);
      fs::remove(path);
      CHECK_THROWS_WITH_AS(Dataset::open(dir), doctest::Contains("No such file"), Error);
      write_file(path, good);
    }
    const std::string manifest = dir + "/manifest.json", good = read_file(manifest);
    for (const std::string& bad :
         {std::string("{}"), std::string("["), std::string(), good.substr(0, good.size() / 2), "[" + good + "]"}) {
      write_file(manifest, bad);
      CHECK_THROWS_WITH_AS(Dataset::open(dir), doctest::Contains("manifest.json"), Error);
    }
    std::string lie = good;
    lie.replace(lie.find("\"users\": 12"), 11, "\"users\": 13");
    write_file(manifest, lie);
    CHECK_THROWS_WITH_AS(Dataset::open(dir), doctest::Contains("'users'"), Error);
  }

  TEST_CASE("writing a data set: into a new or empty folder only, and whole") {
    const TemporaryFolder folder;
    fs::create_directories(folder / "empty");
    write_dataset(tiny_raw(), folder / "empty");
    CHECK_THROWS_WITH_AS(write_dataset(tiny_raw(), folder / "empty"), doctest::Contains("is not an empty folder"),
                         Error);
    CHECK_THROWS_WITH_AS(write_dataset(tiny_raw(), folder / "none/data"), doctest::Contains("does not exist"), Error);
    RawData wrong = tiny_raw();
    wrong.users[0].events[0].item = 31;  // there are 30
    CHECK_THROWS_AS(write_dataset(wrong, folder / "wrong"), Error);
    CHECK(!fs::exists(folder / "wrong"));
    int files = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder / "")) ++files;
    CHECK(files == 1);
  }
}
