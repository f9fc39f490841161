// How often the tests of kills kill.
#pragma once
#include <algorithm>
#include <cstdlib>

namespace tests {

/// ISODROP_KILLS, or where that is not set `usually`.
inline int kills_wanted(int usually) {
  const char* given = std::getenv("ISODROP_KILLS");
  return given != nullptr ? std::max(1, std::atoi(given)) : usually;
}

}  // namespace tests
