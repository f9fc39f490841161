// How much of a text that a model is judged on it has been trained on.
#pragma once
#include <optional>

#include "data/text/corpus.h"

namespace data {

/// Of n bytes of held-out text min(4096, ⌊n / 64⌋) windows of 64 bytes are taken, the first at its
/// begin, the last at its end, the others evenly between. The share of them that stand somewhere in
/// the training split, byte by byte (found by 64-bit hashes). Of ids without a tokenizer a window
/// is 64 ids. Nothing for the built-in corpus and for a text that holds no window. One pass over
/// the training split.
std::optional<double> share_in_training(const Corpus& corpus, const HeldOut& split);

}  // namespace data
