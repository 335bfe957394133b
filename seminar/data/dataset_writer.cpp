// The folder that a DatasetBuilder writes.
#include <algorithm>
#include <numeric>

#include "seminar/data/dataset_builder.h"
#include "seminar/data/new_folder.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// Adds rows of different lengths: `start` [rows + 1] and `values`, where each(f) calls f(row) for all rows in order
// with something that has begin() and end().
template <class T, class Each>
void add_rows(SafetensorsWriter& writer, const std::string& start, const std::string& values, int64_t rows, Each each) {
  int64_t total = 0;
  std::vector<int64_t> starts{0};
  starts.reserve(static_cast<std::size_t>(rows) + 1);
  each([&](const auto& row) { starts.push_back(total += std::distance(row.begin(), row.end())); });
  writer.add_streamed<int64_t>(start, {rows + 1}, [starts = std::move(starts)](const auto& emit) { emit(starts); });
  writer.add_streamed<T>(values, {total}, [each](const auto& emit) {
    std::vector<T> buffer;
    each([&](const auto& row) {
      buffer.assign(row.begin(), row.end());
      emit(std::span<const T>(buffer));
    });
  });
}

}  // namespace

// What is written: users and items that have behaviours (or stand among a user's negatives), in order of their numbers,
// queries in use, and vocabularies by falling use.
struct DatasetBuilder::Layout {
  std::vector<int32_t> users, items, queries;       // numbers written, in order
  std::vector<int32_t> user_at, item_at, query_at;  // where a number stands: users from 0, items and queries from 1
  std::vector<int32_t> word_at, attribute_at, user_attribute_at;
  std::vector<std::string> words, attributes, user_attributes;
};

namespace {

// Places numbers by falling count of uses, then by text, from 1; what is not used gets 0.
void order_by_use(const TextTable& table, const std::vector<int64_t>& uses, std::vector<int32_t>& at,
                  std::vector<std::string>& texts) {
  std::vector<int32_t> order;
  for (int32_t i = 0; i < table.size(); ++i)
    if (uses[i] > 0) order.push_back(i);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return uses[a] != uses[b] ? uses[a] > uses[b] : table.text(a) < table.text(b);
  });
  at.assign(static_cast<std::size_t>(table.size()), 0);
  texts = {""};
  for (const int32_t i : order) {
    at[i] = static_cast<int32_t>(texts.size());
    texts.push_back(table.text(i));
  }
}

std::vector<int32_t> places(const std::vector<int32_t>& kept, int64_t count, int32_t first) {
  std::vector<int32_t> at(static_cast<std::size_t>(count), -1);
  for (const int32_t number : kept) at[number] = first++;
  return at;
}

}  // namespace

void DatasetBuilder::write(const std::string& dir) {
  NewFolder folder(dir);
  sort();
  check(!events_.empty(),
        "{}: no user is left to write: {} users and {} items have too few behaviours; lower --min-length or --k-core",
        dir, dropped_users_, dropped_items_);
  std::vector<uint8_t> user_used(static_cast<std::size_t>(users())), item_used(static_cast<std::size_t>(items())),
      query_used(queries.texts().size());
  for (const Event& e : events_) user_used[e.user] = item_used[e.item] = query_used[e.query] = 1;
  std::erase_if(exposures_, [&](const Exposure& e) { return !user_used[e.user]; });
  for (const Exposure& e : exposures_) item_used[e.item] = query_used[e.query] = 1;
  for (int64_t user = 0; user < users(); ++user)
    if (user_used[user])
      for (const int32_t item : negatives_.get(user)) item_used[item] = 1;
  query_used[0] = 0;
  Layout layout;
  const auto numbers = [](const std::vector<uint8_t>& used) {
    std::vector<int32_t> kept;
    for (std::size_t i = 0; i < used.size(); ++i)
      if (used[i]) kept.push_back(static_cast<int32_t>(i));
    return kept;
  };
  layout.users = numbers(user_used);
  layout.items = numbers(item_used);
  layout.queries = numbers(query_used);
  layout.user_at = places(layout.users, users(), 0);
  layout.item_at = places(layout.items, items(), 1);
  layout.query_at = places(layout.queries, std::ssize(queries.texts()), 1);
  layout.query_at[0] = 0;

  info.import_counts["searches"] =
      std::count_if(events_.begin(), events_.end(), [](const Event& e) { return e.query != 0; });
  info.import_counts["actions_at_one_time"] = info.has_times ? count_ties() : 0;
  info.import_counts["dropped_users"] = dropped_users_;
  info.import_counts["dropped_items"] = dropped_items_;
  info.import_counts["items_without_features"] =
      std::count_if(layout.items.begin(), layout.items.end(), [&](int32_t i) { return !described(i); });
  info.import_counts["features_without_item"] =
      std::count(item_known_.begin(), item_known_.end(), 1) -
      std::count_if(layout.items.begin(), layout.items.end(), [&](int32_t i) { return described(i); });
  write_sequences(layout, folder.temporary());
  events_.clear();
  write_items(layout, folder.temporary());
  write_extras(layout, folder.temporary());
  write_manifest(info, folder.temporary());
  folder.commit();
  *this = DatasetBuilder();
}

