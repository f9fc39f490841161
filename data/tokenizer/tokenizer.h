// Text to token ids and back.
//
// A kind of tokenizer is one file with a class, and one row in kinds.cpp.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/utf8.h"

namespace data {

/// One text and what to call it in messages (its file).
struct Source {
  std::string_view text, name;
};

/// What stands between two documents. Of tokenizers that know it one token, of others just text.
inline constexpr std::string_view kEndOfText = "<|endoftext|>";

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// Of its kind: "char", "sp".
  virtual std::string_view name() const = 0;
  virtual std::int64_t vocab() const = 0;
  /// id -> the bytes it stands for, (V): those of the tokens are the text, byte by byte. Empty of
  /// the kind that knows numbers alone.
  virtual const std::vector<std::string>& pieces() const = 0;
  /// What it is kept as, in a file of the run's folder. Empty where its pieces say all.
  virtual std::string definition() const { return {}; }

  /// decode(encode(text)) == text. Error for what it cannot take (text that is not UTF-8, a symbol
  /// that it lacks), naming the source and the byte offset.
  virtual std::vector<std::int32_t> encode(std::string_view text,
                                           std::string_view source = "the text") const = 0;
  /// Error for an id outside [0, V), and of a tokenizer without pieces.
  std::string decode(std::span<const std::int32_t> ids) const;
};

using TokenizerPtr = std::shared_ptr<const Tokenizer>;

/// What is left of a tokenizer in a run's folder.
struct KeptTokenizer {
  std::vector<std::string> pieces;  // where they say all
  std::string definition;           // where it has one
  std::int64_t vocab = 0;           // where it has neither
  std::string source;               // whom messages name
};

struct TokenizerKind {
  std::string_view name;
  std::string_view forms;  // what stands behind the name: ":VOCAB or :FILE.model"; empty: nothing
  std::string_view help;
  std::string_view file;  // in a run's folder, with its definition; empty: it has none
  /// Checks what stands behind the colon, in its one spelling; throws base::Error.
  std::string (*canonical)(const std::string& argument);
  /// `texts`: those of the splits, training first. May read the file that the argument names.
  TokenizerPtr (*make)(const std::string& argument, std::span<const Source> texts);
  /// Trusts nothing: throws base::Error naming the source.
  TokenizerPtr (*restore)(const KeptTokenizer& kept);
  bool numbers = false;  // there is no text, only ids in files
};
std::span<const TokenizerKind> tokenizer_kinds();

/// The setting `tokenizer`: a kind, and after a colon what it is made of.
struct TokenizerChoice {
  const TokenizerKind* kind;
  std::string argument;
};
/// Throws base::Error where there is no such kind, or its argument is none.
TokenizerChoice parse_tokenizer(const std::string& text);
/// The one canonical spelling.
std::string canonical_tokenizer(const std::string& text);
/// "char, byte, sp:VOCAB or …", for help and errors.
std::string tokenizer_forms();
/// The file or folder that the setting names; empty where it names none.
std::string tokenizer_path(const std::string& text);
/// The same setting with its path absolute.
std::string absolute_tokenizer(const std::string& text);

}  // namespace data
