// GPT-2's byte-level BPE, and its files.
#pragma once
#include <filesystem>

#include "base/json.h"
#include "data/tokenizer/tokenizer.h"

namespace data {

/// What the files of such a tokenizer say.
struct BpeFiles {
  std::vector<std::string> symbols;                           // id -> as the files spell it, (V)
  std::vector<std::pair<std::int32_t, std::int32_t>> merges;  // by rank; the result is a symbol
  std::vector<std::int32_t> merged;                           // the id of each merge's result
  std::vector<std::int32_t> special;  // ids that stand for their own spelling, never cut or merged
};

/// Reads a folder with vocab.json, merges.txt and added tokens (or a tokenizer.json), or a file
/// tokenizer.json. Throws base::Error naming the file and what is wrong with it.
BpeFiles read_bpe(const std::string& path);
/// The same from the text of a tokenizer.json.
BpeFiles parse_bpe_json(const std::string& text, const std::string& source);
/// A tokenizer.json that Hugging Face's tokenizers load; equal tokenizers give equal texts.
std::string bpe_json(const BpeFiles& files);

/// Pattern and merging: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners",
/// section 2.2, as Hugging Face's tokenizers have them.
TokenizerPtr byte_bpe_tokenizer(BpeFiles files);

/// The byte-level alphabet: a printable character for each of 256 bytes.
std::string byte_symbol(unsigned char byte);
/// The bytes of a symbol in that alphabet; false if it is not one.
bool symbol_bytes(std::string_view symbol, std::string& bytes);

inline constexpr std::int64_t kMostBpeBytes = std::int64_t{256} << 20;  // of a file
/// The way out of an error in one.
inline constexpr std::string_view kGpt2Kind = "give GPT-2's kind: byte-level BPE";

/// A file of such a tokenizer, at most kMostBpeBytes. Throws base::Error as base::read_file() does,
/// and for a pipe: the folder may come from others.
std::string read_bpe_file(const std::string& path);

/// A token beside the vocabulary that is never cut.
struct AddedToken {
  std::string content;
  base::Json id;  // null: its id in the vocabulary, or else the next free one
};

/// The list `added_tokens` of a tokenizer.json, by id. Throws base::Error naming the source if a
/// token has no content or id, or asks for what is not done here (stripping blanks beside it).
std::vector<AddedToken> added_tokens_of(const base::Json& tokenizer, const std::string& source);

/// Added tokens of the files beside vocab.json, read as transformers' GPT2Tokenizer reads them: the
/// added_tokens_decoder of tokenizer_config.json, or else added_tokens.json,
/// special_tokens_map.json and the list in tokenizer.json; then the special tokens (pad_token, …)
/// by name. Throws base::Error naming the file, also if the folder is of another kind of tokenizer.
std::vector<AddedToken> added_tokens_beside(const std::filesystem::path& folder);

}  // namespace data
