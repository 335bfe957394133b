// Times as files write them, exactly: microseconds since 1970, UTC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace seminar {

constexpr int64_t us_per_second = 1'000'000;
/// The last time that is read (2106, when 32 bits of seconds end): what is later is in another unit.
constexpr int64_t last_time_us = (int64_t{1} << 32) * us_per_second - 1;

/// What a time is written in. Dates are ISO 8601, or have the year last and the day or the month first.
enum class TimeUnit { seconds, milliseconds, microseconds, nanoseconds, date, day_first, month_first };
const char* name_of(TimeUnit unit);

/// A decimal number as its digits say, without the rounding of floating point: digits · 10^exponent.
struct Decimal {
  bool negative = false;
  uint64_t digits = 0;
  int exponent = 0;
};
/// `[-]digits[.digits][e[±]digits]`; nothing else is one. Digits beyond the eighteenth are cut off.
std::optional<Decimal> parse_decimal(std::string_view text);

/// A time in the given unit; empty if the text is none or does not fit. Dates are a day (2023-05-22, 22.05.2023,
/// 5/22/2023), with or without a time behind 'T' or a space, fractions, AM or PM, and Z or an offset; without these it
/// is UTC.
std::optional<int64_t> parse_time(std::string_view text, TimeUnit unit);
/// As 2023-05-22 15:53:20, with a fraction if it has one.
std::string shown_time(int64_t us);
/// The unit that makes a time of our days of the text: an ISO date, or by the size of the number; empty for anything
/// else.
std::optional<TimeUnit> time_unit(std::string_view text);

}  // namespace seminar
