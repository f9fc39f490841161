// How idle threads wait.
#pragma once

namespace engine {

/// OpenMP's idle threads spin for milliseconds by default, which starves everything else on the
/// cores, themselves included: with a busy neighbour a step takes many times as long. The runtimes
/// read their settings before main() begins, so this sets a short spin and runs the program again;
/// it does nothing where the user has chosen (OMP_WAIT_POLICY, GOMP_SPINCOUNT or KMP_BLOCKTIME).
/// Call first thing in main().
void wait_politely(char** argv);

}  // namespace engine