void DatasetBuilder::write_sequences(const Layout& layout, const std::string& folder) {
  SafetensorsWriter writer;
  std::vector<int64_t> start(layout.users.size() + 1, 0);
  for (const Event& e : events_) ++start[layout.user_at[e.user] + 1];
  std::partial_sum(start.begin(), start.end(), start.begin());
  writer.add<int64_t>("user_start", {std::ssize(start)}, start);
  const auto column = [&]<class T>(const char* name, T, auto value) {
    writer.add_streamed<T>(name, {std::ssize(events_)}, [this, value](const auto& emit) {
      for (const Event& e : events_) {
        const T v = value(e);
        emit(std::span<const T>(&v, 1));
      }
    });
  };
  column("items", int32_t{}, [&](const Event& e) { return layout.item_at[e.item]; });
  column("queries", int32_t{}, [&](const Event& e) { return layout.query_at[e.query]; });
  column("times", int64_t{}, [](const Event& e) { return e.time; });
  add_rows<uint8_t>(writer, "user_id_start", "user_ids", std::ssize(layout.users), [&](const auto& f) {
    for (const int32_t user : layout.users) f(users_.text(user));
  });
  writer.save(folder + "/sequences.safetensors");
  if (event_truth_.empty() && item_truth_.empty()) return;
  SafetensorsWriter truth;
  for (const auto& [name, values] : event_truth_) {
    std::vector<int32_t> ordered;
    for (const Event& e : events_) ordered.push_back(values[e.order]);
    truth.add<int32_t>(name, {std::ssize(ordered)}, ordered);
  }
  for (const auto& [name, values] : item_truth_) {
    std::vector<int32_t> ordered{0};
    for (const int32_t item : layout.items) ordered.push_back(values[item]);
    truth.add<int32_t>(name, {std::ssize(ordered)}, ordered);
  }
  truth.save(folder + "/truth.safetensors");
}

void DatasetBuilder::write_items(const Layout& kept, const std::string& folder) {
  Layout layout = kept;
  std::vector<int64_t> word_uses(static_cast<std::size_t>(words_.size())),
      attribute_uses(static_cast<std::size_t>(attributes_.size()));
  const auto each_of = [](const Lists<int32_t>& lists, int64_t owner, auto f) {
    for (const int32_t id : lists.get(owner)) f(id);
  };
  for (const int32_t item : layout.items) {
    each_of(item_words_, item, [&](int32_t w) { ++word_uses[w]; });
    each_of(item_attributes_, item, [&](int32_t a) { ++attribute_uses[a]; });
  }
  std::vector<std::vector<int32_t>> query_words;
  for (const int32_t query : layout.queries) {
    std::vector<int32_t>& ids = query_words.emplace_back();
    for (const std::string& word : split_words(queries.texts()[query])) ids.push_back(words_.add(word));
    word_uses.resize(static_cast<std::size_t>(words_.size()));
    for (const int32_t w : ids) ++word_uses[w];
  }
  order_by_use(words_, word_uses, layout.word_at, layout.words);
  order_by_use(attributes_, attribute_uses, layout.attribute_at, layout.attributes);

  const std::string none;
  const std::vector<int32_t> empty;
  const auto texts = [](const std::vector<std::string>& all) {
    return [&all](const auto& f) {
      for (const std::string& text : all) f(text);
    };
  };
  const auto lists = [&](const Lists<int32_t>& from, const std::vector<int32_t>& at) {
    return [&](const auto& f) {
      f(empty);
      std::vector<int32_t> row;
      for (const int32_t item : layout.items) {
        row.clear();
        each_of(from, item, [&](int32_t id) { row.push_back(at[id]); });
        f(row);
      }
    };
  };
  const auto item_texts = [&](auto text) {
    return [&, text](const auto& f) {
      f(none);
      for (const int32_t item : layout.items) f(text(item));
    };
  };
  const int64_t rows = std::ssize(layout.items) + 1;
  SafetensorsWriter items;
  add_rows<int32_t>(items, "word_start", "words", rows, lists(item_words_, layout.word_at));
  add_rows<int32_t>(items, "attribute_start", "attributes", rows, lists(item_attributes_, layout.attribute_at));
  add_rows<uint8_t>(items, "title_start", "titles", rows, item_texts([&](int32_t item) { return titles_.get(item); }));
  add_rows<uint8_t>(items, "id_start", "ids", rows,
                    item_texts([&](int32_t item) -> const std::string& { return items_.text(item); }));
  items.save(folder + "/items.safetensors");

  SafetensorsWriter query_rows;
  add_rows<int32_t>(query_rows, "word_start", "words", std::ssize(query_words) + 1, [&](const auto& f) {
    f(empty);
    std::vector<int32_t> row;
    for (const std::vector<int32_t>& ids : query_words) {
      row.clear();
      for (const int32_t id : ids) row.push_back(layout.word_at[id]);
      f(row);
    }
  });
  add_rows<uint8_t>(query_rows, "text_start", "texts", std::ssize(query_words) + 1, [&](const auto& f) {
    f(none);
    for (const int32_t query : layout.queries) f(queries.texts()[query]);
  });
  query_rows.save(folder + "/queries.safetensors");

  SafetensorsWriter vocabulary;
  add_rows<uint8_t>(vocabulary, "word_start", "words", std::ssize(layout.words), texts(layout.words));
  add_rows<uint8_t>(vocabulary, "attribute_start", "attributes", std::ssize(layout.attributes),
                    texts(layout.attributes));
  vocabulary.save(folder + "/vocabulary.safetensors");
}

