// How idle threads wait.
#pragma once

namespace cli {

/// OpenMP's idle threads spin for milliseconds by default, which starves everything else on the
/// cores, themselves included: with a busy neighbour a step takes many times as long. libgomp has
/// no call for it and reads its environment in a constructor, before main() and before anything of
/// this program runs with an environment to change (even .preinit_array comes before libc has
/// one). So this sets a short spin and starts the program again, once, in the same process: the
/// variables it sets are then there, for the programs it starts too. It does nothing where the user
/// has chosen (OMP_WAIT_POLICY, GOMP_SPINCOUNT or KMP_BLOCKTIME). For main() alone, first thing.
void wait_politely(char** argv);

}  // namespace cli
