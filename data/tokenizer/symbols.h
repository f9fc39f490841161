// One token per byte, or per Unicode character.
#pragma once
#include "data/tokenizer/tokenizer.h"

namespace data {

/// The vocabulary is the sorted distinct symbols of the texts it is made from; a symbol's id is its
/// rank. Error for text that is not UTF-8 with characters, naming the source and the byte offset.
TokenizerPtr char_tokenizer(std::span<const Source> texts);
TokenizerPtr byte_tokenizer(std::span<const Source> texts);

}  // namespace data
