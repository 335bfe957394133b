#include "seminar/data/text.h"

#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iterator>
#include <map>
#include <sstream>

namespace seminar {
namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool ascii_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool ascii_digit(char c) { return c >= '0' && c <= '9'; }
bool ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

enum class Part { word, gap, nothing };

Part part_of(int32_t c) {
  constexpr int32_t zero_width_space = 0x200b, first_pictograph = 0x2190;
  if (c < 0) return Part::word;
  if (c < 0x80) return ascii_letter(static_cast<char>(c)) || ascii_digit(static_cast<char>(c)) ? Part::word : Part::gap;
  if (c == zero_width_space) return Part::gap;
  const utf8proc_property_t& property = *utf8proc_get_property(c);
  if (property.ignorable) return Part::nothing;
  switch (property.category) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:  // newer than our tables
      return Part::word;
    case UTF8PROC_CATEGORY_SO:
      return c >= first_pictograph ? Part::word : Part::gap;
    default:
      return Part::gap;
  }
}

int32_t lower(int32_t c) {
  constexpr int32_t dotted_i = 0x130, final_sigma = 0x3c2, sigma = 0x3c3;
  return c == dotted_i ? 'i' : c == final_sigma ? sigma : utf8proc_tolower(c);
}

// Windows-1252 from 0x80 to 0x9f; its five gaps keep their control character.
constexpr int32_t windows_1252[] = {0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021,
                                    0x2c6,  0x2030, 0x160,  0x2039, 0x152,  0x8d,   0x17d,  0x8f,
                                    0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                    0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178};

int32_t from_byte(int32_t byte) { return byte >= 0x80 && byte < 0xa0 ? windows_1252[byte - 0x80] : byte; }

// The named characters of HTML 4. Those of Latin-1, from U+00A0 on, and the first of the others need no semicolon.
constexpr const char* latin_1_entities =
    "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 "
    "acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml "
    "Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde "
    "Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig "
    "ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide "
    "oslash ugrave uacute ucirc uuml yacute thorn yuml ";
struct Entity {
  const char* name;
  int32_t code;
};
constexpr Entity other_entities[] = {
    {"quot", 34},      {"amp", 38},      {"apos", 39},      {"lt", 60},       {"gt", 62},       {"OElig", 338},
    {"oelig", 339},    {"Scaron", 352},  {"scaron", 353},   {"Yuml", 376},    {"fnof", 402},    {"circ", 710},
    {"tilde", 732},    {"Alpha", 913},   {"Beta", 914},     {"Gamma", 915},   {"Delta", 916},   {"Epsilon", 917},
    {"Zeta", 918},     {"Eta", 919},     {"Theta", 920},    {"Iota", 921},    {"Kappa", 922},   {"Lambda", 923},
    {"Mu", 924},       {"Nu", 925},      {"Xi", 926},       {"Omicron", 927}, {"Pi", 928},      {"Rho", 929},
    {"Sigma", 931},    {"Tau", 932},     {"Upsilon", 933},  {"Phi", 934},     {"Chi", 935},     {"Psi", 936},
    {"Omega", 937},    {"alpha", 945},   {"beta", 946},     {"gamma", 947},   {"delta", 948},   {"epsilon", 949},
    {"zeta", 950},     {"eta", 951},     {"theta", 952},    {"iota", 953},    {"kappa", 954},   {"lambda", 955},
    {"mu", 956},       {"nu", 957},      {"xi", 958},       {"omicron", 959}, {"pi", 960},      {"rho", 961},
    {"sigmaf", 962},   {"sigma", 963},   {"tau", 964},      {"upsilon", 965}, {"phi", 966},     {"chi", 967},
    {"psi", 968},      {"omega", 969},   {"thetasym", 977}, {"upsih", 978},   {"piv", 982},     {"ensp", 8194},
    {"emsp", 8195},    {"thinsp", 8201}, {"zwnj", 8204},    {"zwj", 8205},    {"lrm", 8206},    {"rlm", 8207},
    {"ndash", 8211},   {"mdash", 8212},  {"lsquo", 8216},   {"rsquo", 8217},  {"sbquo", 8218},  {"ldquo", 8220},
    {"rdquo", 8221},   {"bdquo", 8222},  {"dagger", 8224},  {"Dagger", 8225}, {"bull", 8226},   {"hellip", 8230},
    {"permil", 8240},  {"prime", 8242},  {"Prime", 8243},   {"lsaquo", 8249}, {"rsaquo", 8250}, {"oline", 8254},
    {"frasl", 8260},   {"euro", 8364},   {"image", 8465},   {"weierp", 8472}, {"real", 8476},   {"trade", 8482},
    {"alefsym", 8501}, {"larr", 8592},   {"uarr", 8593},    {"rarr", 8594},   {"darr", 8595},   {"harr", 8596},
    {"crarr", 8629},   {"lArr", 8656},   {"uArr", 8657},    {"rArr", 8658},   {"dArr", 8659},   {"hArr", 8660},
    {"forall", 8704},  {"part", 8706},   {"exist", 8707},   {"empty", 8709},  {"nabla", 8711},  {"isin", 8712},
    {"notin", 8713},   {"ni", 8715},     {"prod", 8719},    {"sum", 8721},    {"minus", 8722},  {"lowast", 8727},
    {"radic", 8730},   {"prop", 8733},   {"infin", 8734},   {"ang", 8736},    {"and", 8743},    {"or", 8744},
    {"cap", 8745},     {"cup", 8746},    {"int", 8747},     {"there4", 8756}, {"sim", 8764},    {"cong", 8773},
    {"asymp", 8776},   {"ne", 8800},     {"equiv", 8801},   {"le", 8804},     {"ge", 8805},     {"sub", 8834},
    {"sup", 8835},     {"nsub", 8836},   {"sube", 8838},    {"supe", 8839},   {"oplus", 8853},  {"otimes", 8855},
    {"perp", 8869},    {"sdot", 8901},   {"lceil", 8968},   {"rceil", 8969},  {"lfloor", 8970}, {"rfloor", 8971},
    {"lang", 10216},   {"rang", 10217},  {"loz", 9674},     {"spades", 9824}, {"clubs", 9827},  {"hearts", 9829},
    {"diams", 9830}};

