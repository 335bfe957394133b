#include "seminar/data/tokenizer.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <queue>
#include <set>

#include "seminar/data/line_reader.h"
#include "seminar/data/text.h"
#include "tensor/error.h"

namespace seminar {
namespace {

constexpr int64_t clip_merges = 49152 - 256 - 2;
constexpr int64_t max_tokens = 1 << 20;
constexpr std::size_t max_merges_bytes = std::size_t{1} << 26;
constexpr std::string_view word_end = "</w>";
constexpr std::string_view header = "#version: seminar bytes";

// GPT-2's printable spelling of bytes, which merges files use: printable Latin-1 stands for itself, the other bytes for
// U+0100 and up. Ids of the byte tokens follow this order.
struct ByteSpelling {
  std::array<uint8_t, 256> order;       // byte of each id
  std::array<std::string, 256> text;    // by byte
  std::map<std::string, uint8_t> byte;  // by text
  std::array<int32_t, 256> id;          // by byte
  ByteSpelling() {
    const auto printable = [](int b) { return (b >= 33 && b <= 126) || (b >= 161 && b != 173); };
    std::size_t n = 0;
    for (int b = 0; b < 256; ++b)
      if (printable(b)) add(n++, static_cast<uint8_t>(b), b);
    for (int b = 0, next = 256; b < 256; ++b)
      if (!printable(b)) add(n++, static_cast<uint8_t>(b), next++);
  }

