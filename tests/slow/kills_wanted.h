// How often the tests of kills kill.
#pragma once
#include <algorithm>
#include <cstdlib>

namespace tests {

/// ISODROP_KILLS, or 10.
inline int kills_wanted() {
  const char* given = std::getenv("ISODROP_KILLS");
  return given != nullptr ? std::max(1, std::atoi(given)) : 10;
}

}  // namespace tests
