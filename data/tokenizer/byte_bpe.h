// GPT-2's byte-level BPE.
#pragma once
#include "data/tokenizer/tokenizer.h"

namespace data {

/// What the files of such a tokenizer say.
struct BpeFiles {
  std::vector<std::string> symbols;                           // id -> as the files spell it, (V)
  std::vector<std::pair<std::int32_t, std::int32_t>> merges;  // by rank; the result is a symbol
  std::vector<std::int32_t> merged;                           // the id of each merge's result
  std::vector<std::int32_t> special;  // ids that stand for their own spelling, never cut or merged
};

/// Reads vocab.json + merges.txt and what added tokens stand beside them (or else tokenizer.json)
/// in a folder, or a tokenizer.json. Throws base::Error naming the file and what is wrong with
/// it, or of another kind.
BpeFiles read_bpe(const std::string& path);
/// The text of a tokenizer.json.
BpeFiles parse_bpe_json(const std::string& text, const std::string& source);
/// As a tokenizer.json that Hugging Face's tokenizers load, the same for the same tokenizer.
std::string bpe_json(const BpeFiles& files);

/// Source of pattern and merging: Radford et al. 2019, "Language Models are Unsupervised Multitask
/// Learners", section 2.2, as Hugging Face's tokenizers have it.
TokenizerPtr byte_bpe_tokenizer(BpeFiles files);

/// The byte-level alphabet: a printable character for each of 256 bytes.
std::string byte_symbol(unsigned char byte);
/// The bytes of a symbol in that alphabet; false where it is none.
bool symbol_bytes(std::string_view symbol, std::string& bytes);

}  // namespace data
