// Any table of behaviours: CSV, TSV, JSON lines, with tables of items and users beside it. A row is a behaviour, or,
// where a label says so, something shown and not clicked. What the columns were taken for is told, column by column.
#include <cctype>
#include <cmath>
#include <filesystem>
#include <unordered_map>
#include <unordered_set>

#include "seminar/data/columns.h"
#include "seminar/data/features.h"
#include "seminar/data/image.h"
#include "seminar/data/import.h"

namespace fs = std::filesystem;

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t picture_size = 32;
constexpr int preview_rows = 5;

const std::vector<std::string_view> user_names = {
    "user",    "userid",    "uid",    "username", "customer",     "customerid",  "client",     "clientid",
    "visitor", "visitorid", "member", "memberid", "account",      "accountid",   "reviewerid", "buyer",
    "buyerid", "benutzer",  "nutzer", "kunde",    "kundennummer", "utilisateur", "usuario",    "cliente"};
const std::vector<std::string_view> item_names = {
    "item",      "itemid",    "iid",           "product", "productid", "sku",     "asin",   "parentasin",
    "article",   "articleid", "movie",         "movieid", "book",      "bookid",  "isbn",   "track",
    "trackid",   "song",      "songid",        "video",   "videoid",   "news",    "newsid", "content",
    "contentid", "artikel",   "artikelnummer", "produkt", "produit",   "producto"};
const std::vector<std::string_view> time_names = {
    "timestamp",      "time",   "ts",          "date",           "datetime",   "unixtime",  "eventtime",
    "createdat",      "timems", "timestampms", "unixreviewtime", "reviewtime", "clicktime", "visittime",
    "eventtimestamp", "zeit",   "zeitpunkt",   "datum",          "fecha"};

const std::vector<ColumnRole> event_roles = {
    {"user", user_names, true},
    {"item", item_names, true},
    {"time", time_names},
    {"query", {"query", "search", "searchquery", "searchterm", "searchtext", "keyword", "keywords", "suchbegriff"}},
    {"label", {"label", "click", "clicked", "isclick", "isclicked"}},
    {"impressions", {"impressions", "impression", "shown", "candidates"}}};
const std::vector<ColumnRole> item_roles = {
    {"item", item_names, true},
    {"title", {"title", "name", "itemname", "producttitle", "productname", "movietitle", "titel", "titre", "titulo"}},
    {"text", {"text", "description", "caption", "beschreibung"}},
    {"categories", {}, false, true},
    {"numbers", {}, false, true},
    {"picture", {"picture", "image", "picturepath", "imagepath", "bild"}}};
const std::vector<ColumnRole> user_roles = {{"user", user_names, true}, {"categories", {}, false, true}};

char separator_named(const std::string& name) {
  const std::pair<const char*, char> named[] = {{"", '\0'},   {"comma", ','}, {",", ','},    {"semicolon", ';'},
                                                {";", ';'},   {"tab", '\t'},  {"\\t", '\t'}, {"\t", '\t'},
                                                {"bar", '|'}, {"|", '|'}};
  for (const auto& [text, separator] : named)
    if (name == text) return separator;
  fail("--separator: must be comma, semicolon, tab or bar: {}", shown(name));
}

std::string looks_like(const std::vector<std::string>& sample) {
  const auto all = [&](auto holds) {
    return std::all_of(sample.begin(), sample.end(), [&](const std::string& s) { return s.empty() || holds(s); });
  };
  if (all([](const std::string& s) { return number_in(s, NumberForm::point) || number_in(s, NumberForm::comma); }))
    return "numbers";
  if (all([](const std::string& s) { return parse_time(s, TimeUnit::date).has_value(); })) return "dates";
  const auto is_list = [](const std::string& s) { return s.starts_with('[') || s.find('|') != s.npos; };
  return std::any_of(sample.begin(), sample.end(), is_list) ? "lists" : "texts";
}

