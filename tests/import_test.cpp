// The importers on small files written by hand in the published layouts (docs/data.md), and on hostile ones.
#include "tests/imported.h"

using namespace seminar;

namespace {

void write_kuaisar(const std::string& dir) {
  fs::create_directories(dir);
  write_file(dir + "/rec_inter.csv",
             "user_id,item_id,playing_time,duration_ms,time,timestamp,click,forward,like,follow,search,"
             "search_item_related\n"
             "0,17,16521.0,11066.0,2023-05-22 15:53:20,1.684742e+12,1,0,0,0,0,0\n"
             "0,18,1.0,9066.0,2023-05-22 15:53:20,1684742000000.0,0,0,0,0,0,0\n"
             "0,19,90.0,9066.0,2023-05-22 15:53:21,1684742001000.0,1,0,0,0,0,0\n"
             "7,17,90.0,9066.0,2023-05-22 15:53:19,1684741999000.0,1,0,0,0,0,0\n");
  write_file(dir + "/src_inter.csv",
             "user_id,search_session_id,search_session_time,search_session_timestamp,keyword,search_source,item_id,"
             "click_cnt,item_type\n"
             "0,5,2023-05-22 15:53:20,1684742000000,\"[20, 34, 3]\",USER_INPUT,21,2,VIDEO\n"
             "0,5,2023-05-22 15:53:20,1684742000000,\"[20, 34, 3]\",USER_INPUT,22,0,VIDEO\n"
             "0,6,2023-05-22 15:53:22,1684742002000,[9],USER_INPUT,17,1,USER\n"
             "7,8,2023-05-22 15:53:18,1684741998000,[],USER_INPUT,23,1,VIDEO\n");
  write_file(dir + "/item_features.csv",
             "item_id,caption,author_id,item_type,upload_time,upload_type,first_level_category_id,"
             "first_level_category_name,first_level_category_name_en,second_level_category_id,"
             "second_level_category_name,second_level_category_name_en\n"
             "17,\"[34, 1]\",4,NORMAL,2023-01-01,x,2,游戏,Games,0,,\n"
             "21,[],0,NORMAL,1970-1-1,x,3,音乐,Music,5,摇滚,Rock\n"
             "99,[8],1,NORMAL,2023-01-01,x,2,游戏,Games,0,,\n");
  write_file(dir + "/user_features.csv",
             "user_id,search_active_level,rec_active_level,onehot_feat1,onehot_feat2\n0,2,3,1,7\n5,0,0,0,0\n");
  write_file(dir + "/social_network.csv", "user_id,user_follow_id\n0,7\n0,9\n3,1\n");
}

void write_amazon(const std::string& dir) {
  fs::create_directories(dir);
  write_file(
      dir + "/Movies_and_TV_5.json",
      R"({"overall": 5.0, "verified": true, "reviewerID": "A1", "asin": "0001", "style": {"Format:": " DVD"}, "unixReviewTime": 200})"
      "\n"
      R"({"overall": 1.0, "reviewerID": "A1", "asin": "0002", "reviewText": "so, \"so\"", "unixReviewTime": 100})"
      "\n\n"
      R"({"reviewerID": "B2", "asin": "0003", "unixReviewTime": 50, "vote": "1,234"})"
      "\n"
      R"({"reviewerID": "B2", "asin": "0001", "unixReviewTime": 50})"
      "\n");
  write_file(
      dir + "/meta_Movies_and_TV.json",
      R"({"asin": "0001", "title": "Dark <b>Star</b> &amp; a &lt; b", "description": ["A crew  of five is bored, in space."], "brand": "Carpenter", "category": ["Movies &amp; TV", "Science Fiction"], "price": "$12.99"})"
      "\n"
      R"({"asin": "0001", "title": "again"})"
      "\n"
      R"({"asin": "0002", "title": "var aPageStart = (new Date()).getTime();", "description": [], "brand": "", "category": ["Drama"]})"
      "\n"
      R"({"asin": "9999", "title": "never reviewed"})"
      "\n");
}

}  // namespace

