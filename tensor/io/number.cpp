#include "tensor/io/number.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "tensor/io/text.h"

namespace seminar {
namespace {

// A number as it is written: ± digits · 10^exponent, without zeros at either end of the digits.
struct Decimal {
  bool negative = false;
  std::string digits;
  int64_t exponent = 0;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes the digits at the start of `text`.
std::string_view take_digits(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && is_digit(text[n])) ++n;
  const std::string_view taken = text.substr(0, n);
  text.remove_prefix(n);
  return taken;
}

// Takes a sign; true if it is a minus.
bool take_sign(std::string_view& text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  return negative;
}

// [sign] digits [. digits] [e [sign] digits], nothing else.
std::optional<Decimal> parse(std::string_view text) {
  Decimal d;
  d.negative = take_sign(text);
  d.digits = take_digits(text);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    const std::string_view fraction = take_digits(text);
    d.digits += fraction;
    d.exponent = -std::ssize(fraction);
  }
  if (d.digits.empty()) return std::nullopt;
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    const bool negative = take_sign(text);
    const std::string_view power = take_digits(text);
    constexpr std::size_t longest = 9;
    if (power.empty() || power.size() > longest) return std::nullopt;
    int64_t value = 0;
    for (const char c : power) value = 10 * value + (c - '0');
    d.exponent += negative ? -value : value;
  }
  if (!text.empty()) return std::nullopt;
  d.digits.erase(0, std::min(d.digits.find_first_not_of('0'), d.digits.size()));
  while (d.digits.ends_with('0')) {
    d.digits.pop_back();
    ++d.exponent;
  }
  return d;
}

// Nothing if it is too large.
std::optional<int64_t> whole_value(const Decimal& d) {
  if (d.digits.empty()) return 0;
  constexpr int64_t most_digits = 19;
  if (std::ssize(d.digits) + d.exponent > most_digits) return std::nullopt;
  int64_t value = 0;
  for (const char c : d.digits + std::string(static_cast<std::size_t>(d.exponent), '0')) {
    const int64_t digit = d.negative ? '0' - c : c - '0';
    if (__builtin_mul_overflow(value, int64_t{10}, &value) || __builtin_add_overflow(value, digit, &value))
      return std::nullopt;
  }
  return value;
}

template <class T>
[[noreturn]] void fail_range(std::string_view text, std::string_view name, T low, T high) {
  if (high == std::numeric_limits<T>::max() && low > std::numeric_limits<T>::lowest())
    fail("{}: must be {} or more: {}", name, low, text);
  fail("{}: must be from {} to {}: {}", name, low, high, text);
}

}  // namespace

int64_t whole_number(std::string_view text, std::string_view name, int64_t low, int64_t high) {
  const std::optional<Decimal> d = parse(text);
  check(d && (d->digits.empty() || d->exponent >= 0), "{}: must be a whole number: {}", name, shown(text));
  const std::optional<int64_t> value = whole_value(*d);
  if (!value || *value < low || *value > high) fail_range(text.substr(0, 40), name, low, high);
  return *value;
}

double decimal_number(std::string_view text, std::string_view name, double low, double high) {
  check(parse(text).has_value(), "{}: must be a number: {}", name, shown(text));
  const std::string_view unsigned_part = text.substr(text.starts_with('+') ? 1 : 0);
  double value = 0;
  const auto [end, code] = std::from_chars(unsigned_part.data(), unsigned_part.data() + unsigned_part.size(), value);
  check(code == std::errc(), "{}: too large or too small for a number: {}", name, shown(text));
  if (value < low || value > high) fail_range(text.substr(0, 40), name, low, high);
  return value;
}

int64_t byte_count(std::string_view text, std::string_view name) {
  const std::size_t end = text.find_last_of("0123456789.") + 1;  // 0 if there is none
  std::string unit;
  for (const char c : text.substr(end))
    if (c != ' ') unit += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  if (unit.size() > 1 && unit.ends_with('b')) unit.pop_back();
  if (unit.size() > 1 && unit.ends_with('i')) unit.pop_back();
  const std::string_view units = "bkmgt";
  const std::size_t power = unit.empty() ? 0 : units.find(unit);
  check(end > 0 && power != std::string_view::npos, "{}: must be a size such as 800M or 2G: {}", name, shown(text));
  const double unit_bytes = std::pow(1024.0, static_cast<double>(power));
  constexpr double most = 1ull << 62;
  return static_cast<int64_t>(decimal_number(text.substr(0, end), name, 0, most / unit_bytes) * unit_bytes);
}

}  // namespace seminar
