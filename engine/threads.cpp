#include "engine/threads.h"

#include <unistd.h>

#include <cstdlib>

namespace engine {

void wait_politely(char** argv) {
  for (const char* name : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"})
    if (std::getenv(name) != nullptr) return;
  // About 20 µs of spinning: longer than the gap between two loops of a step, shorter than what the
  // scheduler takes to notice a neighbour. Measured with bench_step, alone and with one core busy.
  if (setenv("GOMP_SPINCOUNT", "10000", 1) != 0 || setenv("KMP_BLOCKTIME", "0", 1) != 0) return;
  execv("/proc/self/exe", argv);  // on failure: goes on as it is, only less politely
}

}  // namespace engine
