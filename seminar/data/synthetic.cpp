#include "seminar/data/synthetic.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "seminar/data/new_folder.h"
#include "tensor/random.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t first_second = 1672531200;  // 2023-01-01
constexpr int64_t span_seconds = 365 * 86400;
constexpr int words_of_topic = 20, common_words = 200, title_words = 6;
constexpr int new_item_draws = 20;  // for an item the user has not had: then any
constexpr int brands_of_topic = 5, topics_of_category = 4;

// Draws indices with given weights.
class Draw {
 public:
  void add(int32_t value, double weight) {
    values_.push_back(value);
    sums_.push_back((sums_.empty() ? 0 : sums_.back()) + weight);
  }
  bool empty() const { return values_.empty(); }
  int32_t operator()(Rng& rng) const {
    const double at = rng.uniform() * sums_.back();
    const auto it = std::upper_bound(sums_.begin(), sums_.end(), at);
    return values_[std::min<std::size_t>(static_cast<std::size_t>(it - sums_.begin()), values_.size() - 1)];
  }

 private:
  std::vector<int32_t> values_;
  std::vector<double> sums_;
};

struct World {
  std::vector<int32_t> topic, old;  // of items
  std::vector<Draw> early, late;    // items by topic, with and without old ones
  Draw early_any, late_any;
};

std::string topic_word(int64_t topic, int64_t word) { return fmt::format("t{}w{}", topic, word); }

std::string words(int64_t topic, int count, double truth, Rng& rng) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    if (i) text += ' ';
    text +=
        rng.chance(truth) ? topic_word(topic, rng.below(words_of_topic)) : fmt::format("c{}", rng.below(common_words));
  }

  return text;
}

// A shape whose form and colour follow the topic, at a random place and size, on a grey ground with noise.
std::vector<uint8_t> picture(int64_t size, int64_t topic, int64_t topics, Rng& rng) {
  std::vector<uint8_t> pixels(static_cast<std::size_t>(size * size * 3));
  const double hue = 6.0 * static_cast<double>(topic) / static_cast<double>(topics);
  const auto channel = [&](double shift) {
    const double x = std::fmod(hue + shift, 6.0);
    return std::clamp(std::abs(x - 3) - 1, 0.0, 1.0);
  };
  const double colour[] = {channel(0), channel(4), channel(2)};
  const double radius = rng.uniform(0.22, 0.4), cx = rng.uniform(0.4, 0.6), cy = rng.uniform(0.4, 0.6);
  for (int64_t y = 0; y < size; ++y)
    for (int64_t x = 0; x < size; ++x) {
      const double u = (static_cast<double>(x) + 0.5) / static_cast<double>(size) - cx,
                   v = (static_cast<double>(y) + 0.5) / static_cast<double>(size) - cy;
      const double disc = std::hypot(u, v) / radius, square = std::max(std::abs(u), std::abs(v)) / radius;
      bool inside = false;
      switch (topic % 5) {
        case 0:
          inside = disc < 1;
          break;
        case 1:
          inside = square < 0.85;
          break;
        case 2:
          inside = v > -0.8 * radius && v < 0.8 * radius && std::abs(u) < (v + 0.8 * radius) * 0.6;
          break;
        case 3:
          inside = square < 1 && std::min(std::abs(u), std::abs(v)) < 0.3 * radius;
          break;
        case 4:
          inside = disc < 1 && disc > 0.55;
          break;
      }
      for (int c = 0; c < 3; ++c) {
        const double value = (inside ? 40 + 200 * colour[c] : 200) + 8 * rng.normal();
        pixels[static_cast<std::size_t>((y * size + x) * 3 + c)] = static_cast<uint8_t>(std::clamp(value, 0.0, 255.0));
      }
    }
  return pixels;
}

std::vector<float> unit_vector(int64_t width, Rng rng) {
  std::vector<float> v(static_cast<std::size_t>(width));
  double square = 0;
  for (float& x : v) {
    x = static_cast<float>(rng.normal());
    square += static_cast<double>(x) * static_cast<double>(x);
  }
  for (float& x : v) x /= static_cast<float>(std::sqrt(square));
  return v;
}