// One line a column: what it was taken for and what it holds.
void tell_columns(const Import& in, const Table& table, const ColumnMap& map) {
  in.tell("{}: {}", table.path(), table.form());
  for (std::size_t i = 0; i < table.columns().size(); ++i) {
    const std::vector<std::string> sample = table.sample(i);
    const auto filled = std::find_if(sample.begin(), sample.end(), [](const std::string& s) { return !s.empty(); });
    const auto empty = std::count(sample.begin(), sample.end(), "");
    const std::string role = map.role(i);
    in.tell("  column {}: {}; {}{}", shown(table.columns()[i]), role.empty() ? "not used" : role,
            filled == sample.end() ? "empty" : fmt::format("{} like {}", looks_like(sample), shown(*filled)),
            empty > 0 ? fmt::format(", empty in {} of {} rows", empty, sample.size()) : "");
  }
}

bool clicked_label(const Table& table, std::size_t column) {
  const std::string_view text = table.field(column);
  for (const char* yes : {"1", "true", "True", "yes", "1.0"})
    if (text == yes) return true;
  for (const char* no : {"0", "false", "False", "no", "0.0"})
    if (text == no) return false;
  table.reject(fmt::format("{} is neither 0 nor 1", table.columns()[column]), text);
}

// Reads the tables of behaviours one after the other.
class Events {
 public:
  explicit Events(Import& in) : in_(in) {}

  void read(const std::string& path) {
    const TableOptions& options = in_.options.table;
    Table table(path, in_.policy, separator_named(options.separator));
    const ColumnMap map(table, event_roles, options.columns, "--columns");
    std::vector<RowCondition> conditions;
    for (const std::string& where : options.where) conditions.emplace_back(table, where);
    const auto time = map.one("time");
    check(order_ == 0 || time.has_value() == in_.builder.info.has_times, "{}: times in some of the files only", path);
    in_.builder.info.has_times = time.has_value();
    TimeUnit unit = TimeUnit::seconds;
    tell_columns(in_, table, map);
    if (time) {
      unit = find_time_unit(table.sample(*time), options.time_form,
                            fmt::format("{}: column {}", table.path(), shown(table.columns()[*time])));
      in_.tell("  times are {}{}", name_of(unit), unit >= TimeUnit::date ? ", UTC where they name no zone" : "");
    } else {
      in_.tell("  no column of times: the order of the rows is the order of each user's actions");
    }
    while (table.next())
      in_.policy.accept([&] {
        ++order_;
        const bool chosen = std::all_of(conditions.begin(), conditions.end(),
                                        [&](const RowCondition& condition) { return condition.holds(table); });
        if (!chosen) return in_.count("rows_not_chosen");
        add(table, map, time, unit);
      });
    if (time && first_ <= last_) in_.tell("  from {} to {}", shown_time(first_), shown_time(last_));
  }

 private:
  void add(const Table& table, const ColumnMap& map, std::optional<std::size_t> time, TimeUnit unit) {
    DatasetBuilder& b = in_.builder;
    const auto field = [&](const char* role) {
      const auto column = map.one(role);
      return column ? table.field(*column) : std::string_view();
    };
    const std::string_view user = field("user"), item = field("item"), query = field("query");
    if (user.empty()) table.reject("the user is empty", user);
    const std::vector<std::string> shown_items = list_parts(field("impressions"), true);
    if (item.empty() && shown_items.empty()) table.reject("the item is empty", item);
    const int64_t at = time ? time_of(table, *time, unit) : order_;
    const auto label = map.one("label");
    const bool clicked = !item.empty() && (!label || clicked_label(table, *label));
    if (previewed_++ < preview_rows)
      in_.tell("  line {}: user {}, item {}{}{}{}", table.line(), shown(user), shown(item),
               time ? ", " + shown_time(at) : "", query.empty() ? "" : ", query " + shown(query),
               label ? (clicked ? ", clicked" : ", not clicked") : "");
    const int32_t u = b.user(user), q = b.queries.id(query);
    if (clicked) b.add_event(u, b.item(item), q, at, order_);
    if (label && !item.empty()) b.add_exposure(u, b.item(item), q, at, clicked);
    if (!clicked) in_.count("rows_not_clicked");
    for (const std::string& other : shown_items)
      if (!label || other != item) b.add_exposure(u, b.item(other), q, at, clicked && other == item);
  }
  int64_t time_of(const Table& table, std::size_t column, TimeUnit unit) {
    const std::string_view text = table.field(column);
    const auto at = parse_time(text, unit);
    if (!at) table.reject(fmt::format("{} is not a time in {}", table.columns()[column], name_of(unit)), text);
    if (*at < 0 || *at > last_time_us)
      table.reject(fmt::format("{} in {} is not between 1970 and 2106", table.columns()[column], name_of(unit)), text);
    first_ = std::min(first_, *at);
    last_ = std::max(last_, *at);
    return *at;
  }

