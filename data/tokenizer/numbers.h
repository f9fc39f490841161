// Ids that came without a tokenizer.
#pragma once
#include "data/tokenizer/tokenizer.h"

namespace data {

/// Knows how many ids there are and no text: encode() and decode() throw base::Error.
TokenizerPtr number_tokenizer(std::int64_t vocab);

/// Vocabularies that 32-bit ids count.
inline constexpr std::int64_t kMostIds = (std::int64_t{1} << 31) - 1;

}  // namespace data