struct Entities {
  std::map<std::string, int32_t, std::less<>> all, bare;
  Entities() {
    std::istringstream names{latin_1_entities};
    int32_t code = 0xa0;
    for (std::string name; names >> name; ++code) bare[name] = code;
    for (const char* name : {"quot", "amp", "lt", "gt"})
      bare[name] = std::find_if(std::begin(other_entities), std::end(other_entities), [&](const Entity& e) {
                     return name == std::string_view(e.name);
                   })->code;
    all = bare;
    for (const Entity& e : other_entities) all[e.name] = e.code;
  }
};

// Decodes the entity at the start of `text` and returns how long it is; 0 if there is none.
std::size_t decode_entity(std::string_view text, std::string& out) {
  static const Entities entities;
  constexpr std::size_t longest_name = 8;
  if (text.size() > 2 && text[1] == '#') {
    const bool hex = text[2] == 'x' || text[2] == 'X';
    const char* begin = text.data() + (hex ? 3 : 2);
    uint32_t code = 0;
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), code, hex ? 16 : 10);
    if (end == begin) return 0;
    const bool bad = error != std::errc() || code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000);
    append_code_point(out, bad ? 0xfffd : from_byte(static_cast<int32_t>(code)));
    const std::size_t length = static_cast<std::size_t>(end - text.data());
    return length + (length < text.size() && text[length] == ';');
  }
  std::size_t length = 1;
  while (length < text.size() && length <= longest_name && (ascii_letter(text[length]) || ascii_digit(text[length])))
    ++length;
  if (length < text.size() && text[length] == ';')
    if (const auto it = entities.all.find(text.substr(1, length - 1)); it != entities.all.end()) {
      append_code_point(out, it->second);
      return length + 1;
    }
  for (; length > 2; --length)
    if (const auto it = entities.bare.find(text.substr(1, length - 1)); it != entities.bare.end()) {
      append_code_point(out, it->second);
      return length;
    }
  return 0;
}

// Elements that stand within a line of text.
constexpr std::string_view inline_elements[] = {
    "a",     "abbr", "acronym", "b",      "bdi", "bdo", "big",  "cite", "code", "data", "del",
    "dfn",   "em",   "font",    "i",      "ins", "kbd", "mark", "nobr", "q",    "s",    "samp",
    "small", "span", "strike",  "strong", "sub", "sup", "time", "tt",   "u",    "var",  "wbr"};

bool holds_no_text(std::string_view element) { return element == "script" || element == "style"; }

struct HtmlTag {
  std::string name;  // lower case; empty for comments and declarations
  bool closing = false;
  std::size_t size = 0;  // 0: not a tag
};

