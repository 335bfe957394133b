#include "seminar/data/time.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

namespace seminar {
namespace {

constexpr int most_digits = 18;

bool digit(char c) { return c >= '0' && c <= '9'; }

// Takes a whole number of exactly `count` digits from the front of `text`.
bool take(std::string_view& text, std::size_t count, int64_t& value) {
  if (text.size() < count || !std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(count), digit))
    return false;
  std::from_chars(text.data(), text.data() + count, value);
  text.remove_prefix(count);
  return true;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// Z, or hours and minutes east of Greenwich, in seconds.
std::optional<int64_t> parse_offset(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z" || text == " UTC") return 0;
  const bool west = text.starts_with('-');
  if (!take(text, '+') && !take(text, '-')) return {};
  int64_t hours = 0, minutes = 0;
  if (!take(text, 2, hours)) return {};
  take(text, ':');
  if ((!text.empty() && !take(text, 2, minutes)) || !text.empty() || hours > 14 || minutes > 59) return {};
  return (west ? -1 : 1) * (hours * 3600 + minutes * 60);
}

// Takes one or two digits.
bool take_short(std::string_view& text, int64_t& value) { return take(text, 2, value) || take(text, 1, value); }

// Year, month and day in the order of the unit.
bool take_day(std::string_view& text, TimeUnit unit, int64_t& year, int64_t& month, int64_t& day) {
  const auto separator = [&](std::string_view allowed) {
    const char c = text.empty() ? '\0' : text[0];
    return allowed.find(c) != allowed.npos && take(text, c) ? c : '\0';
  };
  if (unit == TimeUnit::date) {
    if (!take(text, 4, year)) return false;
    const char between = separator("-/");
    return between && take(text, 2, month) && take(text, between) && take(text, 2, day);
  }
  int64_t &first = unit == TimeUnit::day_first ? day : month, &second = unit == TimeUnit::day_first ? month : day;
  if (!take_short(text, first)) return false;
  const char between = separator("./-");
  return between && take_short(text, second) && take(text, between) && take(text, 4, year);
}

// What stands behind the day, in microseconds; takes all of `text` but an offset.
std::optional<int64_t> take_clock(std::string_view& text) {
  if (!take(text, 'T') && !take(text, ' ') && !take(text, 't')) return 0;
  int64_t hour = 0, minute = 0, second = 0, fraction = 0;
  if (!take_short(text, hour) || !take(text, ':') || !take(text, 2, minute)) return {};
  if (take(text, ':') && !take(text, 2, second)) return {};
  if (take(text, '.') || take(text, ',')) {
    int64_t place = us_per_second / 10;
    if (text.empty() || !digit(text[0])) return {};
    for (; !text.empty() && digit(text[0]); text.remove_prefix(1), place /= 10) fraction += place * (text[0] - '0');
  }
  const bool before_noon = text == " AM" || text == " am", after_noon = text == " PM" || text == " pm";
  if (before_noon || after_noon) {
    if (hour < 1 || hour > 12) return {};
    hour = hour % 12 + (after_noon ? 12 : 0);
    text = {};
  }
  if (hour > 23 || minute > 59 || second > 60) return {};
  return (hour * 3600 + minute * 60 + second) * us_per_second + fraction;
}

std::optional<int64_t> parse_date(std::string_view text, TimeUnit unit) {
  int64_t year = 0, month = 0, day = 0;
  if (!take_day(text, unit, year, month, day)) return {};
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return {};
  const auto clock = take_clock(text);
  const auto offset = parse_offset(text);
  if (!clock || !offset) return {};
  return (std::chrono::sys_days(date).time_since_epoch().count() * int64_t{86400} - *offset) * us_per_second + *clock;
}

// Powers of ten that make microseconds of a unit.
int power_of(TimeUnit unit) {
  return unit == TimeUnit::seconds ? 6 : unit == TimeUnit::milliseconds ? 3 : unit == TimeUnit::nanoseconds ? -3 : 0;
}

// digits · 10^power, cut to a whole number; empty if it does not fit.
std::optional<int64_t> scaled(uint64_t digits, int power) {
  constexpr uint64_t limit = INT64_MAX;
  for (; power > 0 && digits != 0; --power) {
    if (digits > limit / 10) return {};
    digits *= 10;
  }
  for (; power < 0 && digits != 0; ++power) digits /= 10;
  if (digits > limit) return {};
  return static_cast<int64_t>(digits);
}

}  // namespace

const char* name_of(TimeUnit unit) {
  constexpr const char* names[] = {"seconds",
                                   "milliseconds",
                                   "microseconds",
                                   "nanoseconds",
                                   "ISO 8601 dates",
                                   "dates with the day first",
                                   "dates with the month first"};
  return names[static_cast<int>(unit)];
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal number;
  number.negative = take(text, '-');
  bool point = false, any = false;
  int kept = 0;
  for (; !text.empty() && (digit(text[0]) || (text[0] == '.' && !point)); text.remove_prefix(1)) {
    if (text[0] == '.') {
      point = true;
      continue;
    }
    any = true;
    const bool keep = kept < most_digits;
    if (keep) number.digits = number.digits * 10 + static_cast<uint64_t>(text[0] - '0');
    kept += keep && number.digits != 0;
    number.exponent += (keep ? 0 : 1) - (point ? 1 : 0);
  }
  if (!any) return {};
  if (take(text, 'e') || take(text, 'E')) {
    take(text, '+');
    int power = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), power);
    if (code != std::errc() || power < -1000 || power > 1000) return {};
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    number.exponent += power;
  }
  if (!text.empty()) return {};
  return number;
}

std::optional<int64_t> parse_time(std::string_view text, TimeUnit unit) {
  if (unit >= TimeUnit::date) return parse_date(text, unit);
  const auto number = parse_decimal(text);
  if (!number) return {};
  const auto time = scaled(number->digits, number->exponent + power_of(unit));
  if (!time) return {};
  return number->negative ? -*time : *time;
}

std::string shown_time(int64_t us) {
  const int64_t days = (us < 0 ? us - 86400 * us_per_second + 1 : us) / (86400 * us_per_second),
                rest = us - days * 86400 * us_per_second, seconds = rest / us_per_second,
                fraction = rest % us_per_second;
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(days))};
  std::string text = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), seconds / 3600,
                                 seconds / 60 % 60, seconds % 60);
  if (fraction == 0) return text;
  text += fmt::format(".{:06}", fraction);
  return text.substr(0, text.find_last_not_of('0') + 1);
}

std::optional<TimeUnit> time_unit(std::string_view text) {
  const auto number = parse_decimal(text);
  if (!number) return parse_date(text, TimeUnit::date) ? std::optional(TimeUnit::date) : std::nullopt;
  // The first three months of 1973 are 10^8 s: a number from there on, times 1,000 for each finer unit, is of that
  // unit.
  TimeUnit unit = TimeUnit::seconds;
  for (const TimeUnit finer : {TimeUnit::milliseconds, TimeUnit::microseconds, TimeUnit::nanoseconds}) {
    const auto value = scaled(number->digits, number->exponent + power_of(finer) - 6);  // in seconds
    if (!value || *value >= 100'000'000) unit = finer;
  }
  return unit;
}

}  // namespace seminar
