// Texts as people write them: words in any script, mark-up, old encodings, packed files.
#include <cstring>

#include "seminar/data/features.h"
#include "tests/imported.h"

using namespace seminar;
using doctest::Contains;

namespace {

std::vector<std::string> lines_of(const std::string& path, LineReader::Options options = {}) {
  std::vector<std::string> all;
  ReadPolicy policy;
  LineReader lines(path, policy, options);
  while (lines.next()) all.emplace_back(lines.line());
  return all;
}

// A zstd frame that holds the text as it is.
std::string zstd_frame(const std::string& text) {
  std::string frame = "\x28\xb5\x2f\xfd\x20";
  frame += static_cast<char>(text.size());
  frame += {static_cast<char>(text.size() << 3 | 1), static_cast<char>(text.size() >> 5), 0};
  return frame + text;
}

}  // namespace

TEST_SUITE("text") {
  TEST_CASE("words: any script, composed and in lower case; invisible characters are none") {
    const auto words = [](const char* text) { return fmt::format("{}", fmt::join(split_words(text), "|")); };
    CHECK(words("The Matrix (1999): Héllo-World 2") == "the|matrix|1999|héllo|world|2");
    CHECK(words(" !? …“” ") == "");
    for (const char* same : {"Été chaud", "ÉTÉ CHAUD", "e\xcc\x81te\xcc\x81 chaud",
                             "été\xc2\xa0"
                             "chaud",
                             "été\xe3\x80\x80"
                             "chaud",
                             "“été”, chaud!", "é\xc2\xadté chaud",
                             "été\xe2\x80\x8b"
                             "chaud",
                             "\xef\xbb\xbf"
                             "été chaud"})
      CHECK(words(same) == "été|chaud");
    CHECK(words("ΟΔΟΣ οδος Οδος") == words("οδοσ οδος ΟΔΟΣ"));
    CHECK(words("İstanbul") == "istanbul");
    CHECK(words("I\xcc\x87stanbul") == "istanbul");
    CHECK(words("ılık straße") == "ılık|straße");
    CHECK(words("МОСКВА 北京 हिन्दी") == "москва|北京|हिन्दी");
    CHECK(words("🎮 ❤️") == words("🎮 ❤"));
    CHECK(split_words("🎮").size() == 1);
    CHECK(words("5 € Lego®") == "5|lego");
    CHECK(words("a\xff"
                "b") ==
          "a\xff"
          "b");
    QueryTable queries;
    CHECK(queries.id("Été") == queries.id("été "));
    CHECK(queries.id("€ !") == 0);
  }

  TEST_CASE("mark-up and entities, as browsers take them") {
    CHECK(plain_text("Dark <b>Star</b>, a<br>b<p>c") == "Dark Star, a b c");
    CHECK(plain_text("pre<i>fix</i>ed") == "prefixed");
    CHECK(plain_text("a < b and c > d, 1<2, <3 <- <>") == "a < b and c > d, 1<2, <3 <- <>");
    CHECK(plain_text("<a href=\"x>y\" title='<'>link</a>") == "link");
    CHECK(plain_text("x<!-- <b> -- > -->y<!doctype html>z<?xml?>w</ 3>v") == "xyzwv");
    CHECK(plain_text("a<script>if (1<2) '</b>'</SCRIPT >b<style>p{}</style>c") == "a b c");
    CHECK(plain_text("text <b unclosed") == "text");
    CHECK(plain_text("R&amp;B &lt;b&gt; &#39;x&#x27; &eacute;t&eacute &nbsp; &hellip; &euro;") ==
          "R&B <b> 'x' été … €");
    CHECK(plain_text("&amp;amp; AT&T &copy2 &nosuch; &#; &#x; & &amp") == "&amp; AT&T ©2 &nosuch; &#; &#x; & &");
    CHECK(plain_text("&#0;&#xd800;&#1114112;&#99999999999;") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    CHECK(plain_text("&#150; &#x80;") == "– €");
    CHECK(plain_text(std::string(200000, '<') + "a").size() == 199999);  // the last one begins a tag
    std::string closing = "<script>";
    for (int i = 0; i < 50000; ++i) closing += "</scrip";
    CHECK(plain_text(closing) == "");
  }

  TEST_CASE("encodings: UTF-8, Windows-1252 where it may be, UTF-16 told") {
    const TemporaryFolder folder;
    const std::string path = folder / "t.dat";
    const auto read = [&](const std::string& bytes) {
      write_file(path, bytes);
      return lines_of(path, {.maybe_latin1 = true});
    };
    using Lines = std::vector<std::string>;
    CHECK(read("a\nCaf\xe9\nx\x80\n") == Lines{"a", "Café", "x€"});
    CHECK(read("a\nCafé\nx\n") == Lines{"a", "Café", "x"});
    CHECK(read("\xef\xbb\xbf"
               "a\r\nCafé\r\n") == Lines{"a", "Café"});
    CHECK_THROWS_WITH_AS(read("Café\nCaf\xe9\n"), Contains("t.dat:2: not UTF-8"), BadRow);
    CHECK_THROWS_WITH_AS(read("Caf\xe9\nCafé\n"), Contains("t.dat:2: UTF-8 in a file that is Latin-1 before"), BadRow);
    for (const std::string& start : {std::string("\xff\xfe"
                                                 "a\0",
                                                 4),
                                     std::string("\xfe\xff\0a", 4), std::string("a\0b\0", 4)})
      CHECK_THROWS_WITH_AS(read(start), Contains("t.dat:1: is UTF-16 text: convert it first: iconv"), Error);
    write_file(path, "Caf\xe9\n");
    CHECK_THROWS_WITH_AS(lines_of(path), Contains("t.dat:1: not UTF-8"), BadRow);
    write_file(path, std::string("ab\0c\n", 5));
    CHECK_THROWS_WITH_AS(lines_of(path), Contains("NUL byte"), Error);
  }

  TEST_CASE("packed files are read by content; forms that are not read are told") {
    const TemporaryFolder folder;
    const std::string path = folder / "f", text = "one\ntwo\n";
    using Lines = std::vector<std::string>;
    write_gzip(path, text);
    CHECK(lines_of(path) == Lines{"one", "two"});
    CHECK(read_unpacked(path) == text);
    const std::string member = read_file(path);
    write_file(path, member + member);
    CHECK(read_unpacked(path) == text + text);
    write_file(path, member.substr(0, member.size() - 3));
    CHECK_THROWS_WITH_AS(read_unpacked(path), Contains("the gzip stream is cut short"), Error);
    write_file(path, zstd_frame(text) + zstd_frame("three\n"));
    try {
      CHECK(lines_of(path) == Lines{"one", "two", "three"});
      write_file(path, zstd_frame(text).substr(0, 12));
      CHECK_THROWS_WITH_AS(read_unpacked(path), Contains("f:1: cannot be read: the zstd stream is cut short"), Error);
    } catch (const Error& e) {
      CHECK(std::strstr(e.what(), "f: is compressed with zstd, which this program was built without"));
    }
    write_file(path, "PAR1....");
    CHECK_THROWS_WITH_AS(read_unpacked(path), Contains("f: is a Parquet file: save it as CSV"), Error);
    write_file(path, "BZh91AY");
    CHECK_THROWS_WITH_AS(read_unpacked(path), Contains("unpack it first (bunzip2)"), Error);
    write_file(path, "");
    CHECK(read_unpacked(path).empty());
    CHECK_THROWS_WITH_AS(read_unpacked(path + "x"), Contains("cannot be opened"), Error);
  }

  TEST_CASE("packed side files count, two of one name are refused, what is not read is told") {
    const TemporaryFolder folder;
    const std::string src = folder / "s";
    fs::create_directories(src);
    write_gzip(src + "/A.txt.gz", "1 5 6 7 8\n2 6 7 8 5\n");
    write_gzip(src + "/A_item2attributes.json.gz", R"({"5":[1,2],"6":[2],"7":[3],"8":[1]})");
    write_gzip(src + "/A_sample.txt.gz", "1 8 7\n");
    write_file(src + "/A_readme.md", "?");
    ImportOptions options = lenient();
    std::vector<std::string> told;
    options.tell = [&](const std::string& sentence) { told.push_back(sentence); };
    const auto attributes_of = [&](const std::string& source) {
      return imported(folder, "s3rec", source, options).attributes() - 1;
    };
    CHECK(attributes_of(src + "/A.txt.gz") == 3);
    CHECK(told == std::vector<std::string>{"not read: A_readme.md"});
    const Dataset data = imported(folder, "s3rec", src, options);
    CHECK(data.attributes() == 4);
    CHECK(data.negatives(0).size() == 2);
    write_file(src + "/A_sample.txt", "1 8 7\n");
    CHECK_THROWS_WITH_AS(imported(folder, "s3rec", src, options),
                         Contains("A_sample.txt.gz: two files where one is meant"), Error);
    CHECK_THROWS_WITH_AS(imported(folder, "s3rec", src + "/A_readme.md", options), Contains("must be a NAME.txt file"),
                         Error);

    const std::string rows = "user_id:token\titem_id:token\ttimestamp:float\nu\ti\t1\nu\tj\t2\n", two = folder / "g";
    fs::create_directories(two);
    for (const char* name : {"/a.inter.gz", "/b.inter.gz"}) write_gzip(two + name, rows);
    CHECK_THROWS_WITH_AS(imported(folder, "recbole", two, options),
                         Contains((two + "/a.inter.gz, " + two + "/b.inter.gz").c_str()), Error);
    write_gzip(two + "/b.item.gz", "item_id:token\ttitle:token_seq\ni\tRed sun\n");
    CHECK(imported(folder, "recbole", two + "/b.inter.gz", options).title(1) == "Red sun");
  }

  TEST_CASE("vectors by name: only the ending of a picture is taken off, columns have names, numbers fit") {
    CHECK(without_picture_ending("5.JPG") == "5");
    CHECK(without_picture_ending("5.5") == "5.5");
    CHECK(without_picture_ending(".png") == ".png");
    const TemporaryFolder folder;
    const auto refuse = [&](const std::string& text, const char* what) {
      write_file(folder / "v.csv", text);
      CHECK_THROWS_WITH_AS(read_vectors(folder / "v.csv", ""), Contains(what), Error);
    };
    refuse(",item,x\n0,5,1\n", "v.csv:1: column 1 has no name");
    refuse("item,x,Unnamed: 0\n5,1,0\n", "v.csv:1: column 3 has no name");
    refuse("item,x\n5,1e39\n", "v.csv:2: x is too large for single precision: '1e39'");
    refuse("id,x\n5,1\n", "v.csv:1: column missing: 'item'; the columns are 'id', 'x'");
    write_gzip(folder / "v.csv.gz", "item,x\n5,1\n");
    CHECK(read_vectors(folder / "v.csv.gz", "").names == std::vector<std::string>{"5"});
    write_vectors({{}, 2, {1, 2, 3, 4}}, {{"source", "texts"}}, folder / "t.safetensors");
    CHECK_THROWS_WITH_AS(read_vectors(folder / "t.safetensors", ""), Contains("has no names; give --ids"), Error);
    write_file(folder / "ids", "a\nb\n\n");
    CHECK(read_vectors(folder / "t.safetensors", folder / "ids").names == std::vector<std::string>{"a", "b"});
    write_file(folder / "ids", "a\n\nb\n");
    CHECK_THROWS_WITH_AS(read_vectors(folder / "t.safetensors", folder / "ids"), Contains("ids:2: blank line"), Error);
    write_vectors({{"1", "2"}, 2, {1, 2, 3, 4}}, {{"source", "texts"}}, folder / "t.safetensors");
    CHECK_THROWS_WITH_AS(read_vectors(folder / "t.safetensors", ""), Contains("named by line numbers"), Error);
    write_recbole(folder / "r", "u\ti\t1\nu\tj\t2\n");
    write_file(folder / "r/a.item", "item_id:token\tprice:float\ni\t1e39\nj\t1\n");
    CHECK_THROWS_WITH_AS(imported(folder, "recbole", folder / "r", lenient()),
                         Contains("a.item:2: price is too large for single precision"), Error);
  }
}
