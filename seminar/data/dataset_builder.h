// Collects what an importer reads, in little more memory than the result takes, filters it and writes the data folder.
#pragma once

#include <deque>
#include <optional>

#include "seminar/data/dataset.h"
#include "seminar/data/time.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Distinct texts with numbers from 0 in order of arrival.
class TextTable {
 public:
  int32_t add(std::string_view text);
  /// The number of `text`, or -1.
  int32_t find(std::string_view text) const;
  const std::string& text(int32_t number) const { return *texts_[static_cast<std::size_t>(number)]; }
  int64_t size() const { return std::ssize(texts_); }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> numbers_;
  std::vector<const std::string*> texts_;  // the keys of numbers_
};

/// Distinct queries by id from 1. Queries with the same words are one query, kept in its first spelling.
class QueryTable {
 public:
  /// The id of `text`; 0 if it has no words.
  int32_t id(std::string_view text);
  /// Texts by id; the first is the empty query.
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::vector<std::string> texts_{""};
  std::unordered_map<std::string, int32_t> ids_;
};

/// Which users and items stay; applied again and again until nothing changes.
struct Filter {
  int64_t min_length = 3;  ///< users with fewer behaviours go
  int64_t k_core = 0;      ///< users and items with fewer behaviours go
};

class DatasetBuilder {
 public:
  struct Event {
    int64_t time;               ///< Unix time, µs
    int32_t user, item, query;  /// numbers given by user() and item(), id given by queries; 0 for no query
    uint32_t order;             ///< as add_event was told
  };

  DatasetInfo info;
  QueryTable queries;

  /// The number (from 0) of the user or item with this id in the source; new if it was not there.
  int32_t user(std::string_view original_id);
  int32_t item(std::string_view original_id);
  /// The same, or -1 if it is not there.
  int32_t find_user(std::string_view original_id) const;
  int32_t find_item(std::string_view original_id) const;
  const TextTable& user_ids() const { return users_; }
  const TextTable& item_ids() const { return items_; }
  int64_t users() const { return users_.size(); }
  int64_t items() const { return items_.size(); }

  /// What is known of an item: its title for people, the text its words are taken from, its attributes. False if it was
  /// described before (then nothing changes).
  bool describe_item(int32_t item, std::string_view title, std::string_view text,
                     std::span<const std::string> attributes);
  bool describe_user(int32_t user, std::span<const std::string> attributes);
  bool described(int32_t item) const { return item < std::ssize(item_known_) && item_known_[item] != 0; }
  /// A picture of an item, RGB bytes [height, width, 3], of the same size for all.
  void add_picture(int32_t item, int64_t height, int64_t width, std::span<const uint8_t> pixels);
  /// A vector of an item for a channel ("text", "image"), of the same width for all items of the channel.
  void add_features(const std::string& channel, int32_t item, std::span<const float> values);

  /// A behaviour at a Unix time in µs, from 0 to last_time_us. `order` is its number or the line it stands on: it puts
  /// behaviours of one time in order, unless shuffle_ties() asks for another, and is for messages.
  void add_event(int32_t user, int32_t item, int32_t query, int64_t time, int64_t order);
  /// Behaviours of one user at the same time are put in a random order, drawn by `seed`, rather than in that of
  /// arrival: a file that is sorted by item would tell which comes next.
  void shuffle_ties(uint64_t seed) { tie_seed_ = seed; }
  /// What is added from here on, with an `order` of at least this, comes behind what was added before at the same time.
  void next_source(int64_t order) { sources_.push_back(order); }
  /// Something shown, clicked or not.
  void add_exposure(int32_t user, int32_t item, int32_t query, int64_t time, bool clicked);
  /// The negatives a data set brings for a user's test target.
  void set_negatives(int32_t user, std::span<const int32_t> items);
  /// A number per behaviour (by its `order`, from 0) or per item that is the truth of a generator; kept beside the
  /// data.
  void add_truth(const std::string& name, std::vector<int32_t> per_event);
  void add_item_truth(const std::string& name, std::vector<int32_t> per_item);
  int64_t events() const { return std::ssize(events_); }

  /// Puts the behaviours in order: by user, time, and order of arrival. After it, calls f(user, events of the user) for
  /// each user that has any; f may change queries, and drop an event by setting its item to -1.
  void each_user(const std::function<void(int32_t user, std::span<Event> events)>& f);
  /// Drops users and items; returns {"dropped_users", "dropped_items"} since the start.
  std::pair<int64_t, int64_t> filter(const Filter& filter);
  /// Writes the folder `dir`, which appears only when complete; on an Error nothing is left behind. Users and items
  /// keep the order in which they were first named; those without behaviours are left out. Equal calls give equal
  /// bytes. Throws Error if no behaviour is left. The builder is empty afterwards.
  void write(const std::string& dir);

 private:
  struct Exposure {
    int64_t time;
    int32_t user, item, query;
    bool clicked;
  };
  // Lists one after the other in order of arrival, found by their owner's number.
  template <class T>
  class Lists {
   public:
    void set(int64_t owner, std::span<const T> list) {
      if (owner >= std::ssize(at_)) at_.resize(static_cast<std::size_t>(owner) + 1, {0, 0});
      at_[owner] = {std::ssize(values_), static_cast<int32_t>(list.size())};
      values_.insert(values_.end(), list.begin(), list.end());
    }
    std::span<const T> get(int64_t owner) const {
      if (owner >= std::ssize(at_)) return {};
      return std::span(values_).subspan(static_cast<std::size_t>(at_[owner].begin),
                                        static_cast<std::size_t>(at_[owner].size));
    }
    bool empty() const { return at_.empty(); }

   private:
    struct Place {
      int64_t begin;
      int32_t size;
    };
    std::vector<T> values_;
    std::vector<Place> at_;
  };
  struct Features {
    int64_t width = 0;
    std::vector<int32_t> row;  // by item, -1 for none
    std::deque<float> values;
  };
  struct Layout;  // who and what is written, and where
  void sort();
  int64_t count_ties() const;
  void write_sequences(const Layout& layout, const std::string& folder);
  void write_items(const Layout& layout, const std::string& folder);
  void write_extras(const Layout& layout, const std::string& folder);

  TextTable users_, items_, words_, attributes_, user_attributes_;
  std::vector<uint8_t> item_known_, user_known_;
  Lists<char> titles_;
  Lists<int32_t> item_words_, item_attributes_, user_attribute_lists_, negatives_;
  std::deque<Event> events_;
  std::deque<Exposure> exposures_;
  std::map<std::string, std::vector<int32_t>> event_truth_, item_truth_;
  std::map<std::string, Features> features_;
  std::deque<uint8_t> pixels_;
  std::vector<int32_t> picture_;  // by item, -1 for none
  int64_t picture_height_ = 0, picture_width_ = 0;
  int64_t dropped_users_ = 0, dropped_items_ = 0;
  std::optional<uint64_t> tie_seed_;
  std::vector<int64_t> sources_;  // orders that sources begin with, ascending
  bool sorted_ = true;
};

}  // namespace seminar::inline SEMINAR_PRECISION
