// Text to token ids and back.
//
// A kind of tokenizer is one class and one row in tokenizer.cpp.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace data {

using base::kInvalidUtf8;
using base::next_code_point;
using base::utf8;

/// A text that cannot be encoded: "SOURCE: PROBLEM at byte offset N; WAY OUT".
class BadText : public base::Error {
 public:
  BadText(std::string_view source, std::string what, std::size_t at, std::string otherwise)
      : Error(base::concat(source, ": ", what, " at byte offset ", at, otherwise)),
        problem(std::move(what)),
        way_out(std::move(otherwise)),
        offset(at) {}
  std::string problem, way_out;
  std::size_t offset;  // in the text that was read
};

/// Throws BadText: not UTF-8.
[[noreturn]] void refuse_utf8(std::string_view source, std::size_t offset);
/// Number of code points. Throws BadText if the text is not UTF-8.
std::size_t require_utf8(std::string_view text, std::string_view source);

/// A text and its name in messages (its file).
struct Source {
  std::string_view text, name;
};

/// Separates documents. One token for tokenizers that know it, plain text for others.
inline constexpr std::string_view kEndOfText = "<|endoftext|>";
/// The largest vocabulary that 32-bit ids count.
inline constexpr std::int64_t kMostIds = (std::int64_t{1} << 31) - 1;

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// Its kind: "char", "sp".
  virtual std::string_view name() const = 0;
  virtual std::int64_t vocab() const = 0;
  /// id -> the bytes it stands for, (V). Empty for the kind that knows ids only.
  virtual const std::vector<std::string>& pieces() const = 0;
  /// Contents of its file in the run's folder. Empty if the pieces say all.
  virtual std::string definition() const { return {}; }

  /// decode(encode(text)) == text. Error naming source and byte offset for text that is not UTF-8
  /// or has a symbol outside the vocabulary.
  virtual std::vector<std::int32_t> encode(std::string_view text,
                                           std::string_view source = "the text") const = 0;
  /// Error for an id outside [0, V), and for a tokenizer without pieces.
  std::string decode(std::span<const std::int32_t> ids) const;
};

using TokenizerPtr = std::shared_ptr<const Tokenizer>;

/// One token per Unicode character, or per byte. The vocabulary is the sorted distinct symbols of
/// the texts; a symbol's id is its rank. Error for text that is not UTF-8 with characters.
TokenizerPtr char_tokenizer(std::span<const Source> texts);
TokenizerPtr byte_tokenizer(std::span<const Source> texts);
/// Ids that came without a tokenizer: encode() and decode() throw base::Error.
TokenizerPtr number_tokenizer(std::int64_t vocab);

inline constexpr std::int64_t kLeastSubwords = 260, kMostSubwords = 1'000'000;
/// Trains a SentencePiece BPE model of `vocab` pieces and returns its bytes: 256 single bytes,
/// <|endoftext|>, characters, and merges within a line and a word. Nothing is normalized, so any
/// UTF-8 comes back unchanged. The same text gives the same bytes. Throws base::Error if the text
/// has too few or too many different characters.
std::string train_sentencepiece(std::string_view text, std::int64_t vocab, std::string_view source);
/// A tokenizer from the bytes of a .model, with the library's ids except for a prefix that the
/// model puts before every text. Throws base::Error naming `source` if it is not a model, or one
/// that cannot give back every text (no byte fallback).
TokenizerPtr sentencepiece_tokenizer(std::string model, const std::string& source);

/// What is left of a tokenizer in a run's folder.
struct KeptTokenizer {
  std::vector<std::string> pieces;  // if they say all
  std::string definition;           // if it has one
  std::int64_t vocab = 0;           // if it has neither
  std::string source;               // its name in messages
};

struct TokenizerKind {
  std::string_view name;
  std::string_view forms;  // what follows the name: ":VOCAB or :FILE.model"; empty: nothing
  std::string_view help;
  std::string_view file;  // in a run's folder, with its definition; empty: none
  /// Checks what follows the colon and gives its canonical spelling; throws base::Error.
  std::string (*canonical)(const std::string& argument);
  /// `texts`: those of the splits, training first. May read the file that the argument names.
  TokenizerPtr (*make)(const std::string& argument, std::span<const Source> texts);
  /// Trusts nothing: throws base::Error naming the source.
  TokenizerPtr (*restore)(const KeptTokenizer& kept);
  bool numbers = false;  // there is no text, only ids in files
};
std::span<const TokenizerKind> tokenizer_kinds();

/// The setting `tokenizer`: a kind, and its argument after a colon.
struct TokenizerChoice {
  const TokenizerKind* kind;
  std::string argument;
};
/// Throws base::Error for an unknown kind or a wrong argument.
TokenizerChoice parse_tokenizer(const std::string& text);
/// The one canonical spelling.
std::string canonical_tokenizer(const std::string& text);
/// "char, byte, sp:VOCAB or …", for help and errors.
std::string tokenizer_forms();
/// The file or folder that the setting names; empty if none.
std::string tokenizer_path(const std::string& text);
/// The same setting with its path absolute.
std::string absolute_tokenizer(const std::string& text);

}  // namespace data
