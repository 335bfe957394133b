// Texts that people wrote: words of any script, text without mark-up, old encodings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace seminar {

/// The code point at `at` and where the next one begins; a byte that is not UTF-8 is a code point of its own, -1.
std::pair<int32_t, std::size_t> code_point(std::string_view text, std::size_t at);
/// Adds a code point as UTF-8.
void append_code_point(std::string& text, int32_t c);
/// Unicode's composed form (NFC); a text that is not UTF-8 stays as it is.
std::string composed(std::string_view text);

/// The words of a text: runs of letters, marks, digits and pictographs in NFC and lower case. White space, punctuation
/// and currency signs stand between words; invisible characters (soft hyphens, joiners, direction marks) are left out.
/// Case is folded by code point: the Turkish İ becomes i, the final ς becomes σ, ß and ı stay.
std::vector<std::string> split_words(std::string_view text);

/// The text of a piece of HTML as browsers show it, white space collapsed: tags, comments, scripts and styles are taken
/// out, entities decoded once. A '<' that begins no tag is text. Elements within a line leave no space, others do.
std::string plain_text(std::string_view html);

/// UTF-8 of a text in Windows-1252, which is Latin-1 with letters and quotes where that has control characters.
std::string from_windows_1252(std::string_view text);

}  // namespace seminar
