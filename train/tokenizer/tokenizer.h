// Text to token ids and back: one token per byte, or per Unicode character.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace train {

enum class TokenizerKind { kByte, kChar };

/// "byte" or "char".
std::string_view tokenizer_name(TokenizerKind kind);

/// One text and what to call it in messages (its file).
struct Source {
  std::string_view text, name;
};

/// Returned by next_code_point for bytes that are not UTF-8.
inline constexpr char32_t kInvalidUtf8 = 0xFFFFFFFFu;

/// The code point at text[at], and moves `at` behind it. kInvalidUtf8 (and `at` unmoved) for a
/// stray or missing continuation byte, an overlong form, a surrogate, anything above U+10FFFF and a
/// sequence cut off by the end of the text. Source: RFC 3629, section 4. REQUIRES: at <
/// text.size().
char32_t next_code_point(std::string_view text, std::size_t& at);

/// A vocabulary: the sorted distinct symbols (bytes or code points) of the texts it was made from;
/// a symbol's id is its rank.
class Tokenizer {
 public:
  Tokenizer() = default;
  /// Error for text that is not UTF-8 with kChar, naming the source and the byte offset.
  Tokenizer(TokenizerKind kind, std::span<const Source> sources);

  TokenizerKind kind() const { return kind_; }
  std::int64_t vocab() const { return static_cast<std::int64_t>(pieces_.size()); }
  /// id -> the bytes it stands for, (V).
  const std::vector<std::string>& pieces() const { return pieces_; }

  /// Error for invalid UTF-8 (kChar) and for a symbol that is not in the vocabulary; both name the
  /// source and the byte offset.
  std::vector<std::int32_t> encode(std::string_view text,
                                   std::string_view source = "the text") const;
  /// Error for an id outside [0, V).
  std::string decode(std::span<const std::int32_t> ids) const;

 private:
  char32_t next_symbol(const Source& source, std::size_t& at) const;

  TokenizerKind kind_ = TokenizerKind::kByte;
  std::vector<std::string> pieces_;
  std::vector<std::int32_t> ids_;  // symbol -> id, -1: not in the vocabulary
};

}  // namespace train
