// Numbers that people and files write. The command line, TOML files and JSON are read by these two functions.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace seminar {

/// The whole number that `text` writes in decimal. "10", "010", "+10", "10.0" and "1e1" are 10; there is no octal and
/// no hexadecimal. Throws Error `name: must be …: text` for another text, for a fraction, and for a number that is not
/// from `low` to `high`.
int64_t whole_number(std::string_view text, std::string_view name, int64_t low = std::numeric_limits<int64_t>::lowest(),
                     int64_t high = std::numeric_limits<int64_t>::max());

/// The same for a number that may have a fraction. NaN, infinities and numbers that a double cannot hold are refused.
double decimal_number(std::string_view text, std::string_view name, double low = std::numeric_limits<double>::lowest(),
                      double high = std::numeric_limits<double>::max());

/// A number of bytes with an optional unit of 1024, 1024² or 1024³ bytes: "800M", "2G", "1.5 GiB", "64kb", "4096".
int64_t byte_count(std::string_view text, std::string_view name);

}  // namespace seminar
