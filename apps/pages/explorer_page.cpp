#include "apps/pages/explorer_page.h"

#include <map>

#include "apps/pages/page_texts.h"

namespace seminar {
namespace {

// JSON that cannot end the script element it stands in.
std::string script_safe(const std::string& json) {
  std::string out;
  for (const char c : json)
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  return out;
}

// `page` with {{name}} replaced by parts[name].
std::string filled(std::string_view page, const std::map<std::string, std::string>& parts) {
  std::string out;
  for (std::size_t at; (at = page.find("{{")) != std::string_view::npos;) {
    const std::size_t end = page.find("}}", at);
    out += page.substr(0, at);
    out += parts.at(std::string(page.substr(at + 2, end - at - 2)));
    page.remove_prefix(end + 2);
  }
  return out.append(page);
}

}  // namespace

std::string base64(std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t three = 0;
    for (std::size_t j = 0; j < 3; ++j)
      three = three << 8 | (i + j < bytes.size() ? std::to_integer<uint32_t>(bytes[i + j]) : 0);
    for (std::size_t j = 0; j < 4; ++j) out += i + j <= bytes.size() ? digits[three >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

std::string explorer_page(const std::string& data, std::span<const std::byte> model, std::span<const std::byte> wasm) {
  const auto module = [](std::string_view source) {
    return "data:text/javascript;base64," + base64(std::as_bytes(std::span(source)));
  };
  return filled(explorer_html, {{"page.css", std::string(page_css)},
                                {"explorer.css", std::string(explorer_css)},
                                {"seminar.mjs", module(seminar_mjs)},
                                {"ranking.mjs", module(ranking_mjs)},
                                {"pictures.mjs", module(pictures_mjs)},
                                {"explorer.mjs", std::string(explorer_mjs)},
                                {"data", script_safe(data)},
                                {"model", base64(model)},
                                {"wasm", base64(wasm)}});
}

}  // namespace seminar