// The tag, comment or declaration at the start of `html`, by the states of the HTML standard's tokenizer. One that is
// never closed reaches to the end.
HtmlTag tag_at(std::string_view html) {
  const auto up_to = [&](std::string_view end, std::size_t from) {
    const std::size_t at = html.find(end, from);
    return at == html.npos ? html.size() : at + end.size();
  };
  HtmlTag tag;
  if (html.starts_with("<!--")) {
    tag.size = html.starts_with("<!-->") ? 5 : html.starts_with("<!--->") ? 6 : up_to("-->", 4);
    return tag;
  }
  if (html.starts_with("<!") || html.starts_with("<?")) {
    tag.size = up_to(">", 2);
    return tag;
  }
  tag.closing = html.starts_with("</");
  std::size_t at = tag.closing ? 2 : 1;
  if (at >= html.size()) return tag;
  if (!ascii_letter(html[at])) {
    if (tag.closing) tag.size = up_to(">", at);
    return tag;
  }
  while (at < html.size() && !ascii_space(html[at]) && html[at] != '/' && html[at] != '>')
    tag.name += ascii_lower(html[at++]);
  // Quotes count where a value begins, behind '='.
  char quote = 0, before = 0;
  for (; at < html.size(); ++at) {
    const char c = html[at];
    if (quote) {
      if (c == quote) quote = 0;
    } else if (c == '>') {
      break;
    } else if ((c == '"' || c == '\'') && before == '=') {
      quote = c;
    }
    if (!ascii_space(c)) before = c;
  }
  tag.size = std::min(at + 1, html.size());
  return tag;
}

// Where the element `name`, whose start tag ends at `from`, is closed.
std::size_t end_of_element(std::string_view html, std::string_view name, std::size_t from) {
  for (; (from = html.find("</", from)) != html.npos; from += 2) {
    const std::string_view found = html.substr(from + 2, name.size()), rest = html.substr(from + 2 + found.size());
    const bool same = std::equal(found.begin(), found.end(), name.begin(), name.end(),
                                 [](char a, char b) { return ascii_lower(a) == b; });
    if (same && (rest.empty() || ascii_space(rest[0]) || rest[0] == '/' || rest[0] == '>'))
      return from + tag_at(html.substr(from)).size;
  }
  return html.size();
}

std::string collapsed(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, next] = code_point(text, at);
    const bool space = c >= 0 && (c <= ' ' || (c >= 0x80 && utf8proc_category(c) == UTF8PROC_CATEGORY_ZS));
    if (!space)
      out += text.substr(at, next - at);
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
    at = next;
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

}  // namespace

std::pair<int32_t, std::size_t> code_point(std::string_view text, std::size_t at) {
  utf8proc_int32_t c = -1;
  const auto length = utf8proc_iterate(reinterpret_cast<const uint8_t*>(text.data()) + at,
                                       static_cast<utf8proc_ssize_t>(text.size() - at), &c);
  return length > 0 ? std::pair{c, at + static_cast<std::size_t>(length)} : std::pair{-1, at + 1};
}

void append_code_point(std::string& text, int32_t c) {
  uint8_t utf8[4];
  text.append(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(utf8proc_encode_char(c, utf8)));
}

std::string composed(std::string_view text) {
  if (is_ascii(text)) return std::string(text);
  std::string out(text);
  uint8_t* nfc = nullptr;
  if (const auto length =
          utf8proc_map(reinterpret_cast<const uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()), &nfc,
                       static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
      length >= 0)
    out.assign(reinterpret_cast<const char*>(nfc), static_cast<std::size_t>(length));
  std::free(nfc);
  return out;
}

std::vector<std::string> split_words(std::string_view text) {
  const std::string source = composed(text);
  std::vector<std::string> words;
  bool inside = false;
  for (std::size_t at = 0; at < source.size();) {
    const auto [c, next] = code_point(source, at);
    const Part part = part_of(c);
    if (part == Part::word) {
      if (!inside) words.emplace_back();
      if (c >= 0)
        append_code_point(words.back(), lower(c));
      else
        words.back() += source[at];
    }
    if (part != Part::nothing) inside = part == Part::word;
    at = next;
  }
  return words;
}

std::string plain_text(std::string_view html) {
  std::string text;
  for (std::size_t at = 0; at < html.size();) {
    if (html[at] == '<')
      if (const HtmlTag tag = tag_at(html.substr(at)); tag.size > 0) {
        at += tag.size;
        if (!tag.closing && holds_no_text(tag.name)) at = end_of_element(html, tag.name, at);
        const bool in_line =
            std::find(std::begin(inline_elements), std::end(inline_elements), tag.name) != std::end(inline_elements);
        if (!tag.name.empty() && !in_line) text += ' ';
        continue;
      }
    if (html[at] == '&')
      if (const std::size_t length = decode_entity(html.substr(at), text); length > 0) {
        at += length;
        continue;
      }
    text += html[at++];
  }
  return collapsed(text);
}

std::string from_windows_1252(std::string_view text) {
  std::string out;
  for (const char c : text) append_code_point(out, from_byte(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace seminar
