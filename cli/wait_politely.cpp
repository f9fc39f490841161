#include "cli/wait_politely.h"

#include <unistd.h>

#include <cstdlib>
#include <initializer_list>

namespace cli {

void wait_politely(char** argv) {
  for (const char* name : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"})
    if (std::getenv(name) != nullptr) return;
  // 25 to 45 µs of spinning: longer than the gap between two loops of a step, far shorter than the
  // slice a neighbour gets. Measured with benchmarks/peers/scaling.py: beside a busy core a step of
  // nano takes 2.1 to 2.2 times as long, 2.4 with 2000, 4.2 with 10000; alone, 2 to 4 % longer than
  // with 10000.
  if (setenv("GOMP_SPINCOUNT", "1000", 1) != 0 || setenv("KMP_BLOCKTIME", "0", 1) != 0) return;
  execv("/proc/self/exe", argv);  // on failure: goes on as it is, only less politely
}

}  // namespace cli