  Import& in_;
  int64_t order_ = 0, previewed_ = 0, first_ = INT64_MAX, last_ = INT64_MIN;
};

// Columns of a table of items or users that nobody named: numbers where all are, categories where values repeat or are
// lists.
void add_unnamed(const Table& table, ColumnMap& map, bool with_numbers) {
  for (std::size_t i = 0; i < table.columns().size(); ++i) {
    const std::vector<std::string> sample = table.sample(i);
    const std::unordered_set<std::string> distinct(sample.begin(), sample.end());
    // A column without a name holds row numbers, as pandas writes them.
    const std::string& name = table.columns()[i];
    if (!map.role(i).empty() || distinct.size() < 2 || name.empty() || name.starts_with("Unnamed")) continue;
    const std::string form = looks_like(sample);
    const std::vector<std::string> words = split_words(name);
    const bool id = !words.empty() && (words.back() == "id" || name.ends_with("Id") || name.ends_with("ID"));
    if (with_numbers && form == "numbers" && !id)
      map.add("numbers", i);
    else if (form == "lists" || !with_numbers || 2 * distinct.size() <= sample.size() ||
             (id && distinct.size() < sample.size()))
      map.add("categories", i);
  }
}

std::vector<std::string> attributes_of(const Table& table, const ColumnMap& map) {
  std::vector<std::string> attributes;
  for (const std::size_t column : map.all("categories"))
    for (const std::string& part : list_parts(table.field(column), false))
      attributes.push_back(fmt::format("{}:{}", table.columns()[column], part));
  return attributes;
}

void read_item_table(Import& in, const std::string& path) {
  const TableOptions& options = in.options.table;
  DatasetBuilder& b = in.builder;
  Table table(path, in.policy, separator_named(options.separator));
  ColumnMap map(table, item_roles, options.item_columns, "--item-columns");
  if (options.item_columns.empty()) add_unnamed(table, map, true);
  tell_columns(in, table, map);
  const std::vector<std::size_t> number_columns = map.all("numbers");
  std::vector<NumberForm> forms;
  for (const std::size_t column : number_columns)
    forms.push_back(find_number_form(table.sample(column), options.decimal,
                                     fmt::format("{}: column {}", table.path(), shown(table.columns()[column]))));
  NumericAttributes numbers;
  const std::size_t id = *map.one("item");
  const auto title = map.one("title"), text = map.one("text"), picture = map.one("picture");
  while (table.next())
    in.policy.accept([&] {
      if (table.field(id).empty()) table.reject("the item is empty", table.field(id));
      const int32_t item = b.find_item(table.field(id));
      if (item < 0) return in.count("rows_of_items_never_used");
      std::vector<float> values;
      for (std::size_t i = 0; i < number_columns.size(); ++i) {
        const std::string_view field = table.field(number_columns[i]);
        const auto value = field.empty() ? std::optional<double>(NAN) : number_in(field, forms[i]);
        if (!value) table.reject(table.columns()[number_columns[i]] + " is not a number", field);
        if (std::isinf(static_cast<float>(*value)))
          table.reject(table.columns()[number_columns[i]] + " is too large for single precision", field);
        values.push_back(static_cast<float>(*value));
      }
      const std::string name(title ? table.field(*title) : ""), words(text ? table.field(*text) : "");
      if (!b.describe_item(item, name, words.empty() ? name : name + " " + words, attributes_of(table, map)))
        table.reject("second row for an item", table.field(id));
      numbers.add(item, std::move(values));
      if (!picture || table.field(*picture).empty()) return;
      try {
        const Image image = resize_and_crop(
            load_image((fs::path(path).parent_path() / std::string(table.field(*picture))).string()), picture_size);
        b.add_picture(item, image.height, image.width, image.rgb);
      } catch (const Error& e) {
        throw BadRow(fmt::format("{}:{}: {}", table.path(), table.line(), e.what()));
      }
    });
  numbers.give_to(b);
  int64_t without = 0;
  for (int32_t item = 0; item < b.items(); ++item) without += !b.described(item);
  if (without > 0) in.tell("  {} of {} items have no row in {}", without, b.items(), table.path());
}

