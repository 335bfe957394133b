#include "seminar/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "tensor/error.h"
#include "tensor/io/json.h"

namespace seminar {
namespace {

template <class S>
std::string to_json(S& settings) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  settings.visit([&](const SettingInfo& s, auto& value) { json[s.name] = value; });
  return json.dump();
}

template <class S>
S from_json(const std::string& text, const std::string& where) {
  const nlohmann::json json = parse_json(text, where + ": settings");
  check(json.is_object(), "{}: settings are not a JSON object", where);
  S settings;
  std::size_t found = 0;
  settings.visit([&](const SettingInfo& s, auto& value) {
    using T = std::remove_reference_t<decltype(value)>;
    const auto it = json.find(s.name);
    if (it == json.end()) return;
    const std::string name = fmt::format("{}: setting '{}'", where, s.name);
    if constexpr (std::is_same_v<T, std::string>) {
      check(it->is_string(), "{}: must be a text: {}", name, it->type_name());
      value = it->template get<std::string>();
    } else if constexpr (std::is_same_v<T, double>) {
      value = json_decimal(*it, name);
    } else {
      value = json_whole(*it, name);
    }
    ++found;
  });
  check(found == json.size(), "{}: {} unknown settings", where, json.size() - found);
  check_settings(settings);
  return settings;
}

}  // namespace

void check_range(const SettingInfo& s, double value) {
  check(value >= s.low && value <= s.high, "--{}: must be from {} to {}: {}", s.name, s.low, s.high, value);
}

void check_choice(const SettingInfo& s, const std::string& value) {
  check(std::find(s.choices.begin(), s.choices.end(), value) != s.choices.end(), "--{}: must be one of {}: '{}'",
        s.name, fmt::join(s.choices, ", "), value);
}

void check_settings(ModelSettings& settings) {
  check_ranges(settings);
  check(settings.dim % settings.text_heads == 0, "--text-heads: must divide --dim {}: {}", settings.dim,
        settings.text_heads);
  check(settings.query != "transformer" || settings.text == "transformer",
        "--query transformer: needs --text transformer, whose encoder it shares: '{}'", settings.text);
}
void check_settings(RunSettings& settings) {
  check_ranges(settings);
  check(std::has_single_bit(static_cast<uint64_t>(settings.shards)), "--shards: must be a power of two: {}",
        settings.shards);
  check(settings.batch % settings.shards == 0, "--shards: must divide --batch {}: {}", settings.batch, settings.shards);
}
std::string settings_json(ModelSettings& settings) { return to_json(settings); }
std::string settings_json(RunSettings& settings) { return to_json(settings); }

ModelSettings model_settings_from_json(const std::string& text, const std::string& where) {
  return from_json<ModelSettings>(text, where);
}
RunSettings run_settings_from_json(const std::string& text, const std::string& where) {
  return from_json<RunSettings>(text, where);
}

}  // namespace seminar
