// Files, numbers, JSON and printing, where what is handed in is not what one would like.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "tensor/error.h"
#include "tensor/io/file.h"
#include "tensor/io/json.h"
#include "tensor/io/number.h"
#include "tensor/io/print.h"
#include "tests/temporary_folder.h"

using namespace seminar;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

unsigned mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

}  // namespace

TEST_SUITE("files") {
  TEST_CASE("a link stays, what it names is written") {
    const TemporaryFolder folder;
    fs::create_directories(folder / "far");
    write_file(folder / "far/real", "old");
    fs::create_symlink("far/real", folder / "near");
    fs::create_symlink(folder / "near", folder / "chain");
    fs::create_symlink("far/new", folder / "dangling");
    fs::create_symlink("far", folder / "folder");
    fs::create_symlink("loop", folder / "loop");
    check_writable(folder / "chain");
    write_file(folder / "chain", "one");
    CHECK(read_file(folder / "far/real") == "one");
    write_file(folder / "dangling", "two");
    CHECK(read_file(folder / "far/new") == "two");
    write_file(folder / "folder/third", "three");
    CHECK(read_file(folder / "far/third") == "three");
    for (const char* link : {"near", "chain", "dangling", "folder", "loop"}) CHECK(fs::is_symlink(folder / link));
    CHECK_THROWS_WITH_AS(write_file(folder / "folder", ""), doctest::Contains("is a folder, a file is needed"), Error);
    CHECK_THROWS_WITH_AS(write_file(folder / "loop", ""), doctest::Contains("Too many levels of symbolic links"),
                         Error);
    CHECK(names_in(folder / "far") == std::vector<std::string>{"new", "real", "third"});
  }

  TEST_CASE("pipes and devices are written through and stay what they are") {
    const TemporaryFolder folder;
    const std::string pipe = folder / "pipe";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    fs::create_symlink("pipe", folder / "link");
    check_writable(pipe);
    for (const std::string& path : {pipe, folder / "link"}) {
      std::string got;
      std::thread reader([&] { got = read_file(pipe); });
      write_file(path, "through");
      reader.join();
      CHECK(got == "through");
    }
    CHECK(fs::is_fifo(pipe));
    CHECK(fs::is_symlink(folder / "link"));
    CHECK(written_through(folder / "link"));
    CHECK(!written_through(folder / "missing"));
    write_file("/dev/null", "gone");
    CHECK(fs::is_character_file("/dev/null"));
    CHECK_THROWS_WITH_AS(write_file("/dev/full", std::string(100, 'x')), doctest::Contains("No space left"), Error);
    CHECK(fs::is_character_file("/dev/full"));
    // A descriptor of this very process, as /dev/stdout is one.
    const int fd = ::open((folder / "plain").c_str(), O_RDWR | O_CREAT, 0600);
    REQUIRE(::write(fd, "before ", 7) == 7);
    write_file(fmt::format("/proc/self/fd/{}", fd), "after");
    ::close(fd);
    CHECK(read_file(folder / "plain") == "before after");
  }

  TEST_CASE("a file keeps its mode when it is replaced, a new one has that of the umask") {
    const TemporaryFolder folder;
    const mode_t before = ::umask(027);
    write_file(folder / "new", "x");
    ::umask(before);
    CHECK(mode_of(folder / "new") == 0640);
    for (const unsigned mode : {0600u, 0664u, 0755u}) {
      ::chmod((folder / "new").c_str(), mode);
      write_file(folder / "new", "y");
      CHECK(mode_of(folder / "new") == mode);
    }
  }

  TEST_CASE("threads that write one path do not meet in its temporary file") {
    const TemporaryFolder folder;
    const std::string path = folder / "file";
    std::vector<std::thread> threads;
    for (char c = 'a'; c < 'e'; ++c)
      threads.emplace_back([&path, c] {
        for (int i = 0; i < 20; ++i) write_file(path, std::string(100000, c));
      });
    for (std::thread& thread : threads) thread.join();
    const std::string text = read_file(path);
    CHECK(text == std::string(100000, text[0]));
    CHECK(names_in(folder / "") == std::vector<std::string>{"file"});
  }

  TEST_CASE("what killed processes left is told from what is in use by a lock") {
    const TemporaryFolder folder;
    const std::string path = folder / "file";
    const TemporaryName used = make_temporary(path), used_folder = make_temporary(path, true);
    write_file(path + ".tmp.1.2", "left, and process 1 is alive");
    fs::create_directories(path + ".tmp.999999.0/inner");
    for (const char* own : {".tmp.mine", ".tmp.1", ".tmp.1.2.3", ".tmp..", ".tmp.1.x"}) write_file(path + own, "");
    check_writable(path);
    for (const char* own : {".tmp.mine", ".tmp.1", ".tmp.1.2.3", ".tmp..", ".tmp.1.x"}) CHECK(file_exists(path + own));
    CHECK(!file_exists(path + ".tmp.1.2"));
    CHECK(!file_exists(path + ".tmp.999999.0"));
    CHECK(file_exists(used.name));
    CHECK(file_exists(used_folder.name));
    ::close(used.descriptor);
    ::close(used_folder.descriptor);
    remove_stale(path);
    CHECK(!file_exists(used.name));
    CHECK(!file_exists(used_folder.name));
  }

  TEST_CASE("the same file under other names") {
    const TemporaryFolder folder;
    write_file(folder / "a", "");
    write_file(folder / "b", "");
    fs::create_symlink("a", folder / "link");
    fs::create_hard_link(folder / "a", folder / "hard");
    CHECK(same_file(folder / "a", folder / "./a"));
    CHECK(same_file(folder / "a", folder / "link"));
    CHECK(same_file(folder / "a", folder / "hard"));
    CHECK(!same_file(folder / "a", folder / "b"));
    CHECK(!same_file(folder / "none", folder / "none"));
  }
}