void read_user_table(Import& in, const std::string& path) {
  const TableOptions& options = in.options.table;
  Table table(path, in.policy, separator_named(options.separator));
  ColumnMap map(table, user_roles, options.user_columns, "--user-columns");
  if (options.user_columns.empty()) add_unnamed(table, map, false);
  tell_columns(in, table, map);
  const std::size_t id = *map.one("user");
  while (table.next())
    in.policy.accept([&] {
      const int32_t user = in.builder.find_user(table.field(id));
      if (user < 0) return in.count("rows_of_users_without_behaviour");
      if (!in.builder.describe_user(user, attributes_of(table, map)))
        table.reject("second row for a user", table.field(id));
    });
}

// Ids that are one but for case or a final ".0", which pandas writes where a column has gaps.
void tell_spellings(const Import& in, const TextTable& ids, const char* what) {
  std::unordered_map<std::string, int32_t> met;
  int64_t count = 0;
  std::string example;
  for (int32_t i = 0; i < ids.size(); ++i) {
    std::string folded = ids.text(i);
    for (char& c : folded) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (folded.ends_with(".0")) folded.resize(folded.size() - 2);
    const auto [it, fresh] = met.emplace(folded, i);
    if (fresh) continue;
    if (count++ == 0) example = fmt::format("{} and {}", shown(ids.text(it->second)), shown(ids.text(i)));
  }
  if (count > 0)
    in.tell("{} ids of {}s differ from another in case or a final .0 only, like {}: they stay apart", count, what,
            example);
}

}  // namespace

void import_csv(Import& in) {
  const TableOptions& options = in.options.table;
  std::map<std::string, int64_t> reasons;  // of rows left out
  in.policy.skipped_row = [&](const BadRow& row) {
    const std::string text = row.what();
    const std::size_t begin = text.find(": ") + 2;
    ++reasons[text.substr(begin, text.find(": ", begin) - begin)];
  };
  Events events(in);
  std::vector<std::string> files{in.source};
  files.insert(files.end(), options.more_files.begin(), options.more_files.end());
  for (const std::string& file : files) events.read(file == "-" ? file : in.note(file));
  tell_spellings(in, in.builder.user_ids(), "user");
  tell_spellings(in, in.builder.item_ids(), "item");
  const int64_t read = in.builder.events();
  const auto [users, items] = in.builder.filter(in.options.filter);
  in.tell("{} behaviours read, {} kept; {} users and {} items with too few are left out", read, in.builder.events(),
          users, items);
  if (!options.items.empty()) read_item_table(in, in.note(options.items));
  if (!options.users.empty()) read_user_table(in, in.note(options.users));
  for (const auto& [reason, count] : reasons) in.tell("{} rows left out: {}", count, reason);
  for (const char* name : {"rows_not_chosen", "rows_not_clicked"})
    if (const auto it = in.builder.info.import_counts.find(name); it != in.builder.info.import_counts.end())
      in.tell("{} {}", it->second,
              name == std::string_view("rows_not_chosen") ? "rows are not chosen by --where" : "rows are no clicks");
  in.policy.skipped_row = nullptr;
}

}  // namespace seminar::inline SEMINAR_PRECISION
