// Which instructions this build may use.
#pragma once

namespace cli {

struct NeededInstructions {
  bool fma, avx2, bmi2, avx512;
};
/// Known without running a constructor; defined in main.cpp, which is compiled as the rest is.
extern const NeededInstructions needed;

}  // namespace cli
