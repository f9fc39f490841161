// Characters of a text.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "engine/utf8.h"

namespace train {

using engine::kInvalidUtf8;
using engine::next_code_point;

/// REQUIRES: a code point that is no surrogate.
std::string utf8(char32_t symbol);

/// The text with U+FFFD in place of every byte that is not UTF-8.
std::string replaced_utf8(std::string_view text);

/// How many code points there are. Error for what is not UTF-8, naming `source` and the offset.
std::size_t require_utf8(std::string_view text, std::string_view source);

}  // namespace train
