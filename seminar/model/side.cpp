#include "seminar/model/side.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_map>

#include "seminar/model/head.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr double side_std = 0.1;
constexpr int64_t hours_of_day = 24, days_of_week = 7, gap_classes = 40;            // gaps by powers of two of a second
constexpr int64_t microseconds = 1000000;                                           // of a second
constexpr int64_t second_of_hour = 3600, second_of_day = 86400, first_weekday = 3;  // 1970 began on a Thursday
constexpr double scale_of_seconds = 20, scale_of_behaviours = 10;

int64_t positive_modulo(int64_t a, int64_t n) { return (a % n + n) % n; }

int64_t day_of(int64_t time) { return (time - positive_modulo(time, second_of_day)) / second_of_day; }

Var by_id(const Embedding& table, std::vector<int32_t> ids) { return table(Ids(std::move(ids))); }

}  // namespace

Side::Side(const ModelSettings& s, const Vocabulary& v, Rng rng) : classes(v.classes) {
  const auto wanted = [&](const char* part) { return s.side == part || s.side == "all"; };
  if (wanted("user")) user.emplace(v.user_attributes, s.dim, rng.split("user"), side_std);
  if (wanted("u2i")) u2i.emplace(numbers_of_class * std::ssize(classes), s.dim, rng.split("u2i"));
  if (!wanted("context")) return;
  hour.emplace(hours_of_day, s.dim, rng.split("hour"), side_std);
  weekday.emplace(days_of_week, s.dim, rng.split("weekday"), side_std);
  gap.emplace(gap_classes, s.dim, rng.split("gap"), side_std);
}

std::optional<Side> make_side(const ModelSettings& s, const Vocabulary& v, Rng rng) {
  if (s.side == "none") return std::nullopt;
  return Side(s, v, rng);
}

int64_t moment_of(const Dataset& data, const Target& t) {
  if (t.time) return *t.time;
  const auto times = data.user_times(t.user);
  if (times.empty()) return 0;
  return times[std::min(static_cast<std::size_t>(t.position), times.size() - 1)];
}

Tensor u2i_features(const Dataset& data, const Batch& batch, const std::vector<std::vector<int32_t>>& classes) {
  struct Met {
    int64_t count = 0;
    int32_t last = 0;
  };
  const int64_t candidates = batch.candidates(), width = numbers_of_class * std::ssize(classes);
  Tensor out = Tensor::zeros({batch.size(), candidates, width});
  real* y = out.write();
  for (int64_t b = 0; b < batch.size(); ++b) {
    const Target& t = batch.rows[static_cast<std::size_t>(b)];
    const auto items = data.user_items(t.user);
    const auto times = data.user_times(t.user);
    const int64_t now = moment_of(data, t);
    for (std::size_t c = 0; c < classes.size(); ++c) {
      const auto class_of = [&](int32_t item) { return classes[c].at(static_cast<std::size_t>(item)); };
      std::unordered_map<int32_t, Met> met;
      for (int32_t p = 0; p < t.position; ++p) {
        Met& m = met[class_of(items[static_cast<std::size_t>(p)])];
        ++m.count;
        m.last = p;
      }
      for (int64_t i = 0; i < candidates; ++i) {
        const int32_t item = batch.items[static_cast<std::size_t>(batch.targets.item[b * candidates + i])];
        const auto found = met.find(class_of(item));
        if (class_of(item) == 0 || found == met.end()) continue;
        const double seconds =
            static_cast<double>(std::max<int64_t>(0, now - times[static_cast<std::size_t>(found->second.last)])) /
            static_cast<double>(microseconds);
        real* x = y + (b * candidates + i) * width + static_cast<int64_t>(c) * numbers_of_class;
        x[0] = 1;
        x[1] = static_cast<real>(std::log1p(static_cast<double>(found->second.count)));
        x[2] = static_cast<real>(std::log1p(seconds) / scale_of_seconds);
        x[3] =
            static_cast<real>(std::log1p(static_cast<double>(t.position - found->second.last)) / scale_of_behaviours);
      }
    }
  }
  return out;
}

Var Side::operator()(const Dataset& data, const Batch& batch) const {
  const int64_t candidates = batch.candidates();
  std::vector<Var> parts;
  if (user) {
    std::vector<int32_t> ids, start{0};
    for (const Target& t : batch.rows) {
      const auto own = data.user_attributes(t.user);
      ids.insert(ids.end(), own.begin(), own.end());
      start.push_back(static_cast<int32_t>(ids.size()));
    }
    parts.push_back(repeat_targets(user->bag(Ids(std::move(ids)), Ids(std::move(start))), candidates));
  }
  if (u2i) parts.push_back((*u2i)(u2i_features(data, batch, classes)));
  if (hour) {
    std::vector<int32_t> by_hour, by_weekday, by_gap;
    for (const Target& t : batch.rows) {
      const int64_t now = moment_of(data, t);
      const auto times = data.user_times(t.user);
      const int64_t last = t.position > 0 ? times[static_cast<std::size_t>(t.position) - 1] : now;
      const int64_t second = (now - positive_modulo(now, microseconds)) / microseconds;
      by_hour.push_back(static_cast<int32_t>(positive_modulo(second, second_of_day) / second_of_hour));
      by_weekday.push_back(static_cast<int32_t>(positive_modulo(day_of(second) + first_weekday, days_of_week)));
      const int64_t passed = std::max<int64_t>(0, now - last) / microseconds;
      by_gap.push_back(
          static_cast<int32_t>(std::min<int64_t>(gap_classes - 1, std::bit_width(static_cast<uint64_t>(passed)))));
    }
    parts.push_back(repeat_targets(
        by_id(*hour, std::move(by_hour)) + by_id(*weekday, std::move(by_weekday)) + by_id(*gap, std::move(by_gap)),
        candidates));
  }
  return concat(parts, -1);
}

}  // namespace seminar::inline SEMINAR_PRECISION