TEST_SUITE("import") {
  TEST_CASE("KuaiSAR: searches and browsing merged in time order, clicks only, searches first on ties") {
    const TemporaryFolder folder;
    write_kuaisar(folder / "src");
    const Dataset data = imported(folder, "kuaisar", folder / "src", lenient());
    CHECK(data.users() == 2);
    CHECK(history(data, "0") == std::vector<std::string>{"21/20 34 3", "17/", "19/", "USER:17/9"});
    CHECK(history(data, "7") == std::vector<std::string>{"23/", "17/"});
    CHECK(data.user_times(user_number(data, "0"))[0] == 1684742000 * us_per_second);
    CHECK(attributes(data, "17") == std::vector<std::string>{"author:4", "first:Games"});
    CHECK(attributes(data, "21") == std::vector<std::string>{"first:Music", "second:Rock"});
    std::vector<std::string> of_user;
    for (int32_t a : data.user_attributes(user_number(data, "0"))) of_user.emplace_back(data.user_attribute(a));
    CHECK(of_user == std::vector<std::string>{"search_active_level:2", "rec_active_level:3", "onehot_feat1:1",
                                              "onehot_feat2:7", "follows:1-9"});
    CHECK(data.info().import_counts.at("features_of_items_never_clicked") == 1);
    CHECK(data.info().import_counts.at("items_without_features") == 3);
    CHECK(!data.has_exposures());

    ImportOptions with = lenient();
    with.exposures = true;
    const Dataset shown = imported(folder, "kuaisar", folder / "src", with);
    const auto exposures = shown.exposures(user_number(shown, "0"));
    CHECK(exposures.items.size() == 6);
    CHECK(std::count(exposures.clicked.begin(), exposures.clicked.end(), 1) == 4);
    CHECK(shown.interactions() == data.interactions());

    SUBCASE("gzip gives the same data; cut short, an error that says so") {
      fs::create_directories(folder / "gz");
      for (const auto& entry : fs::directory_iterator(folder / "src"))
        write_gzip(folder / "gz/" + entry.path().filename().string() + ".gz", read_file(entry.path().string()));
      const Dataset packed = imported(folder, "kuaisar", folder / "gz", lenient());
      CHECK(history(packed, "0").size() == 4);
      const std::string path = folder / "gz/rec_inter.csv.gz", good = read_file(path);
      write_file(path, good.substr(0, good.size() - 9));
      CHECK_THROWS_WITH_AS(imported(folder, "kuaisar", folder / "gz", lenient()),
                           doctest::Contains("the gzip stream is cut short"), Error);
      CHECK(!fs::exists(folder / "data"));
    }
    SUBCASE("bad rows: named with file and line, or skipped and counted") {
      const std::string path = folder / "src/src_inter.csv", good = read_file(path);
      const auto refused = [&](const std::string& row, const std::string& message) {
        write_file(path, good + row);
        CAPTURE(row.substr(0, 80));
        CHECK_THROWS_WITH_AS(imported(folder, "kuaisar", folder / "src", lenient()), doctest::Contains(message.c_str()),
                             Error);
        ImportOptions skipping = lenient();
        skipping.skip_bad = 1;
        const Dataset rest = imported(folder, "kuaisar", folder / "src", skipping);
        CHECK(rest.interactions() == data.interactions());
        CHECK(rest.info().import_counts.at("bad_rows_skipped") == 1);
      };
      refused("0,5,x,1684742000000,[20 34;3],U,21,2,VIDEO\n", "src_inter.csv:6: not a list of whole numbers");
      refused("0,5,x,1684742000000,20,U,21,2,VIDEO\n", "src_inter.csv:6: not a list in brackets");
      refused("0,5,x,-5,[1],U,21,2,VIDEO\n", "src_inter.csv:6: time is negative: '-5'");
      refused("0,5,x,1e30,[1],U,21,2,VIDEO\n", "src_inter.csv:6: time is after 2106: '1e30'");
      refused("0,5,x,1684742000000,[1],U,99999999999999999999,2,VIDEO\n", "item_id does not fit 64 bits");
      refused("0,5,x,1684742000000,\"[1],U,21,2,VIDEO\n", "src_inter.csv:6: unbalanced quote");
      refused(std::string("0,5,x,1684742000000,[1],U,2\0", 28) + "1,2,VIDEO\n", "src_inter.csv:6: NUL byte");
      refused("0,5,x,1684742000000,[1],U,21,2,\xff\xfe\n", "src_inter.csv:6: not UTF-8");
      refused("0,5,x," + std::string(3 << 20, '9') + ",[1],U,21,2,VIDEO\n", "src_inter.csv:6: line longer than 1 MiB");
      refused("0,5,x\n", "src_inter.csv:6: wrong number of fields: expected 9, found 3");
      write_file(path, good + "x\ny\nz\n");
      ImportOptions skipping = lenient();
      skipping.skip_bad = 2;
      CHECK_THROWS_WITH_AS(imported(folder, "kuaisar", folder / "src", skipping),
                           doctest::Contains("2 rows skipped before it, all that --skip-bad allows"), Error);
    }
  }

  TEST_CASE("an unbalanced quote costs one row, not the file") {
    const TemporaryFolder folder;
    write_kuaisar(folder / "src");
    std::string text = "user_id,user_follow_id\n0,\"7\n";
    for (int i = 0; i < 50; ++i) text += fmt::format("0,{}\n", i);
    write_file(folder / "src/social_network.csv", text);
    ImportOptions skipping = lenient();
    skipping.skip_bad = 1;
    const Dataset data = imported(folder, "kuaisar", folder / "src", skipping);
    CHECK(data.user_attribute(data.user_attributes(user_number(data, "0")).back()) == "follows:10-99");
  }

  TEST_CASE("Amazon: times in order, titles cleaned, leak-free and the paper's queries") {
    const TemporaryFolder folder;
    write_amazon(folder / "src");
    ImportOptions options = lenient();
    options.query_share = 1;
    const Dataset data = imported(folder, "amazon", folder / "src", options);
    CHECK(history(data, "A1")[0].starts_with("0002/"));
    CHECK(history(data, "A1")[1].starts_with("0001/"));
    CHECK(history(data, "B2").size() == 2);
    CHECK(attributes(data, "0001") ==
          std::vector<std::string>{"brand:Carpenter", "category:Movies & TV", "category:Science Fiction"});
    for (int32_t i = 1; i <= data.items(); ++i) {
      if (data.original_item(i) == "0001") CHECK(data.title(i) == "Dark Star & a < b");
      if (data.original_item(i) == "0002") CHECK(data.title(i).empty());
    }
    const std::string query = history(data, "A1")[1].substr(5);
    CHECK(query.find("carpenter") != std::string::npos);
    CHECK(query.find("dark") == std::string::npos);
    CHECK(data.info().import_counts.at("repeated_metadata") == 1);
    CHECK(data.info().import_counts.at("metadata_without_review") == 1);
    options.paper_queries = true;
    const Dataset leaky = imported(folder, "amazon", folder / "src", options);
    CHECK(history(leaky, "A1")[1] == "0001/A crew of five is");
    CHECK(history(leaky, "A1")[0] == "0002/");

    const std::string path = folder / "src/Movies_and_TV_5.json", good = read_file(path);
    const auto refused = [&](const std::string& line, const std::string& message) {
      write_file(path, good + line + "\n");
      CHECK_THROWS_WITH_AS(imported(folder, "amazon", folder / "src", options), doctest::Contains(message.c_str()),
                           Error);
    };
    refused("{", "Movies_and_TV_5.json:6: not a JSON object: '{'");
    refused("[1]", "not a JSON object");
    refused(std::string(100000, '['), "not a JSON object");
    refused(R"({"asin": "1", "unixReviewTime": 1})", "member missing or not a text: reviewerID");
    refused(R"({"reviewerID": "A", "asin": 7, "unixReviewTime": 1})", "member missing or not a text: asin");
    refused(R"({"reviewerID": "A", "asin": "7", "unixReviewTime": -1})", "unixReviewTime is missing or not a time");
    refused(R"({"reviewerID": "A", "asin": "7", "unixReviewTime": 1e3})", "unixReviewTime is missing or not a time");
    write_file(path, good);
    fs::remove(folder / "src/meta_Movies_and_TV.json");
    CHECK_THROWS_WITH_AS(imported(folder, "amazon", folder / "src", options), doctest::Contains("metadata file"),
                         Error);
  }

  TEST_CASE("MovieLens 1m: double colons, latin-1, users") {
    const TemporaryFolder folder;
    const std::string src = folder / "src";
    fs::create_directories(src);
    write_file(src + "/movies.dat", "1::Toy Story (1995)::Animation|Children's\n2::L\xe9on (1994)::Drama\n");
    write_file(src + "/ratings.dat", "9::2::5::978300760\n9::1::3::978300700\n4::1::1::978300000\n");
    write_file(src + "/users.dat", "9::F::1::10::48067\n4::M::56::16::70072\n77::M::25::15::55117\n");
    const Dataset data = imported(folder, "movielens", src, lenient());
    CHECK(data.title(2) == "Léon (1994)");
    CHECK(history(data, "9")[0].starts_with("1/"));
    CHECK(data.user_attributes(user_number(data, "9")).size() == 3);
    CHECK(data.info().import_counts.at("users_without_rating") == 1);
    write_file(src + "/ratings.dat", "9::2::5::978300760\n9::2::3::978300700\n");
    CHECK_THROWS_WITH_AS(imported(folder, "movielens", src, lenient()),
                         doctest::Contains("ratings.dat:2: second rating of a movie by a user; the first is in line 1"),
                         Error);
    write_file(src + "/ratings.dat", "9::2::5\n");
    CHECK_THROWS_WITH_AS(imported(folder, "movielens", src, lenient()),
                         doctest::Contains("ratings.dat:1: wrong number of fields: expected 4, found 3"), Error);
    write_file(src + "/ratings.dat", "9::3::5::1\n");
    CHECK_THROWS_WITH_AS(imported(folder, "movielens", src, lenient()), doctest::Contains("MovieID is not in"), Error);
    write_file(src + "/ratings.dat", "9::2::9::1\n");
    CHECK_THROWS_WITH_AS(imported(folder, "movielens", src, lenient()), doctest::Contains("rating is not in"), Error);
  }

  TEST_CASE("S3-Rec: order of the line, attributes once, own negatives") {
    const TemporaryFolder folder;
    const std::string src = folder / "src";
    fs::create_directories(src);
    write_file(src + "/Tiny.txt", "1 5 6 7\n2 6 5 8 9\n");
    write_file(src + "/Tiny_item2attributes.json", R"({"5": [1, 2, 1], "6": [3], "77": [1]})");
    write_file(src + "/Tiny_sample.txt", "1 8 9\n2 7 7\n");
    const Dataset data = imported(folder, "s3rec", src, lenient());
    CHECK(history(data, "2") == std::vector<std::string>{"6/", "5/", "8/", "9/"});
    CHECK(attributes(data, "5") == std::vector<std::string>{"a1", "a2"});
    std::vector<std::string> negatives;
    for (int32_t i : data.negatives(user_number(data, "1"))) negatives.emplace_back(data.original_item(i));
    CHECK(negatives == std::vector<std::string>{"8", "9"});
    CHECK(data.info().import_counts.at("attributes_without_item") == 1);
    CHECK(data.info().import_counts.at("items_without_features") == 3);
    CHECK(imported(folder, "s3rec", src + "/Tiny.txt", lenient()).users() == 2);
    const auto refused = [&](const char* name, const std::string& text, const std::string& message) {
      const std::string good = read_file(src + name);
      write_file(src + name, text);
      CHECK_THROWS_WITH_AS(imported(folder, "s3rec", src, lenient()), doctest::Contains(message.c_str()), Error);
      write_file(src + name, good);
    };
    refused("/Tiny.txt", "1 5 x\n", "Tiny.txt:1: id is not an integer: 'x'");
    refused("/Tiny.txt", "1 5\n1 6\n", "Tiny.txt:2: second line of a user: '1'");
    refused("/Tiny.txt", "1\n", "Tiny.txt:1: a user without items");
    refused("/Tiny_sample.txt", "1 50\n", "Tiny_sample.txt:1: a negative that nobody has: '50'");
    refused("/Tiny_sample.txt", "3 5\n", "negatives of an unknown user");
    refused("/Tiny_item2attributes.json", "[]", "not a JSON object");
    refused("/Tiny_item2attributes.json", R"({"5": ["a"]})", "not whole numbers");
    write_file(src + "/Other.txt", "1 5 6 7\n");
    CHECK_THROWS_WITH_AS(imported(folder, "s3rec", src, lenient()),
                         doctest::Contains("2 NAME.txt files, one is read: name one of them: "), Error);
  }

  TEST_CASE("RecBole: typed headers; export and import give the same data") {
    const TemporaryFolder folder;
    const std::string src = folder / "src";
    fs::create_directories(src);
    write_file(
        src + "/ml.inter",
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu1\tb\t4\t30\nu1\ta\t4\t20\nu2\ta\t1\t5\n");
    write_file(src + "/ml.item",
               "item_id:token\tmovie_title:token_seq\tyear:token\tgenre:token_seq\tlength:float\tprice:float\n"
               "a\tRed \"Sun\"\t1999\tDrama War\t90\t\nb\tx\t\t\t100\t4.5\n");
    write_file(src + "/ml.user", "user_id:token\tage:token\nu1\t24\nu9\t7\n");
    const Dataset data = imported(folder, "recbole", src, lenient());
    CHECK(history(data, "u1") == std::vector<std::string>{"a/", "b/"});
    CHECK(attributes(data, "a") == std::vector<std::string>{"year:1999", "genre:Drama", "genre:War"});
    CHECK(data.user_attribute(data.user_attributes(0)[0]) == "age:24");
    for (int32_t item = 1; item <= 2; ++item) {
      const auto numbers = data.feature("numeric", item);
      CHECK(numbers[0] == (data.original_item(item) == "a" ? 90 : 100));
      CHECK(numbers[1] == 4.5f);  // the column's mean where the row has none
    }
    fs::create_directories(folder / "out");
    export_recbole(data, folder / "out", "ml");
    const TemporaryFolder second;
    const Dataset again = imported(second, "recbole", folder / "out", lenient());
    CHECK(history(again, "u1") == history(data, "u1"));
    CHECK(attributes(again, "a") == attributes(data, "a"));
    const TinyData tiny;
    export_recbole(tiny.data, folder / "out", "tiny");
    const Dataset back = imported(second, "recbole", folder / "out/tiny.inter", lenient());
    for (int64_t u = 0; u < tiny.data.users(); ++u) {
      const std::string id(tiny.data.original_user(u));
      CHECK(history(back, id) == history(tiny.data, id));
    }
    write_file(src + "/ml.inter", "user_id:token\ttimestamp:float\nu1\t30\n");
    CHECK_THROWS_WITH_AS(imported(folder, "recbole", src, lenient()), doctest::Contains("ml.inter:1: column missing"),
                         Error);
    write_file(src + "/ml.inter", "user_id:token\titem_id:token\ttimestamp:float\nu1\t\t30\n");
    CHECK_THROWS_WITH_AS(imported(folder, "recbole", src, lenient()),
                         doctest::Contains("ml.inter:2: user_id or item_id"), Error);
  }

  TEST_CASE("unknown layouts, missing files, bad options") {
    const TemporaryFolder folder;
    fs::create_directories(folder / "src");
    CHECK_THROWS_WITH_AS(import_dataset("netflix", folder / "src", folder / "data", {}),
                         doctest::Contains("unknown layout 'netflix': must be one of amazon, kuaisar"), Error);
    CHECK_THROWS_WITH_AS(import_dataset("kuaisar", folder / "src", folder / "data", {}),
                         doctest::Contains("src_inter.csv: cannot be opened: No such file"), Error);
    ImportOptions wrong;
    wrong.query_share = 2;
    CHECK_THROWS_WITH_AS(import_dataset("kuaisar", folder / "src", folder / "data", wrong),
                         "--query-share: must be from 0 to 1: 2", Error);
    CHECK(!fs::exists(folder / "data"));
  }
}