// norm · (topic + noise) / |topic + noise|
std::vector<float> feature(const std::vector<float>& topic, double noise, double norm, Rng& rng) {
  std::vector<float> v = topic;
  double square = 0;
  for (float& x : v) {
    x += static_cast<float>(noise * rng.normal() / std::sqrt(static_cast<double>(v.size())));
    square += static_cast<double>(x) * static_cast<double>(x);
  }
  for (float& x : v) x *= static_cast<float>(norm / std::sqrt(square));
  return v;
}

World make_items(const SyntheticSettings& s, DatasetBuilder& builder, const Rng& rng) {
  World world;
  world.early.resize(static_cast<std::size_t>(s.topics));
  world.late.resize(static_cast<std::size_t>(s.topics));
  std::vector<int64_t> rank(static_cast<std::size_t>(s.topics), 0);
  struct {
    const char* name;
    double norm, noise;
  } const channels[] = {{"text", s.norm_text, s.noise},
                        {"image", s.norm_image, s.noise},
                        {"attribute", s.norm_attribute, s.noise_attribute}};
  for (int64_t i = 0; i < s.items; ++i) {
    Rng item_rng = rng.split(static_cast<uint64_t>(i));
    const int32_t item = builder.item(fmt::format("i{}", i + 1));
    // Every topic has items that stay: the first two of each are never old.
    const int64_t topic = i < 2 * s.topics ? i % s.topics : item_rng.below(s.topics);
    const bool old = i >= 2 * s.topics && item_rng.chance(s.old_share);
    world.topic.push_back(static_cast<int32_t>(topic));
    world.old.push_back(old);
    const double weight = std::pow(static_cast<double>(++rank[topic]), -s.popularity);
    world.early[topic].add(item, weight);
    world.early_any.add(item, weight);
    if (!old || s.old_vanish == 0) {
      world.late[topic].add(item, weight);
      world.late_any.add(item, weight);
    }
    const std::string title = words(topic, title_words, s.text_truth, item_rng);
    Rng attribute_rng = item_rng.split("attributes");
    const int64_t shown = attribute_rng.chance(s.attribute_truth) ? topic : attribute_rng.below(s.topics);
    const std::string attributes[] = {fmt::format("category:{}", shown / topics_of_category),
                                      fmt::format("brand:{}-{}", shown, item_rng.below(brands_of_topic)),
                                      fmt::format("price:{}", item_rng.below(5))};
    builder.describe_item(item, title, title, attributes);
    if (s.picture_size > 0)
      builder.add_picture(item, s.picture_size, s.picture_size, picture(s.picture_size, topic, s.topics, item_rng));
    if (s.feature_width > 0)
      for (const auto& [channel, norm, noise] : channels) {
        const Rng topic_rng = rng.split(channel).split(static_cast<uint64_t>(topic));
        builder.add_features(channel, item, feature(unit_vector(s.feature_width, topic_rng), noise, norm, item_rng));
      }
  }
  return world;
}

// A user's changing interests: current topics and the former ones.
class Interests {
 public:
  Interests(const SyntheticSettings& s, int64_t group, Rng& rng) : s_(s), group_(group) {
    for (int64_t i = 0; i < s.interests; ++i) now_.push_back(draw(rng));
  }
  int64_t intent(Rng& rng) {
    if (rng.chance(s_.drift)) {
      int64_t& replaced = now_[static_cast<std::size_t>(rng.below(std::ssize(now_)))];
      former_.push_back(replaced);
      replaced = draw(rng);
    }
    const std::vector<int64_t>& from = !former_.empty() && rng.chance(s_.recall) ? former_ : now_;
    return from[static_cast<std::size_t>(rng.below(std::ssize(from)))];
  }
  bool holds(int64_t topic) const { return std::find(now_.begin(), now_.end(), topic) != now_.end(); }

 private:
  // Seven in ten from the topics of the user's group.
  int64_t draw(Rng& rng) const {
    const int64_t first = group_ * topics_of_category, size = std::min<int64_t>(topics_of_category, s_.topics - first);
    return rng.chance(0.7) ? first + rng.below(size) : rng.below(s_.topics);
  }
  const SyntheticSettings& s_;
  int64_t group_;
  std::vector<int64_t> now_, former_;
};

}  // namespace

