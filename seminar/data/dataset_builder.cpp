#include "seminar/data/dataset_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "tensor/random.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

int32_t next_id(std::size_t count) {
  check(count < std::numeric_limits<int32_t>::max(), "data set: more ids than 32 bits hold: {}", count);
  return static_cast<int32_t>(count);
}

template <class T>
void reach(std::vector<T>& v, int64_t index, T fill) {
  if (index >= std::ssize(v)) v.resize(static_cast<std::size_t>(index) + 1, fill);
}

}  // namespace

int32_t TextTable::add(std::string_view text) {
  if (const auto it = numbers_.find(text); it != numbers_.end()) return it->second;
  const auto it = numbers_.emplace(std::string(text), next_id(texts_.size())).first;
  texts_.push_back(&it->first);
  return it->second;
}

int32_t TextTable::find(std::string_view text) const {
  const auto it = numbers_.find(text);
  return it == numbers_.end() ? -1 : it->second;
}

int32_t QueryTable::id(std::string_view text) {
  const std::vector<std::string> words = split_words(text);
  if (words.empty()) return 0;
  const auto [it, fresh] = ids_.try_emplace(fmt::format("{}", fmt::join(words, " ")), next_id(texts_.size()));
  if (fresh) texts_.emplace_back(text);
  return it->second;
}

int32_t DatasetBuilder::user(std::string_view original_id) { return users_.add(original_id); }
int32_t DatasetBuilder::item(std::string_view original_id) { return items_.add(original_id); }
int32_t DatasetBuilder::find_user(std::string_view original_id) const { return users_.find(original_id); }
int32_t DatasetBuilder::find_item(std::string_view original_id) const { return items_.find(original_id); }

bool DatasetBuilder::describe_item(int32_t item, std::string_view title, std::string_view text,
                                   std::span<const std::string> attributes) {
  if (described(item)) return false;
  reach<uint8_t>(item_known_, item, 0);
  item_known_[item] = 1;
  titles_.set(item, title);
  std::vector<int32_t> ids;
  for (const std::string& word : split_words(text)) ids.push_back(words_.add(word));
  item_words_.set(item, ids);
  ids.clear();
  for (const std::string& attribute : attributes) ids.push_back(attributes_.add(attribute));
  item_attributes_.set(item, ids);
  return true;
}

bool DatasetBuilder::describe_user(int32_t user, std::span<const std::string> attributes) {
  reach<uint8_t>(user_known_, user, 0);
  if (std::exchange(user_known_[user], 1)) return false;
  std::vector<int32_t> ids;
  for (const std::string& attribute : attributes) ids.push_back(user_attributes_.add(attribute));
  user_attribute_lists_.set(user, ids);
  return true;
}

void DatasetBuilder::add_picture(int32_t item, int64_t height, int64_t width, std::span<const uint8_t> pixels) {
  check(std::ssize(pixels) == height * width * 3, "data set: a picture of {} x {} with {} bytes", height, width,
        pixels.size());
  if (picture_.empty()) {
    picture_height_ = height;
    picture_width_ = width;
  }
  check(height == picture_height_ && width == picture_width_, "data set: pictures of {} x {} and {} x {}",
        picture_height_, picture_width_, height, width);
  reach<int32_t>(picture_, item, -1);
  picture_[item] = static_cast<int32_t>(std::ssize(pixels_) / std::ssize(pixels));
  pixels_.insert(pixels_.end(), pixels.begin(), pixels.end());
}

void DatasetBuilder::add_features(const std::string& channel, int32_t item, std::span<const float> values) {
  Features& f = features_[channel];
  if (f.width == 0) f.width = std::ssize(values);
  check(f.width == std::ssize(values), "data set: '{}' vectors of width {} and {}", channel, f.width, values.size());
  reach<int32_t>(f.row, item, -1);
  f.row[item] = static_cast<int32_t>(std::ssize(f.values) / f.width);
  f.values.insert(f.values.end(), values.begin(), values.end());
}