TEST_SUITE("numbers") {
  TEST_CASE("whole numbers are decimal, and whole however they are written") {
    const std::pair<const char*, int64_t> good[] = {{"10", 10},
                                                    {"010", 10},
                                                    {"+10", 10},
                                                    {"10.0", 10},
                                                    {"1e1", 10},
                                                    {"1.5e1", 15},
                                                    {"100e-1", 10},
                                                    {"-0", 0},
                                                    {"0e999999", 0},
                                                    {"-7.00", -7},
                                                    {"9223372036854775807", INT64_MAX},
                                                    {"-9223372036854775808", INT64_MIN},
                                                    {"9007199254740993", 9007199254740993}};
    for (const auto& written : good) {
      CAPTURE(written.first);
      CHECK(whole_number(written.first, "x") == written.second);
    }
    for (const char* text : {"", " 1", "1 ", "0x10", "0b1", "1_000", "1,000", "1.5", "1e-1", "e1", ".", "1e", "--1",
                             "nan", "inf", "1h", "\xd9\xa1"})
      CHECK_THROWS_WITH_AS(whole_number(text, "x"), doctest::Contains("x: must be a whole number: '"), Error);
    for (const char* text :
         {"9223372036854775808", "-9223372036854775809", "18446744073709551617", "1e30", "4294967297"})
      CHECK_THROWS_WITH_AS(whole_number(text, "--k", 1, 100),
                           fmt::format("--k: must be from 1 to 100: {}", text).c_str(), Error);
    CHECK_THROWS_WITH_AS(whole_number("-1", "--n", 0), "--n: must be 0 or more: -1", Error);
  }

  TEST_CASE("numbers with fractions, sizes") {
    CHECK(decimal_number("0.5", "x") == 0.5);
    CHECK(decimal_number("+3e-3", "x") == 3e-3);
    CHECK(decimal_number("007.5", "x") == 7.5);
    CHECK(decimal_number("-.5", "x") == -0.5);
    for (const char* text : {"nan", "inf", "-inf", "infinity", "0x1p3", "1,5", "", "1e"})
      CHECK_THROWS_WITH_AS(decimal_number(text, "x"), doctest::Contains("x: must be a number"), Error);
    CHECK_THROWS_WITH_AS(decimal_number("1e999", "x"), doctest::Contains("too large"), Error);
    CHECK_THROWS_WITH_AS(decimal_number("1.5", "--share", 0, 1), "--share: must be from 0 to 1: 1.5", Error);
    CHECK(byte_count("4096", "m") == 4096);
    CHECK(byte_count("1.5 GiB", "m") == 3 * (int64_t{1} << 29));
    CHECK(byte_count("800M", "m") == 800 * (int64_t{1} << 20));
    CHECK(byte_count("64kb", "m") == 65536);
    CHECK(byte_count("0", "m") == 0);
    for (const char* text : {"much", "", "M", "2X", "-1M", "1e30G", "2GG"})
      CHECK_THROWS_WITH_AS(byte_count(text, "m"), doctest::Contains("m: must be"), Error);
  }

  TEST_CASE("JSON is taken at its word") {
    CHECK(parse_json(R"({"a": [1, 2.5, null, "\u0000"]})", "w")["a"].size() == 4);
    CHECK(parse_ordered_json(R"({"b":1,"a":2})", "w").begin().key() == "b");
    const std::pair<std::string, const char*> bad[] = {
        {std::string("{\"a\":1}\0{\"a\":2}", 15), "w: not valid JSON: a NUL at byte 8"},
        {std::string("{\"a\":1}\0", 8), "a NUL at byte 8"},
        {"{} {}", "w: not valid JSON at byte 4"},
        {"", "w: not valid JSON at byte 1"},
        {R"({"a":1,"a":2})", "w: key twice: \"a\""},
        {R"([{"b":{"a":1,"a":2}}])", "w: key twice: \"a\""},
        {"[1e999]", "w: not valid JSON: a number is too large"},
        {"[NaN]", "w: not valid JSON at byte"},
        {"[01]", "w: not valid JSON at byte"},
        {"[\"\xff\"]", "w: not valid JSON at byte"},
        {std::string(100, '[') + std::string(100, ']'), "w: nested deeper than 64 levels"}};
    for (const auto& wrong : bad)
      CHECK_THROWS_WITH_AS(parse_json(wrong.first, "w"), doctest::Contains(wrong.second), Error);
    const nlohmann::json numbers = parse_json(R"([1, 1.0, 1e3, 1.5, 1e30, "1", true])", "w");
    CHECK(json_whole(numbers[0], "k") == 1);
    CHECK(json_whole(numbers[1], "k") == 1);
    CHECK(json_whole(numbers[2], "k") == 1000);
    CHECK_THROWS_WITH_AS(json_whole(numbers[3], "k"), "k: must be a whole number: '1.5'", Error);
    CHECK_THROWS_WITH_AS(json_whole(numbers[4], "k", 1, 5), "k: must be from 1 to 5: 1e+30", Error);
    CHECK_THROWS_WITH_AS(json_whole(numbers[5], "k"), "k: must be a whole number: '1'", Error);
    CHECK_THROWS_WITH_AS(json_whole(numbers[6], "k"), "k: must be a whole number: boolean", Error);
    CHECK(json_decimal(numbers[0], "k") == 1.0);
  }

  TEST_CASE("printing to a full disk is remembered and never throws") {
    std::FILE* full = std::fopen("/dev/full", "w");
    REQUIRE(full);
    std::setvbuf(full, nullptr, _IONBF, 0);
    write_text(full, "lost");
    CHECK(flush_text(full) == ENOSPC);
    std::fclose(full);
  }
}