 private:
  void add(std::size_t n, uint8_t b, int32_t codepoint) {
    uint8_t utf8[4];
    const auto length = utf8proc_encode_char(codepoint, utf8);
    order[n] = b;
    id[b] = static_cast<int32_t>(n);
    text[b].assign(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(length));
    byte[text[b]] = b;
  }
};

const ByteSpelling& spelling_of_bytes() {
  static const ByteSpelling table;
  return table;
}

uint64_t pair_key(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

enum class Class { space, letter, digit, other };

Class unicode_class(int32_t c) {
  if (c < 0) return Class::other;
  if ((c >= 9 && c <= 13) || (c >= 28 && c <= 31) || c == 0x85) return Class::space;
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return Class::space;
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return Class::letter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return Class::digit;
    default:
      return Class::other;
  }
}

Class byte_class(char ch) {
  const auto c = static_cast<unsigned char>(ch);
  if (c == ' ' || (c >= 9 && c <= 13)) return Class::space;
  if (c >= 0x80 || (c | 0x20u) - 'a' < 26u) return Class::letter;
  return c >= '0' && c <= '9' ? Class::digit : Class::other;
}

// NFC and lower case; bytes that are not UTF-8 stay. Python's special cases (final sigma, dotted I) are not repeated.
std::string normalised(std::string_view text) {
  const std::string source = composed(text);
  std::string out;
  for (std::size_t at = 0; at < source.size();) {
    const auto [c, next] = code_point(source, at);
    if (c < 0)
      out += source[at];
    else
      append_code_point(out, utf8proc_tolower(c));
    at = next;
  }
  return out;
}

// CLIP's words: contractions, runs of letters, single digits, runs of anything else that is not white space.
std::vector<std::string_view> clip_words(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, next] = code_point(text, at);
    const Class kind = unicode_class(c);
    std::size_t end = next;
    for (const std::string_view suffix : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"})
      if (text.substr(at).starts_with(suffix)) end = at + suffix.size();
    if (end == next && (kind == Class::letter || kind == Class::other))
      while (end < text.size()) {
        const auto [d, after] = code_point(text, end);
        if (unicode_class(d) != kind) break;
        end = after;
      }
    if (kind != Class::space) words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

// Runs of letters, of digits, of white space and of anything else, each with the one space before it; together they
// are the text.
std::vector<std::string_view> byte_words(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t first = at;
    if (text[at] == ' ' && at + 1 < text.size() && byte_class(text[at + 1]) != Class::space) ++first;
    const Class kind = byte_class(text[first]);
    std::size_t end = first + 1;
    while (end < text.size() && byte_class(text[end]) == kind) ++end;
    // The last space of a run belongs to the word behind it.
    if (kind == Class::space && end < text.size() && end - first > 1 && text[end - 1] == ' ') --end;
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

}  // namespace

Tokenizer::Tokenizer(Kind kind) : kind_(kind) {
  for (int round = 0; round < (kind == Kind::clip ? 2 : 1); ++round)
    for (const uint8_t b : spelling_of_bytes().order) bytes_.emplace_back(1, static_cast<char>(b));
}

int32_t Tokenizer::add_merge(int32_t left, int32_t right) {
  const int32_t token = static_cast<int32_t>(bytes_.size());
  if (!merged_.emplace(pair_key(left, right), token).second) return -1;
  bytes_.push_back(bytes_[left] + bytes_[right]);
  merges_.emplace_back(left, right);
  return token;
}

Tokenizer Tokenizer::train(const std::map<std::string, int64_t>& words, int64_t size) {
  check(size >= 258 && size <= max_tokens, "tokenizer: vocabulary must be 258 to {}: {}", max_tokens, size);
  Tokenizer t(Kind::bytes);
  struct Word {
    std::vector<int32_t> tokens;
    int64_t count;
  };
  struct Pair {
    int64_t count = 0;
    std::set<std::size_t> words;  // that may hold it
  };
  std::vector<Word> corpus;
  std::map<std::pair<int32_t, int32_t>, Pair> pairs;
  using Candidate = std::tuple<int64_t, int32_t, int32_t>;  // count, -left, -right
  std::priority_queue<Candidate> best;
  for (const auto& [word, count] : words) {
    Word w{{}, count};
    for (const char c : word) w.tokens.push_back(spelling_of_bytes().id[static_cast<uint8_t>(c)]);
    for (std::size_t i = 0; i + 1 < w.tokens.size(); ++i) {
      Pair& p = pairs[{w.tokens[i], w.tokens[i + 1]}];
      p.count += count;
      p.words.insert(corpus.size());
    }
    corpus.push_back(std::move(w));
  }
  for (const auto& [pair, p] : pairs) best.emplace(p.count, -pair.first, -pair.second);
  while (t.size() < size && !best.empty()) {
    const auto [count, minus_left, minus_right] = best.top();
    best.pop();
    const std::pair<int32_t, int32_t> pair{-minus_left, -minus_right};
    const auto it = pairs.find(pair);
    if (it == pairs.end() || it->second.count != count) continue;  // counted anew since
    if (count < 2) break;
    const int32_t token = t.add_merge(pair.first, pair.second);
    std::set<std::pair<int32_t, int32_t>> changed;
    for (const std::size_t index : std::set<std::size_t>(it->second.words)) {
      Word& w = corpus[index];
      const auto count_pairs = [&](int64_t sign) {
        for (std::size_t i = 0; i + 1 < w.tokens.size(); ++i) {
          const std::pair<int32_t, int32_t> here{w.tokens[i], w.tokens[i + 1]};
          Pair& p = pairs[here];
          p.count += sign * w.count;
          if (sign > 0) p.words.insert(index);
          changed.insert(here);
        }
      };
      count_pairs(-1);
      std::vector<int32_t> merged;
      for (std::size_t i = 0; i < w.tokens.size(); ++i) {
        const bool here = i + 1 < w.tokens.size() && w.tokens[i] == pair.first && w.tokens[i + 1] == pair.second;
        merged.push_back(here ? token : w.tokens[i]);
        i += here ? 1 : 0;
      }
      w.tokens = std::move(merged);
      count_pairs(1);
    }
    for (const auto& p : changed) {
      const auto at = pairs.find(p);
      if (at->second.count > 0)
        best.emplace(at->second.count, -p.first, -p.second);
      else
        pairs.erase(at);
    }
  }
  return t;
}

Tokenizer Tokenizer::train(std::span<const std::string> texts, int64_t size) {
  std::map<std::string, int64_t> words;
  for (const std::string& text : texts)
    for (const std::string_view word : byte_words(text)) ++words[std::string(word)];
  return train(words, size);
}

Tokenizer Tokenizer::read(const std::string& path) {
  ReadPolicy policy;
  LineReader lines(path, policy);
  std::string text;
  while (lines.next()) {
    text.append(lines.line()) += '\n';
    check(text.size() <= max_merges_bytes, "{}: more than {} bytes: not a merges file", path, max_merges_bytes);
  }
  return from_text(text, path);
}

Tokenizer Tokenizer::from_text(std::string_view text, const std::string& where) {
  const std::size_t first = std::min(text.find('\n'), text.size());
  check(text.substr(0, first).find("#version") != std::string_view::npos, "{}:1: not a merges file: no '#version': {}",
        where, shown(text.substr(0, first)));
  Tokenizer t(text.substr(0, first) == header ? Kind::bytes : Kind::clip);
  const std::size_t limit = static_cast<std::size_t>(t.kind_ == Kind::clip ? clip_merges : max_tokens);
  std::unordered_map<std::string, int32_t> ids;
  for (int32_t id = 0; id < std::ssize(t.bytes_); ++id) ids[t.spelling(id)] = id;
  int64_t number = 1;
  for (std::size_t at = first + 1; at < text.size() && t.merges_.size() < limit;) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.empty()) continue;
    const std::size_t space = line.find(' ');
    check(space != std::string_view::npos && line.find(' ', space + 1) == std::string_view::npos,
          "{}:{}: must be two tokens with a space between them: {}", where, number, shown(line));
    const std::string left(line.substr(0, space)), right(line.substr(space + 1));
    for (const std::string& side : {left, right})
      check(ids.count(side) != 0, "{}:{}: no byte and no earlier merge: {}", where, number, shown(side));
    const int32_t token = t.add_merge(ids[left], ids[right]);
    check(token >= 0, "{}:{}: merged before: {}", where, number, shown(line));
    ids[left + right] = token;
  }
  return t;
}

// As merges files write it: the bytes' printable spelling, then </w> if the token ends a word.
std::string Tokenizer::spelling(int32_t token) const {
  std::string text;
  for (const char c : bytes_[token]) text += spelling_of_bytes().text[static_cast<uint8_t>(c)];
  int32_t last = token;
  while (last >= 512 || (kind_ == Kind::bytes && last >= 256))
    last = merges_[static_cast<std::size_t>(last - (kind_ == Kind::clip ? 512 : 256))].second;
  return kind_ == Kind::clip && last >= 256 ? text.append(word_end) : text;
}

std::string Tokenizer::text() const {
  std::string out = kind_ == Kind::bytes ? std::string(header) : "#version: clip";
  for (const auto& [left, right] : merges_) out += fmt::format("\n{} {}", spelling(left), spelling(right));
  return out + "\n";
}

std::vector<std::string_view> Tokenizer::split(std::string_view text) const {
  return kind_ == Kind::clip ? clip_words(text) : byte_words(text);
}

// The pair with the smallest id is merged first, the leftmost of equals: pairs wait in a heap, symbols stand in a list.
void Tokenizer::encode_word(std::string_view word, std::vector<int32_t>& out) const {
  const int32_t n = static_cast<int32_t>(word.size());
  std::vector<int32_t> token, next, before;
  for (int32_t i = 0; i < n; ++i) {
    token.push_back(spelling_of_bytes().id[static_cast<uint8_t>(word[i])]);
    next.push_back(i + 1);
    before.push_back(i - 1);
  }
  if (kind_ == Kind::clip) token[n - 1] += 256;
  using Waiting = std::pair<int32_t, int32_t>;  // merged token, place
  std::priority_queue<Waiting, std::vector<Waiting>, std::greater<>> heap;
  const auto offer = [&](int32_t at) {
    if (at < 0 || next[at] >= n) return;
    if (const auto it = merged_.find(pair_key(token[at], token[next[at]])); it != merged_.end())
      heap.emplace(it->second, at);
  };
  for (int32_t i = 0; i < n; ++i) offer(i);
  while (!heap.empty()) {
    const auto [id, at] = heap.top();
    heap.pop();
    if (token[at] < 0 || next[at] >= n) continue;
    const auto it = merged_.find(pair_key(token[at], token[next[at]]));
    if (it == merged_.end() || it->second != id) continue;
    const int32_t gone = next[at];
    token[at] = id;
    token[gone] = -1;
    next[at] = next[gone];
    if (next[at] < n) before[next[at]] = at;
    offer(before[at]);
    offer(at);
  }
  for (int32_t i = 0; i < n; i = next[i]) out.push_back(token[i]);
}

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<int32_t> out;
  const std::string lower = kind_ == Kind::clip ? normalised(text) : std::string();
  for (const std::string_view word : split(kind_ == Kind::clip ? std::string_view(lower) : text))
    encode_word(word, out);
  return out;
}

std::vector<int32_t> Tokenizer::encode_framed(std::string_view text, int64_t length) const {
  std::vector<int32_t> tokens = encode(text);
  tokens.resize(std::min(tokens.size(), static_cast<std::size_t>(std::max<int64_t>(0, length - 2))));
  tokens.insert(tokens.begin(), start());
  tokens.push_back(end());
  return tokens;
}

std::string Tokenizer::decode(std::span<const int32_t> tokens) const {
  std::string out;
  for (const int32_t token : tokens) {
    check(token >= 0 && token < size(), "tokenizer: token {} of {}", token, size());
    if (token >= start()) continue;
    out += bytes_[token];
    if (kind_ == Kind::clip && spelling(token).ends_with(word_end)) out += ' ';
  }
  return out;
}

}  // namespace seminar