void DatasetBuilder::add_event(int32_t user, int32_t item, int32_t query, int64_t time, int64_t order) {
  check(user >= 0 && user < users() && item >= 0 && item < items() && query >= 0 && query < std::ssize(queries.texts()),
        "data set: a behaviour of user {}, item {}, query {}, which are not all known", user, item, query);
  check(order >= 0 && order <= std::numeric_limits<uint32_t>::max(), "data set: more behaviours than 32 bits number");
  check(time >= 0 && time <= last_time_us, "data set: a time outside 0 to {} us: {}", last_time_us, time);
  events_.push_back({time, user, item, query, static_cast<uint32_t>(order)});
  sorted_ = false;
}

void DatasetBuilder::add_exposure(int32_t user, int32_t item, int32_t query, int64_t time, bool clicked) {
  exposures_.push_back({time, user, item, query, clicked});
}

void DatasetBuilder::set_negatives(int32_t user, std::span<const int32_t> items) { negatives_.set(user, items); }

void DatasetBuilder::add_truth(const std::string& name, std::vector<int32_t> per_event) {
  event_truth_[name] = std::move(per_event);
}

void DatasetBuilder::add_item_truth(const std::string& name, std::vector<int32_t> per_item) {
  item_truth_[name] = std::move(per_item);
}

void DatasetBuilder::sort() {
  if (std::exchange(sorted_, true)) return;
  const bool shuffled = tie_seed_ && info.has_times;
  const Rng ties = Rng(tie_seed_.value_or(0)).split("ties");
  const auto key = [&](const Event& e) {
    const auto source = std::upper_bound(sources_.begin(), sources_.end(), int64_t{e.order}) - sources_.begin();
    return std::tuple(source, shuffled ? ties.split(e.order).next() : 0, e.order);
  };
  std::sort(events_.begin(), events_.end(), [&](const Event& a, const Event& b) {
    if (a.user != b.user) return a.user < b.user;
    return a.time != b.time ? a.time < b.time : key(a) < key(b);
  });
}

// Behaviours, in order, that share their time with another one of their user.
int64_t DatasetBuilder::count_ties() const {
  int64_t count = 0;
  const auto tied = [](const Event& a, const Event& b) { return a.user == b.user && a.time == b.time; };
  for (std::size_t i = 0; i < events_.size(); ++i)
    count +=
        (i > 0 && tied(events_[i - 1], events_[i])) || (i + 1 < events_.size() && tied(events_[i], events_[i + 1]));
  return count;
}

void DatasetBuilder::each_user(const std::function<void(int32_t, std::span<Event>)>& f) {
  sort();
  std::vector<Event> one;
  for (std::size_t begin = 0; begin < events_.size();) {
    one.clear();
    std::size_t end = begin;
    while (end < events_.size() && events_[end].user == events_[begin].user) one.push_back(events_[end++]);
    f(one[0].user, one);
    std::copy(one.begin(), one.end(), events_.begin() + static_cast<std::ptrdiff_t>(begin));
    begin = end;
  }
  std::erase_if(events_, [](const Event& e) { return e.item < 0; });
}

std::pair<int64_t, int64_t> DatasetBuilder::filter(const Filter& filter) {
  const int64_t user_low = std::max(filter.min_length, filter.k_core), item_low = filter.k_core;
  for (bool changed = true; changed;) {
    std::vector<int64_t> of_user(static_cast<std::size_t>(users())), of_item(static_cast<std::size_t>(items()));
    for (const Event& e : events_) ++of_user[e.user], ++of_item[e.item];
    const auto low = [](const std::vector<int64_t>& counts, int64_t limit) {
      return std::count_if(counts.begin(), counts.end(), [&](int64_t n) { return n > 0 && n < limit; });
    };
    dropped_users_ += low(of_user, user_low);
    dropped_items_ += low(of_item, item_low);
    changed = std::erase_if(events_, [&](const Event& e) {
                return of_user[e.user] < user_low || of_item[e.item] < item_low;
              }) != 0;
  }
  return {dropped_users_, dropped_items_};
}

}  // namespace seminar::inline SEMINAR_PRECISION
