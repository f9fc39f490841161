// What this machine can do at best, measured: the yardstick for every other figure.
#pragma once

namespace ops {

/// f32 fused multiply-add peak in GFLOP/s (2 per FMA and lane) over all OpenMP threads: 12
/// independent chains of the widest vectors a thread, best of `repeats` runs of about `seconds`.
double fma_peak_gflops(int repeats = 5, double seconds = 0.02);

/// Memory bandwidth in GB/s over all OpenMP threads: reads and writes of a copy between buffers
/// much larger than the caches; the median of `repeats`.
double memory_gbps(int repeats = 5);

}  // namespace ops
