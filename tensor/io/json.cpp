#include "tensor/io/json.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "tensor/io/number.h"
#include "tensor/io/text.h"

namespace seminar {
namespace {

template <class Json>
Json parse(std::string_view text, const std::string& where, int max_depth) {
  // The parser takes a NUL for the end of the text.
  const std::size_t nul = text.find('\0');
  check(nul == std::string_view::npos, "{}: not valid JSON: a NUL at byte {}", where, nul + 1);
  std::vector<std::set<std::string>> keys;
  const auto on_event = [&](int depth, typename Json::parse_event_t event, Json& parsed) {
    using Event = typename Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      check(depth < max_depth, "{}: nested deeper than {} levels", where, max_depth);
      keys.emplace_back();
    }
    if (event == Event::object_end || event == Event::array_end) keys.pop_back();
    if (event == Event::key) {
      const bool first = keys.back().insert(parsed.template get_ref<const std::string&>()).second;
      check(first, "{}: key twice: {}", where,
            parsed.dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, 60));
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), on_event);
  } catch (const nlohmann::json::parse_error& e) {
    fail("{}: not valid JSON at byte {}", where, e.byte);
  } catch (const nlohmann::json::exception&) {
    fail("{}: not valid JSON: a number is too large", where);
  }
}

std::string number_text(const nlohmann::json& value, std::string_view name, const char* wanted) {
  check(value.is_number(), "{}: must be {}: {}", name, wanted,
        value.is_string() ? shown(value.get_ref<const std::string&>()) : std::string(value.type_name()));
  return value.dump();
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& where, int max_depth) {
  return parse<nlohmann::json>(text, where, max_depth);
}

nlohmann::ordered_json parse_ordered_json(std::string_view text, const std::string& where, int max_depth) {
  return parse<nlohmann::ordered_json>(text, where, max_depth);
}

int64_t json_whole(const nlohmann::json& value, std::string_view name, int64_t low, int64_t high) {
  return whole_number(number_text(value, name, "a whole number"), name, low, high);
}

double json_decimal(const nlohmann::json& value, std::string_view name, double low, double high) {
  return decimal_number(number_text(value, name, "a number"), name, low, high);
}

}  // namespace seminar
