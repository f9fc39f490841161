// Tokens that stand beside the vocabulary of a byte-level BPE and are never cut.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace data {

inline constexpr std::int64_t kMostBpeBytes = std::int64_t{256} << 20;  // of a file
/// The way out of what is wrong with one.
inline constexpr std::string_view kGpt2Kind = "give GPT-2's kind: byte-level BPE";

struct AddedToken {
  std::string content;
  base::Json id;  // null: the one it has in the vocabulary, or else the next that is free
};

/// A file of such a tokenizer, at most kMostBpeBytes of it. Throws as base::read_file() does, and
/// where it is a pipe: the folder may be of others.
std::string read_bpe_file(const std::string& path);

/// The list `added_tokens` of a tokenizer.json, by id. Throws base::Error naming the source where
/// a token has no content or no id, or asks for what is not done here (blanks taken off beside it).
std::vector<AddedToken> added_tokens_of(const base::Json& tokenizer, const std::string& source);

/// What the files beside vocab.json say, read as transformers' GPT2Tokenizer reads them: the
/// added_tokens_decoder of tokenizer_config.json, or, if it has none, added_tokens.json,
/// special_tokens_map.json and the list in tokenizer.json; then the special tokens (pad_token, …)
/// by name. Throws base::Error naming the file, also where it says that the folder is of another
/// kind of tokenizer.
std::vector<AddedToken> added_tokens_beside(const std::filesystem::path& folder);

}  // namespace data
