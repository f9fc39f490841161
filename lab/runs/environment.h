// What a figure was measured on.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace lab {

/// {cpu, isa, threads, isodrop, onednn, compiler}; `threads` 0: all cores.
nlohmann::ordered_json environment(std::int64_t threads);

/// The widest vector instructions the program was built for: "AVX-512", "AVX2", "SSE2".
std::string isa();

}  // namespace lab
