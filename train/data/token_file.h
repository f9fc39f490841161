// Token ids in a file, as nanoGPT and llm.c write them: mapped, never read as a whole.
#pragma once
#include <string>

#include "train/data/tokens.h"

namespace train {

/// The ids in a .bin: 16 bits each without a header (nanoGPT), or behind llm.c's header of 256
/// 32-bit numbers: magic 20240520, version 1, count, then 16 bits an id (GPT-2), or 20240801,
/// version 7 and 32 bits (Llama 3). Throws engine::Error naming the file: not there, no such
/// header, a size that is not what the header says.
Tokens map_tokens(const std::string& path);

}  // namespace train
