// The one strict reader of JSON. It takes RFC 8259 at its word where the parser behind it is lenient.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace seminar {

/// The value that `text` holds. Throws Error `where: …` for anything else than one value in valid JSON: a NUL byte,
/// bytes behind the value, a key twice in an object, more than `max_depth` levels, a number that a double cannot hold.
nlohmann::json parse_json(std::string_view text, const std::string& where, int max_depth = 64);
/// The same with the members of objects in the order of the text.
nlohmann::ordered_json parse_ordered_json(std::string_view text, const std::string& where, int max_depth = 64);

/// A JSON number by the rule of number.h: 1.0 and 1e3 are whole. Throws Error `name: must be …: value`.
int64_t json_whole(const nlohmann::json& value, std::string_view name,
                   int64_t low = std::numeric_limits<int64_t>::lowest(),
                   int64_t high = std::numeric_limits<int64_t>::max());
double json_decimal(const nlohmann::json& value, std::string_view name,
                    double low = std::numeric_limits<double>::lowest(),
                    double high = std::numeric_limits<double>::max());

}  // namespace seminar
