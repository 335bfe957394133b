// Times: read exactly, sorted as given; ties drawn, missing times told.
#include <set>

#include "tests/imported.h"

using namespace seminar;
using doctest::Contains;

namespace {

// The user's items in order, from a RecBole file of these rows.
std::string order(const TemporaryFolder& folder, const std::string& rows, uint64_t seed = 1) {
  write_recbole(folder / "r", rows);
  ImportOptions options = lenient();
  options.seed = seed;
  std::string items;
  for (const std::string& item : history(imported(folder, "recbole", folder / "r", options), "u"))
    items += item.substr(0, 1);
  return items;
}

}  // namespace

TEST_SUITE("times") {
  TEST_CASE("numbers and dates become microseconds without rounding") {
    using Unit = TimeUnit;
    CHECK(parse_time("1700000000.000001", Unit::seconds) == 1700000000000001);
    CHECK(parse_time("1700000000.9999999", Unit::seconds) == 1700000000999999);
    CHECK(parse_time("1.684742e+12", Unit::milliseconds) == 1684742000000000);
    CHECK(parse_time("1684742000001", Unit::milliseconds) == 1684742000001000);
    CHECK(parse_time("1700000000123456789", Unit::nanoseconds) == 1700000000123456);
    CHECK(parse_time("-3", Unit::seconds) == -3000000);
    CHECK(parse_time("0.0", Unit::seconds) == 0);
    CHECK(parse_time("2023-05-22 15:53:20", Unit::date) == 1684770800000000);
    CHECK(parse_time("2023-05-22T15:53:20.25+08:00", Unit::date) == 1684742000250000);
    CHECK(parse_time("2023-05-22T15:53:20Z", Unit::date) == 1684770800000000);
    CHECK(parse_time("2023-05-22T15:53-0330", Unit::date) == 1684783380000000);
    CHECK(parse_time("1970-01-01", Unit::date) == 0);
    for (const char* bad : {"", "-", ".", "1e", "1e99", "9e18", "0x10", "1 ", "1,5", "nan", "inf", "1e1e1", "--1"})
      CHECK(!parse_time(bad, Unit::seconds));
    for (const char* bad : {"2023-02-30", "2023-5-22", "22.05.2023", "2023-05-22T25:00", "2023-05-22T15", "2023-05-22x",
                            "2023-05-22 15:53:20 PM", "2023-05-22T15:53:20+15:00", "2023-05-22T15:53:20."})
      CHECK(!parse_time(bad, Unit::date));
    CHECK(time_unit("1700000000") == Unit::seconds);
    CHECK(time_unit("5.5") == Unit::seconds);
    CHECK(time_unit("1700000000000") == Unit::milliseconds);
    CHECK(time_unit("1.7e15") == Unit::microseconds);
    CHECK(time_unit("1700000000123456789") == Unit::nanoseconds);
    CHECK(time_unit("2023-05-22") == Unit::date);
    CHECK(!time_unit("yesterday"));
  }

  TEST_CASE("behaviours within a second, a millisecond, a microsecond stay in order, in every unit") {
    const TemporaryFolder folder;
    CHECK(order(folder, "u\td\t1700000000.9\nu\tc\t1700000000.7\nu\ta\t1700000000.1\nu\tb\t1700000000.3\n") == "abcd");
    CHECK(order(folder, "u\tb\t1700000000.000002\nu\ta\t1700000000.000001\n") == "ab");
    CHECK(order(folder, "u\tb\t1700000000002\nu\ta\t1700000000001\n") == "ab");
    CHECK(order(folder, "u\tb\t2023-05-22T15:53:20.002Z\nu\ta\t2023-05-22T15:53:20.001Z\n") == "ab");
    CHECK_THROWS_WITH_AS(order(folder, "u\ta\t1\nu\tb\t1700000000002\n"),
                         Contains("a.inter:3: time is after 2106: '1700000000002'"), Error);
    CHECK_THROWS_WITH_AS(order(folder, "u\ta\tnever\n"),
                         Contains("a.inter:2: timestamp is neither a number nor a date: 'never'"), Error);
    CHECK_THROWS_WITH_AS(order(folder, "u\ta\t1\nu\tb\t-1\n"), Contains("a.inter:3: time is negative: '-1'"), Error);
    CHECK_THROWS_WITH_AS(order(folder, "u\ta\t1\nu\tb\t\n"), Contains("a.inter:3: timestamp is not a time"), Error);
    // Out and in again: every digit is there.
    order(folder, "u\tb\t1700000000.000002\nu\ta\t1700000000.5\nu\tc\t1700000000\n");
    fs::create_directories(folder / "out");
    export_recbole(Dataset::open(folder / "data"), folder / "out", "x");
    CHECK(read_file(folder / "out/x.inter")
              .find("u\tc\t1700000000\t\nu\tb\t1700000000.000002\t\nu\ta\t1700000000.5\t\n") != std::string::npos);
  }

  TEST_CASE("ties come in an order drawn by the seed, whatever the order of the file, and are counted") {
    const TemporaryFolder folder;
    std::string rows = "u\tz\t9\n";
    for (char item = 'a'; item <= 'h'; ++item) rows += fmt::format("u\t{}\t5\n", item);
    const std::string one = order(folder, rows);
    CHECK(one != "abcdefghz");
    CHECK(one.back() == 'z');
    CHECK(order(folder, rows) == one);
    CHECK(Dataset::open(folder / "data").info().import_counts.at("actions_at_one_time") == 8);
    // Each of the eight is first about as often as the others.
    std::map<char, int> first;
    for (uint64_t seed = 0; seed < 80; ++seed) ++first[order(folder, rows, seed)[0]];
    CHECK(first.size() == 8);
    for (const auto& [item, count] : first) CHECK(count < 24);
  }

  TEST_CASE("a set without times says so and keeps the order of the file; other names are told or refused") {
    const TemporaryFolder folder;
    ImportOptions options = lenient();
    std::vector<std::string> told;
    options.tell = [&](const std::string& sentence) { told.push_back(sentence); };
    const auto import = [&](const char* header, const char* rows) {
      told.clear();
      write_recbole(folder / "r", rows, header);
      return imported(folder, "recbole", folder / "r", options);
    };
    const Dataset none = import("user_id:token\titem_id:token", "u\tc\nu\ta\nu\tb\n");
    CHECK(!none.info().has_times);
    CHECK(history(none, "u") == std::vector<std::string>{"c/", "a/", "b/"});
    CHECK(told ==
          std::vector<std::string>{"no column timestamp: the order of the file is the order of each user's actions"});
    fs::create_directories(folder / "out");
    export_recbole(none, folder / "out", "x");
    CHECK(read_file(folder / "out/x.inter").starts_with("user_id:token\titem_id:token\tquery:token_seq\n"));
    const Dataset other = import("user_id:token\titem_id:token\tTime:float", "u\tc\t3\nu\ta\t1\nu\tb\t2\n");
    CHECK(other.info().has_times);
    CHECK(history(other, "u") == std::vector<std::string>{"a/", "b/", "c/"});
    CHECK(told == std::vector<std::string>{"no column timestamp: the column Time is taken for it"});
    CHECK_THROWS_WITH_AS(import("user_id:token\titem_id:token\ttime:float\tdate:float", "u\tc\t3\t3\n"),
                         Contains("several may be meant: time, date: rename one"), Error);
  }

  TEST_CASE("KuaiSAR: the finer of the number and the text beside it") {
    const TemporaryFolder folder;
    fs::create_directories(folder / "k");
    write_file(folder / "k/rec_inter.csv",
               "user_id,item_id,time,timestamp,click\n"
               "0,3,2023-05-22 15:53:22,1.684742e+12,1\n"
               "0,1,2023-05-22 15:53:20,1.684742e+12,1\n"
               "0,2,2023-05-22 15:53:20,1684742000500,1\n"
               "0,4,2023-05-22 15:53:23,1.684742003e+12,1\n");
    write_file(folder / "k/src_inter.csv",
               "user_id,search_session_time,search_session_timestamp,keyword,item_id,click_cnt,item_type\n"
               "0,2023-05-22 15:53:21,1.684742e+12,[7],9,1,VIDEO\n");
    const Dataset data = imported(folder, "kuaisar", folder / "k", lenient());
    CHECK(history(data, "0") == std::vector<std::string>{"1/", "2/", "9/7", "3/", "4/"});
    CHECK(data.user_times(0)[1] == 1684742000500000);
  }

  TEST_CASE("the same rows from another file are the same data; folders of an older layout are refused") {
    const TemporaryFolder folder;
    const std::string rows = "u\ta\t1\nu\tb\t1\nu\tc\t2\n";
    order(folder, rows);
    const std::string same = Dataset::open(folder / "data").fingerprint();
    fs::create_directories(folder / "z");
    write_gzip(folder / "z/other.inter.gz", read_file(folder / "r/a.inter"));
    CHECK(imported(folder, "recbole", folder / "z", lenient()).fingerprint() == same);
    CHECK(order(folder, rows + "u\td\t3\n").ends_with("cd"));
    CHECK(Dataset::open(folder / "data").fingerprint() != same);
    std::string manifest = read_file(folder / "data/manifest.json");
    const std::size_t at = manifest.find("\"format_version\": 3");
    REQUIRE(at != std::string::npos);
    manifest[at + 18] = '2';
    write_file(folder / "data/manifest.json", manifest);
    CHECK_THROWS_WITH_AS(Dataset::open(folder / "data"), Contains("import the data again"), Error);
  }
}
