// Tables of any form: what files are taken for, which column is what, what is refused because it could be two things.
#include "seminar/data/columns.h"
#include "tests/imported.h"

using namespace seminar;
using doctest::Contains;

namespace {

std::vector<std::string> rows_of(const std::string& path, char separator = 0) {
  std::vector<std::string> rows;
  ReadPolicy policy;
  Table table(path, policy, separator);
  while (table.next()) {
    std::vector<std::string> fields;
    for (std::size_t i = 0; i < table.columns().size(); ++i) fields.emplace_back(table.field(i));
    rows.push_back(fmt::format("{}:{}", table.line(), fmt::join(fields, "|")));
  }
  return rows;
}

// A folder with tables, imported; what the import told.
struct Shop {
  TemporaryFolder folder;
  ImportOptions options = lenient();
  std::vector<std::string> told;

  Shop() {
    options.tell = [this](const std::string& sentence) { told.push_back(sentence); };
  }
  Dataset import(const std::string& events, const std::string& name = "events.csv") {
    told.clear();
    write_file(folder / name, events);
    return imported(folder, "csv", folder / name, options);
  }
  void refuse(const std::string& events, const std::string& what) {
    CAPTURE(events);
    CHECK_THROWS_WITH_AS(import(events), Contains(what.c_str()), Error);
    CHECK(!fs::exists(folder / "data"));
  }
  bool tells(const std::string& what) const {
    return std::any_of(told.begin(), told.end(), [&](const std::string& s) { return s.find(what) != s.npos; });
  }
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_SUITE("tables") {
  TEST_CASE("separators, quotes, marks and JSON lines are found out") {
    const TemporaryFolder folder;
    const std::string path = folder / "t";
    const auto rows = [&](const std::string& text, char separator = 0) {
      write_file(path, text);
      return rows_of(path, separator);
    };
    CHECK(rows("a,b\n1,\"x;y\"\n") == Texts{"2:1|x;y"});
    CHECK(rows("a;b\r\n1,5; x \r\n\r\n") == Texts{"2:1,5|x"});
    CHECK(rows("\xef\xbb\xbf"
               "a\tb\n1\t\"two\nlines\"\n3\t4\n") == Texts{"2:1|two\nlines", "4:3|4"});
    CHECK(rows("a|b\n1|2\n") == Texts{"2:1|2"});
    CHECK(rows("a\tb\n12\" disc\t\"x \"\"y\"\"\"\n") == Texts{"2:12\" disc|x \"y\""});
    CHECK(rows("sep=;\na;b,c\n1;2\n") == Texts{"3:1|2"});
    CHECK(rows("\"a,b,c\";d\n1;2\n", ';') == Texts{"2:1|2"});
    CHECK(rows("a,Gr\xf6\xdf"
               "e\n1,sch\xf6n\n") == Texts{"2:1|schön"});
    CHECK(rows("{\"a\": 1, \"u\": {\"id\": \"x\", \"n\": null}}\n\n{\"b\": [1, \"2\"], \"u\": {\"id\": 7.5}}\n") ==
          Texts{"1:1|x||", "3:|7.5||[1,\"2\"]"});
    CHECK(rows("{\"u.id\": true}\n") == Texts{"1:true"});
    write_gzip(path, "a,b\n1,2\n");
    CHECK(rows_of(path) == Texts{"2:1|2"});
    std::string many = "n\n";
    for (int i = 0; i < 2500; ++i) many += fmt::format("{}\n", i);
    CHECK(rows(many).size() == 2500);
    CHECK(rows(many)[2499] == "2501:2499");
    const auto refuse = [&](const std::string& text, const char* what) {
      CHECK_THROWS_WITH_AS(rows(text), Contains(what), Error);
    };
    refuse("", "t:1: empty file");
    refuse("a,b\n", "t:1: only a header: no rows");
    refuse("[{\"a\": 1}]\n", "t:1: a JSON list: write one object a line");
    refuse("{\"a\": 1}\n{\"a\": \n", "t:2: not a JSON object");
    refuse("{\"u\": [18446744073709551616]}\n", "t:1: a number that 64 bits do not hold");
    refuse("a,b\n1,2,3\n", "t:2: wrong number of fields: expected 2, found 3");
  }

  TEST_CASE("lists, numbers and times as people write them") {
    CHECK(list_parts("[1, \"b\"]", false) == Texts{"1", "b"});
    CHECK(list_parts("['a', 'b c']", false) == Texts{"a", "b c"});
    CHECK(list_parts("a | b;c", false) == Texts{"a", "b;c"});
    CHECK(list_parts("a b", false) == Texts{"a b"});
    CHECK(list_parts("a b", true) == Texts{"a", "b"});
    CHECK(list_parts(" ", true).empty());
    CHECK(number_in("1.234,50 €", NumberForm::comma) == 1234.5);
    CHECK(number_in("$1,234.50", NumberForm::point) == 1234.5);
    CHECK(number_in("-3", NumberForm::point) == -3);
    for (const char* bad : {"", "x", "1.2.3", "12px", "nan", "1e999"}) CHECK(!number_in(bad, NumberForm::point));
    const auto form = [](const Texts& sample) { return find_number_form(sample, "", "t: column 'p'"); };
    CHECK(form({"1", "12,5"}) == NumberForm::comma);
    CHECK(form({"1,234", "1,234.5"}) == NumberForm::point);
    CHECK(form({"1.234,5"}) == NumberForm::comma);
    CHECK(form({"1,234,567"}) == NumberForm::point);
    CHECK(form({"1", "2.5"}) == NumberForm::point);
    CHECK_THROWS_WITH_AS(form({"1", "1,234"}),
                         "t: column 'p': '1,234' may be 1234 or 1.234: say --decimal point or --decimal comma", Error);
    const auto unit = [](const Texts& sample, const std::string& given = "") {
      return find_time_unit(sample, given, "t: column 'when'");
    };
    CHECK(unit({"", "1700000000"}) == TimeUnit::seconds);
    CHECK(unit({"2024-03-02"}) == TimeUnit::date);
    CHECK(unit({"05/06/2024", "05/22/2024 3:53 PM"}) == TimeUnit::month_first);
    CHECK(unit({"05/06/2024", "22/05/2024"}) == TimeUnit::day_first);
    CHECK(unit({"05.06.2024"}) == TimeUnit::day_first);
    CHECK(unit({"05/06/2024"}, "month-first") == TimeUnit::month_first);
    CHECK(parse_time("5/22/2024 12:00:01 AM", TimeUnit::month_first) ==
          parse_time("2024-05-22T00:00:01Z", TimeUnit::date));
    CHECK(parse_time("22.05.2024 15:53", TimeUnit::day_first) == parse_time("2024-05-22 15:53:00", TimeUnit::date));
    CHECK(shown_time(*parse_time("2024-02-29T23:59:59.25Z", TimeUnit::date)) == "2024-02-29 23:59:59.25");
    CHECK(shown_time(-1) == "1969-12-31 23:59:59.999999");
    CHECK_THROWS_WITH_AS(unit({"05/06/2024"}),
                         Contains("'05/06/2024' may be 2024-06-05 00:00:00 or 2024-05-06 00:00:00"), Error);
    CHECK_THROWS_WITH_AS(unit({"20240522"}), Contains("may be 1970-08-23 06:22:02 (seconds) or 2024-05-22 (a day)"),
                         Error);
    CHECK_THROWS_WITH_AS(unit({"soon"}), Contains("t: column 'when': neither a number nor a date"), Error);
    CHECK_THROWS_WITH_AS(unit({"1"}, "hours"), Contains("--time-form: must be one of seconds"), Error);
  }

  TEST_CASE("columns by name, by mapping, by dots; names that are not there are answered with the nearest") {
    Shop shop;
    const Dataset data =
        shop.import("Customer ID;SKU;Time;Search Term\nu1;b;2024-03-02T03:40:54Z;red shoe\nu1;a;2024-03-01;\n");
    CHECK(history(data, "u1") == Texts{"a/", "b/red shoe"});
    CHECK(shop.tells("fields between semicolons"));
    CHECK(shop.tells("column 'Customer ID': user; texts like 'u1'"));
    CHECK(shop.tells("times are ISO 8601 dates"));
    CHECK(shop.tells("from 2024-03-01 00:00:00 to 2024-03-02 03:40:54"));
    shop.options.table.columns = {"user=wer", "item=was, genau", "time=wann"};
    CHECK(history(shop.import("wer,\"was, genau\",wann\nu1,b,5\nu1,a,4\n"), "u1") == Texts{"a/", "b/"});
    shop.options.table.columns = {"user=actor.id,item=object.sku,query=search"};
    const Dataset nested = shop.import(
        "{\"actor\": {\"id\": 7}, \"object\": {\"sku\": \"x\"}, \"ts\": 1700000000500, \"search\": \"tea\"}\n"
        "{\"actor\": {\"id\": 7}, \"object\": {\"sku\": \"y\"}, \"ts\": 1700000000400}\n",
        "events.jsonl");
    CHECK(history(nested, "7") == Texts{"y/", "x/tea"});
    CHECK(shop.tells("one JSON object a line"));
    CHECK(shop.tells("times are milliseconds"));

    shop.options.table.columns = {"user=uid"};
    shop.refuse("user_id,item,t\nu,i,1\n",
                "events.csv:1: column missing: 'uid'; do you mean 'user_id'; the columns are user_id, item, t");
    shop.options.table.columns = {"buyer=x"};
    shop.refuse("user,item\nu,i\n", "--columns: 'buyer' is none of user, item, time, query, label, impressions");
    shop.options.table.columns = {"user"};
    shop.refuse("user,item\nu,i\n", "--columns: must be like user=uid,item=sku: 'user'");
    shop.options.table.columns = {"user=user,user=item"};
    shop.refuse("user,item\nu,i\n", "--columns: two columns for 'user'");
    shop.options.table.columns.clear();
    shop.refuse(
        "who,item\nu,i\n",
        "events.csv:1: no column is known to be the user: say which: --columns user=NAME; the columns are who, item");
    shop.refuse("user,item,product_id\nu,i,i\n",
                "'item' and 'product_id' may all be the item: say which: --columns item=NAME");
    shop.refuse("user,item,date\nu,i,05/06/2024\n", "events.csv: column 'date': '05/06/2024' may be");
    shop.refuse("user,item,ts\nu,i,5\nu,j,\n", "events.csv:3: ts is not a time in seconds: ''");
    shop.refuse("user,item,ts\nu,i,5\n,j,6\n", "events.csv:3: the user is empty");
  }

  TEST_CASE("rows are chosen, labels make exposures, impressions are lists") {
    Shop shop;
    shop.options.table.where = {"event=view|buy", "site!=test"};
    const Dataset chosen =
        shop.import("user,item,ts,event,site\nu,a,1,view,x\nu,b,2,scroll,x\nu,c,3,buy,test\nu,d,4,buy,x\n");
    CHECK(history(chosen, "u") == Texts{"a/", "d/"});
    CHECK(chosen.info().import_counts.at("rows_not_chosen") == 2);
    CHECK(shop.tells("2 rows are not chosen by --where"));
    shop.options.table.where = {"event"};
    shop.refuse("user,item\nu,i\n", "--where: must be like event=view|buy");
    shop.options.table.where = {"evnt=view"};
    shop.refuse("user,item,event\nu,i,view\n", "column missing: 'evnt'; do you mean 'event'");
    shop.options.table.where.clear();
    const Dataset labelled = shop.import("user,item,ts,clicked\nu,a,1,1\nu,b,1,0\nu,c,2,true\n");
    CHECK(history(labelled, "u") == Texts{"a/", "c/"});
    CHECK(labelled.exposures(0).items.size() == 3);
    CHECK(std::count(labelled.exposures(0).clicked.begin(), labelled.exposures(0).clicked.end(), 1) == 2);
    shop.refuse("user,item,ts,clicked\nu,a,1,3\n", "events.csv:2: clicked is neither 0 nor 1: '3'");
    const Dataset sessions = shop.import("user_id,item_id,timestamp,impressions\nu,5,1,4|5|6\nu,9,2,\n");
    CHECK(history(sessions, "u") == Texts{"5/", "9/"});
    CHECK(sessions.exposures(0).items.size() == 3);
    CHECK(std::count(sessions.exposures(0).clicked.begin(), sessions.exposures(0).clicked.end(), 1) == 1);
  }

  TEST_CASE("tables of items and users: titles, categories, numbers; found out or named") {
    Shop shop;
    const std::string events = "user,item,ts\nu,a,1\nu,b,2\nu,c,3\n";
    write_file(shop.folder / "items.csv",
               "sku;name;cat;price;about\na;Red shoe;X|Y;12,50;unlike\nb;Blue hat;X;;others\nd;Unused;Z;3,00;at all\n");
    shop.options.table.items = shop.folder / "items.csv";
    write_file(shop.folder / "users.csv", "user,country\nu,FR\nv,DE\n");
    shop.options.table.users = shop.folder / "users.csv";
    const Dataset data = shop.import(events);
    CHECK(data.title(1) == "Red shoe");
    CHECK(attributes(data, "a") == Texts{"cat:X", "cat:Y"});
    CHECK(data.feature("numeric", 1)[0] == 12.5f);
    CHECK(data.feature("numeric", 2)[0] == 12.5f);  // the mean of the others
    CHECK(data.user_attribute(data.user_attributes(0)[0]) == "country:FR");
    CHECK(shop.tells("1 of 3 items have no row in"));
    CHECK(shop.tells("column 'about': not used"));
    CHECK(data.info().import_counts.at("rows_of_items_never_used") == 1);
    shop.options.table.item_columns = {"categories=cat,categories=name,text=about"};
    CHECK(attributes(shop.import(events), "b") == Texts{"cat:X", "name:Blue hat"});
    shop.options.table.item_columns = {"numbers=name"};
    shop.refuse(events, "items.csv:2: name is not a number: 'Red shoe'");
    shop.options.table.item_columns.clear();
    write_file(shop.folder / "items.csv", ",sku,brand_id,size\n0,a,7,1.5\n1,b,7,2\n2,c,8,2.5\n");
    const Dataset guessed = shop.import(events);
    CHECK(guessed.feature_width("numeric") == 1);
    CHECK(attributes(guessed, "a") == Texts{"brand_id:7"});
    write_file(shop.folder / "items.csv", "sku,name\na,x\na,y\n");
    shop.refuse(events, "items.csv:3: second row for an item: 'a'");
  }

  TEST_CASE("several files, two spellings, no times, bad rows counted by reason, a dry run that writes nothing") {
    Shop shop;
    write_file(shop.folder / "more.csv", "user,item,ts\nu,z,0\n");
    shop.options.table.more_files = {shop.folder / "more.csv"};
    CHECK(history(shop.import("user,item,ts\nu,a,1\nU,b,2\nu,5,3\nu,5.0,4\n"), "u") == Texts{"z/", "a/", "5/", "5.0/"});
    CHECK(shop.tells("1 ids of users differ from another in case or a final .0 only, like 'u' and 'U'"));
    CHECK(shop.tells("1 ids of items differ"));
    write_file(shop.folder / "more.csv", "user,item\nu,z\n");
    shop.refuse("user,item,ts\nu,a,1\n", "more.csv: times in some of the files only");
    shop.options.table.more_files.clear();
    const Dataset plain = shop.import("user,item\nu,c\nu,a\n");
    CHECK(!plain.info().has_times);
    CHECK(history(plain, "u") == Texts{"c/", "a/"});
    CHECK(shop.tells("no column of times: the order of the rows"));
    shop.options.skip_bad = 2;
    CHECK(shop.import("user,item,ts\nu,a,1\nu,b,x\nu,c,y\nu,d,2\n").interactions() == 2);
    CHECK(shop.tells("2 rows left out: ts is not a time in seconds"));
    shop.options.skip_bad = 0;
    shop.options.table.dry_run = true;
    shop.told.clear();
    fs::remove_all(shop.folder / "data");
    write_file(shop.folder / "events.csv", "user,item,ts\nu,a,1\nu,b,x\nu,c,y\n,d,2\n");
    import_dataset("csv", shop.folder / "events.csv", "", shop.options);
    CHECK(!fs::exists(shop.folder / "data"));
    CHECK(shop.tells("line 2: user 'u', item 'a', 1970-01-01 00:00:01"));
    CHECK(shop.tells("2 rows left out: ts is not a time in seconds"));
    CHECK(shop.tells("1 rows left out: the user is empty"));
    CHECK(shop.tells("1 behaviours read, 1 kept"));
  }
}