void DatasetBuilder::write_extras(const Layout& kept, const std::string& folder) {
  Layout layout = kept;
  if (user_attributes_.size() > 0) {
    std::vector<int64_t> uses(static_cast<std::size_t>(user_attributes_.size()));
    for (const int32_t user : layout.users)
      for (const int32_t a : user_attribute_lists_.get(user)) ++uses[a];
    order_by_use(user_attributes_, uses, layout.user_attribute_at, layout.user_attributes);
    SafetensorsWriter writer;
    add_rows<int32_t>(writer, "attribute_start", "attributes", std::ssize(layout.users), [&](const auto& f) {
      for (const int32_t user : layout.users) {
        std::vector<int32_t> ids;
        for (const int32_t id : user_attribute_lists_.get(user)) ids.push_back(layout.user_attribute_at[id]);
        f(ids);
      }
    });
    add_rows<uint8_t>(writer, "name_start", "names", std::ssize(layout.user_attributes), [&](const auto& f) {
      for (const std::string& text : layout.user_attributes) f(text);
    });
    writer.save(folder + "/users.safetensors");
  }
  if (!exposures_.empty()) {
    std::sort(exposures_.begin(), exposures_.end(), [](const Exposure& a, const Exposure& b) {
      return std::tuple(a.user, a.time, a.item) < std::tuple(b.user, b.time, b.item);
    });
    std::vector<int64_t> start(layout.users.size() + 1, 0);
    for (const Exposure& e : exposures_) ++start[layout.user_at[e.user] + 1];
    std::partial_sum(start.begin(), start.end(), start.begin());
    SafetensorsWriter writer;
    writer.add<int64_t>("user_start", {std::ssize(start)}, start);
    const auto column = [&]<class T>(const char* name, T, auto value) {
      std::vector<T> values;
      for (const Exposure& e : exposures_) values.push_back(value(e));
      writer.add<T>(name, {std::ssize(values)}, values);
    };
    column("items", int32_t{}, [&](const Exposure& e) { return layout.item_at[e.item]; });
    column("queries", int32_t{}, [&](const Exposure& e) { return layout.query_at[e.query]; });
    column("times", int64_t{}, [](const Exposure& e) { return e.time; });
    column("clicked", uint8_t{}, [](const Exposure& e) { return static_cast<uint8_t>(e.clicked); });
    writer.save(folder + "/exposures.safetensors");
  }
  if (!negatives_.empty()) {
    SafetensorsWriter writer;
    add_rows<int32_t>(writer, "user_start", "items", std::ssize(layout.users), [&](const auto& f) {
      for (const int32_t user : layout.users) {
        std::vector<int32_t> ids;
        for (const int32_t item : negatives_.get(user)) ids.push_back(layout.item_at[item]);
        f(ids);
      }
    });
    writer.save(folder + "/negatives.safetensors");
  }
  const auto row_of = [](const std::vector<int32_t>& rows, int32_t item) {
    return item < std::ssize(rows) ? rows[item] : -1;
  };
  // Items without a picture or vector point to no row; the others in the order of items.
  const auto add_table = [&]<class T>(SafetensorsWriter& writer, const std::string& name,
                                      const std::vector<int32_t>& rows, const std::deque<T>& values,
                                      const Shape& row_shape) {
    std::vector<int32_t> at{-1};
    int32_t used = 0;
    for (const int32_t item : layout.items) at.push_back(row_of(rows, item) < 0 ? -1 : used++);
    Shape shape{used};
    for (const int64_t n : row_shape) shape.push_back(n);
    const int64_t width = row_shape.numel();
    writer.add<int32_t>(name + "_row", {std::ssize(at)}, at);
    writer.add_streamed<T>(name, shape, [&, width](const auto& emit) {
      std::vector<T> row;
      for (const int32_t item : layout.items)
        if (const int64_t r = row_of(rows, item); r >= 0) {
          row.assign(values.begin() + r * width, values.begin() + (r + 1) * width);
          emit(std::span<const T>(row));
        }
    });
  };
  if (!picture_.empty()) {
    SafetensorsWriter writer;
    add_table(writer, "pixels", picture_, pixels_, {picture_height_, picture_width_, 3});
    writer.save(folder + "/pictures.safetensors");
  }
  if (!features_.empty()) {
    SafetensorsWriter writer;
    for (const auto& [channel, f] : features_) add_table(writer, channel, f.row, f.values, {f.width});
    writer.save(folder + "/features.safetensors");
  }
}

}  // namespace seminar::inline SEMINAR_PRECISION
