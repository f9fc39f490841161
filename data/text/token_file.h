// Token ids in a file, as nanoGPT and llm.c write them: mapped, never read as a whole.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/text/tokens.h"

namespace data {

/// How many bits an id of a .bin has: what a header says, and without one 16; or what is given.
std::vector<std::string_view> bin_types();  // "auto", "uint16", "uint32"

/// The ids in a .bin: without a header (nanoGPT) or behind llm.c's header of 256 32-bit numbers:
/// magic 20240520, version 1, count, then 16 bits an id (GPT-2), or 20240801, version 7 and 32 bits
/// (Llama 3). Throws base::Error naming the file: not there, no such header, a size that is not
/// what the header says, a header that is not of `type`, wider ids than they are read as.
Tokens map_tokens(const std::string& path, std::string_view type = "auto");

/// The ids as map_tokens() reads them back: 16 bits each where all fit, else llm.c's header and 32.
std::string token_file(std::span<const std::int32_t> ids);

}  // namespace data
