// Says which instructions are missing, before one of them ends the process without a word: a
// package, or a build that was carried to another machine. This file is compiled for any x86-64 and
// uses nothing of the C++ library, which may be compiled for more; main.cpp says what is needed.
#include "cli/cpu_check.h"

#include <unistd.h>

#include <cstring>

namespace cli {
namespace {

#if defined(__x86_64__) || defined(__i386__)
[[noreturn]] void refuse(const char* what) {
  const char* parts[] = {"isodrop: error: this isodrop was built for CPUs with ", what,
                         ", which this one has not; build it here (scripts/run), or with "
                         "-DISODROP_NATIVE=OFF for any x86-64\n"};
  for (const char* part : parts)
    if (write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  _exit(2);
}

/// Before the constructors of everything else, which have no priority.
__attribute__((constructor(101))) void check_cpu() {
  __builtin_cpu_init();
  if (needed.fma && !__builtin_cpu_supports("fma")) refuse("FMA");
  if (needed.avx2 && !__builtin_cpu_supports("avx2")) refuse("AVX2");
  if (needed.bmi2 && !__builtin_cpu_supports("bmi2")) refuse("BMI2");
  if (needed.avx512 && !__builtin_cpu_supports("avx512f")) refuse("AVX-512");
}
#endif

}  // namespace
}  // namespace cli