void generate_dataset(const SyntheticSettings& settings, const std::string& dir,
                      const std::function<void(int64_t done, int64_t total)>& progress) {
  SyntheticSettings s = settings;
  DatasetBuilder builder;
  builder.info.kind = "synthetic";
  builder.info.seed = static_cast<uint64_t>(s.seed);
  s.visit([&](const SettingInfo& info, auto& value) {
    check_range(info, static_cast<double>(value));
    builder.info.options[info.name] = static_cast<double>(value);
  });
  check(s.min_length <= s.max_length, "--min-length: must be at most --max-length {}: {}", s.max_length, s.min_length);
  check(s.items >= 2 * s.topics, "--items: must be at least twice --topics {}: {}", s.topics, s.items);
  check_new_folder(dir);
  const Rng rng(static_cast<uint64_t>(s.seed));
  const World world = make_items(s, builder, rng.split("items"));
  const int64_t groups = (s.topics + topics_of_category - 1) / topics_of_category;
  const double growth = static_cast<double>(s.max_length) / static_cast<double>(s.min_length);
  std::vector<int32_t> intents;
  for (int64_t u = 0; u < s.users; ++u) {
    Rng user_rng = rng.split("users").split(static_cast<uint64_t>(u));
    const int32_t user = builder.user(fmt::format("u{}", u + 1));
    const int64_t group = user_rng.below(groups);
    const std::string attributes[] = {fmt::format("group:{}", group), fmt::format("device:{}", user_rng.below(3))};
    builder.describe_user(user, attributes);
    Interests interests(s, group, user_rng);
    const int64_t length = std::llround(static_cast<double>(s.min_length) * std::pow(growth, user_rng.uniform()));
    const auto time_of = [&](int64_t p) {  // evenly spread days, hours of waking
      const int64_t day = p * span_seconds / (length + s.exposures + 1) / 86400;
      return first_second + day * 86400;
    };
    std::unordered_set<int32_t> had;
    const auto draw = [&](int64_t topic, int64_t time) {
      const bool early = time < first_second + span_seconds / 3;
      if (!user_rng.chance(s.fit)) return (early ? world.early_any : world.late_any)(user_rng);
      return (early ? world.early : world.late)[topic](user_rng);
    };
    const auto pick = [&](int64_t topic, int64_t time) {
      int32_t item = draw(topic, time);
      if (s.repeat < 1 && !user_rng.chance(s.repeat))
        for (int i = 0; i < new_item_draws && had.contains(item); ++i) item = draw(topic, time);
      had.insert(item);
      return item;
    };
    for (int64_t p = 0; p < length; ++p) {
      const int64_t intent = interests.intent(user_rng), time = time_of(p) + 3600 * (7 + user_rng.below(17));
      const int32_t item = pick(intent, time);
      int32_t query = 0;
      if (user_rng.chance(s.search_share)) {
        const int64_t about = user_rng.chance(s.query_truth) ? intent : user_rng.below(s.topics);
        query = builder.queries.id(words(about, 1 + static_cast<int>(user_rng.below(2)), 1, user_rng));
      }
      builder.add_event(user, item, query, time * us_per_second, std::ssize(intents));
      intents.push_back(static_cast<int32_t>(intent));
    }
    for (int64_t e = 0; e < s.exposures; ++e) {
      const int64_t time = time_of(length + 1) + 3600 * (7 + user_rng.below(17)) + e;
      const int32_t item = user_rng.chance(0.5) ? pick(interests.intent(user_rng), time) : world.late_any(user_rng);
      const bool evening = time % 86400 >= 18 * 3600;
      const double logit =
          (interests.holds(world.topic[item]) ? 1.5 : -1.5) + ((world.topic[item] % 2 == 1) == evening ? 0.5 : -0.5);
      builder.add_exposure(user, item, 0, time * us_per_second, user_rng.chance(1 / (1 + std::exp(-logit))));
    }
    if (progress) progress(u + 1, s.users);
  }
  builder.add_truth("intent", std::move(intents));
  builder.add_item_truth("topic", world.topic);
  builder.add_item_truth("old", world.old);
  builder.write(dir);
}

}  // namespace seminar::inline SEMINAR_PRECISION
