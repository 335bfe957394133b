#include "tensor/io/text.h"

#include <algorithm>

namespace seminar {
namespace {

constexpr int max_shown = 60;

// Bytes of the UTF-8 character at the start of `text` (not empty), 0 if malformed (Unicode 15, table 3-7).
std::size_t character_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned c = byte(0);
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c <= 0xdf) return follows(1) ? 2 : 0;
  if (c >= 0xe0 && c <= 0xef) return follows(1, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf) && follows(2) ? 3 : 0;
  if (c >= 0xf0 && c <= 0xf4)
    return follows(1, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf) && follows(2) && follows(3) ? 4 : 0;
  return 0;
}

// True if the character of `size` bytes at the start of `text` is a control character; C1 controls (U+0080 to U+009F)
// steer terminals just as the ASCII ones do.
bool control(std::string_view text, std::size_t size) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  return byte(0) < 0x20 || byte(0) == 0x7f || (size == 2 && byte(0) == 0xc2 && byte(1) < 0xa0);
}

}  // namespace

bool valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

bool printable(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    if (size == 0 || control(text, size)) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string shown(std::string_view value) {
  std::string out = "'";
  for (int characters = 0; !value.empty(); ++characters) {
    if (characters == max_shown) return out + "...'";
    const std::size_t size = character_size(value);
    if (size == 0 || control(value, size)) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(value[size == 2 ? 1 : 0]));
    } else {
      out += value.substr(0, size);
    }
    value.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out + "'";
}

}  // namespace seminar
