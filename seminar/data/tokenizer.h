// Byte-pair encoding (Sennrich et al. 2016) on bytes, so that any text, UTF-8 or not, becomes tokens. Two kinds:
//   bytes  trained here on a corpus; decode(encode(text)) is the text again
//   clip   CLIP's own, read from its merges file: lower case, white space collapsed, words end in </w>
// Token ids: 256 bytes (clip: and 256 bytes that end a word), one per merge, then start and end of a text.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace seminar {

class Tokenizer {
 public:
  enum class Kind { bytes, clip };

  /// Merges the most frequent pair of neighbours inside words until the vocabulary has `size` tokens (≥ 258) or no pair
  /// stands twice. `words` are the corpus's words with how often each occurs. Of equally frequent pairs the first in id
  /// order wins, so the result depends on the counts only.
  static Tokenizer train(const std::map<std::string, int64_t>& words, int64_t size);
  /// The same on whole texts, cut into words as encode() does.
  static Tokenizer train(std::span<const std::string> texts, int64_t size);
  /// Reads merges, plain or gzip: `a b` per line behind a line with `#version`, as CLIP (bpe_simple_vocab_16e6.txt.gz;
  /// its first 48,894 merges count) and Hugging Face (merges.txt) distribute them, or what text() returned. Throws
  /// Error naming path and line.
  static Tokenizer read(const std::string& path);
  /// From what text() returned; `where` is for messages.
  static Tokenizer from_text(std::string_view text, const std::string& where);
  /// The merges as lines of text, to be stored with a model.
  std::string text() const;

  Kind kind() const { return kind_; }
  /// Number of tokens with start and end.
  int64_t size() const { return std::ssize(bytes_) + 2; }
  int32_t start() const { return static_cast<int32_t>(size()) - 2; }
  int32_t end() const { return static_cast<int32_t>(size()) - 1; }

  /// Tokens of a text, without start and end. Time n log n in the length of the longest word.
  std::vector<int32_t> encode(std::string_view text) const;
  /// start, at most `length` - 2 tokens, end: what CLIP's text tower reads.
  std::vector<int32_t> encode_framed(std::string_view text, int64_t length) const;
  /// The text of tokens; start and end give nothing. With kind clip, words are followed by a space.
  std::string decode(std::span<const int32_t> tokens) const;

 private:
  explicit Tokenizer(Kind kind);
  int32_t add_merge(int32_t left, int32_t right);
  void encode_word(std::string_view word, std::vector<int32_t>& out) const;
  std::vector<std::string_view> split(std::string_view text) const;
  std::string spelling(int32_t token) const;

  Kind kind_;
  std::vector<std::string> bytes_;                   // of each token
  std::vector<std::pair<int32_t, int32_t>> merges_;  // in the order of their ids
  std::unordered_map<uint64_t, int32_t> merged_;     // (left, right) -> token
};

}  // namespace seminar
