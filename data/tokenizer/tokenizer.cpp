#include "data/tokenizer/tokenizer.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "data/tokenizer/byte_bpe.h"

namespace data {
namespace {

using base::quote;
using base::require;

constexpr std::int64_t kMostModelBytes = std::int64_t{256} << 20;

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

std::int64_t number(const std::string& text, std::int64_t low, std::int64_t high,
                    std::string_view what) {
  std::int64_t n = 0;
  require(base::parse_number(text, n) == std::errc{} && n >= low && n <= high, what, quote(text),
          " is not a vocabulary size; give a number in [", low, ", ", high, "]");
  return n;
}

std::string nothing(const std::string& argument) {
  require(argument.empty(), "the tokenizers char and byte take no argument, not ", quote(argument),
          "; leave it out");
  return {};
}

std::string vocabulary_or_path(const std::string& argument) {
  require(!argument.empty(),
          "tokenizer sp needs an argument: give sp:VOCAB, as in sp:1024, or sp:FILE.model");
  if (!is_number(argument)) return argument;
  return std::to_string(number(argument, kLeastSubwords, kMostSubwords, "sp:"));
}

std::string a_path(const std::string& argument) {
  require(
      !argument.empty(),
      "tokenizer gpt2 needs an argument: give gpt2:FOLDER, with vocab.json and merges.txt in it, or gpt2:tokenizer.json");
  return argument;
}

std::string count_or_nothing(const std::string& argument) {
  return argument.empty() ? argument : std::to_string(number(argument, 1, kMostIds, "ids:"));
}

TokenizerPtr make_sentencepiece(const std::string& argument, std::span<const Source> texts) {
  if (!is_number(argument))
    return sentencepiece_tokenizer(
        base::read_file(argument, kMostModelBytes, "check the path", base::Whose::kFolder),
        argument);
  const std::int64_t vocab = number(argument, kLeastSubwords, kMostSubwords, "sp:");
  const std::string name(texts.front().name);
  return sentencepiece_tokenizer(train_sentencepiece(texts.front().text, vocab, name), name);
}

/// A vocabulary made from its own pieces is itself.
TokenizerPtr restore_symbols(const KeptTokenizer& kept,
                             TokenizerPtr (*make)(std::span<const Source>)) {
  std::string all;
  for (const std::string& piece : kept.pieces) all += piece;
  const Source source{all, kept.source};
  TokenizerPtr tokenizer = make({&source, 1});
  require(!kept.pieces.empty() && tokenizer->pieces() == kept.pieces, kept.source,
          ": the pieces are not a tokenizer's; train again");
  return tokenizer;
}

constexpr TokenizerKind kKinds[] = {
    {"char", "", "one token per character", "", nothing,
     [](const std::string&, std::span<const Source> texts) { return char_tokenizer(texts); },
     [](const KeptTokenizer& kept) { return restore_symbols(kept, char_tokenizer); }},
    {"byte", "", "one token per byte", "", nothing,
     [](const std::string&, std::span<const Source> texts) { return byte_tokenizer(texts); },
     [](const KeptTokenizer& kept) { return restore_symbols(kept, byte_tokenizer); }},
    {"sp", ":VOCAB|FILE.model",
     "SentencePiece: BPE with VOCAB pieces trained on the training split, or a trained model",
     "tokenizer.model", vocabulary_or_path, make_sentencepiece,
     [](const KeptTokenizer& kept) {
       return sentencepiece_tokenizer(kept.definition, kept.source);
     }},
    {"gpt2", ":FOLDER|tokenizer.json",
     "GPT-2's byte-level BPE: a folder with vocab.json and merges.txt, or a tokenizer.json",
     "tokenizer.json", a_path,
     [](const std::string& path, std::span<const Source>) {
       return byte_bpe_tokenizer(read_bpe(path));
     },
     [](const KeptTokenizer& kept) {
       return byte_bpe_tokenizer(parse_bpe_json(kept.definition, kept.source));
     }},
    {"ids", "[:VOCAB]",
     "token ids from a .bin file; VOCAB is the vocabulary size (default: highest id + 1)", "",
     count_or_nothing,
     [](const std::string& vocab, std::span<const Source>) {
       return number_tokenizer(vocab.empty() ? kMostIds : number(vocab, 1, kMostIds, "ids:"));
     },
     [](const KeptTokenizer& kept) { return number_tokenizer(kept.vocab); }, true},
};

}  // namespace

std::span<const TokenizerKind> tokenizer_kinds() { return kKinds; }

TokenizerChoice parse_tokenizer(const std::string& text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string name = text.substr(0, colon);
  const auto names = base::names_of(tokenizer_kinds());
  for (const TokenizerKind& kind : kKinds)
    if (kind.name == name)
      return {&kind, kind.canonical(text.substr(std::min(colon + 1, text.size())))};
  const std::string_view near = base::nearest(name, names);
  throw base::Error(base::concat("tokenizer ", quote(text), " is unknown; ",
                                 near.empty() ? base::concat("give ", tokenizer_forms())
                                              : base::concat("did you mean '", near, "'?")));
}

std::string canonical_tokenizer(const std::string& text) {
  const TokenizerChoice choice = parse_tokenizer(text);
  const std::string name(choice.kind->name);
  return choice.argument.empty() ? name : name + ":" + choice.argument;
}

std::string tokenizer_forms() {
  std::string out;
  for (const TokenizerKind& kind : kKinds)
    out += base::concat(out.empty() ? "" : ", ", kind.name, kind.forms);
  return out;
}

std::string tokenizer_path(const std::string& text) {
  const TokenizerChoice choice = parse_tokenizer(text);
  return choice.kind->file.empty() || is_number(choice.argument) ? std::string() : choice.argument;
}

std::string absolute_tokenizer(const std::string& text) {
  const std::string path = tokenizer_path(text);
  if (path.empty()) return text;
  return base::concat(parse_tokenizer(text).kind->name, ":",
                      std::filesystem::absolute(path).lexically_normal().string());
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  require(!pieces().empty(),
          "the model was trained on token ids without a tokenizer, so it has no text");
  std::string out;
  out.reserve(ids.size());
  for (const std::int32_t id : ids) {
    require(id >= 0 && id < vocab(), "token ", id, " is outside the vocabulary [0, ", vocab(), ")");
    out += pieces()[static_cast<std::size_t>(id)];
  }
  return out;
}

void refuse_utf8(std::string_view source, std::size_t offset) {
  throw BadText(source, "not UTF-8", offset, "; convert it to UTF-8 or use --tokenizer byte");
}

std::size_t require_utf8(std::string_view text, std::string_view source) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count)
    if (next_code_point(text, at) == kInvalidUtf8) refuse_utf8(source, at);
  return count;
}

}  // namespace data
