#include "ops/peak.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "base/measure.h"
#include "engine/buffer.h"
#include "ops/simd.h"

HWY_BEFORE_NAMESPACE();
namespace ops {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Clock = std::chrono::steady_clock;

constexpr int kChains = 12;  // latency 4–5 × 2 FMAs a cycle needs 8–10

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// x ← x·m + b on kChains vectors; the sum keeps the compiler from dropping it.
float fma_chains(std::int64_t iterations) {
  const hn::ScalableTag<float> d;
  const auto m = hn::Set(d, 0.999f), b = hn::Set(d, 1e-3f);
  auto x0 = hn::Set(d, 1.0f), x1 = hn::Set(d, 1.1f), x2 = hn::Set(d, 1.2f), x3 = hn::Set(d, 1.3f),
       x4 = hn::Set(d, 1.4f), x5 = hn::Set(d, 1.5f), x6 = hn::Set(d, 1.6f), x7 = hn::Set(d, 1.7f),
       x8 = hn::Set(d, 1.8f), x9 = hn::Set(d, 1.9f), xa = hn::Set(d, 2.0f), xb = hn::Set(d, 2.1f);
  for (std::int64_t i = 0; i < iterations; ++i) {
    x0 = hn::MulAdd(x0, m, b), x1 = hn::MulAdd(x1, m, b), x2 = hn::MulAdd(x2, m, b);
    x3 = hn::MulAdd(x3, m, b), x4 = hn::MulAdd(x4, m, b), x5 = hn::MulAdd(x5, m, b);
    x6 = hn::MulAdd(x6, m, b), x7 = hn::MulAdd(x7, m, b), x8 = hn::MulAdd(x8, m, b);
    x9 = hn::MulAdd(x9, m, b), xa = hn::MulAdd(xa, m, b), xb = hn::MulAdd(xb, m, b);
  }
  const auto s0 = hn::Add(hn::Add(x0, x1), hn::Add(x2, x3));
  const auto s1 = hn::Add(hn::Add(x4, x5), hn::Add(x6, x7));
  const auto s2 = hn::Add(hn::Add(x8, x9), hn::Add(xa, xb));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, hn::Add(s1, s2))));
}

double run_gflops(std::int64_t iterations) {
  float sink = 0;
  const auto start = Clock::now();
#pragma omp parallel reduction(+ : sink)
  sink += fma_chains(iterations);
  const double seconds = since(start);
  volatile float keep = sink;
  (void)keep;
  const auto lanes = static_cast<double>(hn::Lanes(hn::ScalableTag<float>()));
  return 2.0 * kChains * lanes * static_cast<double>(iterations) * omp_get_max_threads() / seconds /
         1e9;
}

}  // namespace

double fma_peak_gflops(int repeats, double seconds) {
  constexpr std::int64_t kProbe = 100'000;
  const double rough = run_gflops(kProbe) * 1e9 / omp_get_max_threads();
  const auto lanes = static_cast<double>(hn::Lanes(hn::ScalableTag<float>()));
  const auto iterations =
      std::max(kProbe, static_cast<std::int64_t>(rough * seconds / (2.0 * kChains * lanes)));
  double best = 0;
  for (int i = 0; i < repeats; ++i) best = std::max(best, run_gflops(iterations));
  return best;
}

double memory_gbps(int repeats) {
  constexpr std::int64_t kBytes = std::int64_t{256} << 20, kChunk = 1 << 20;
  const engine::Buffer from(kBytes), to(kBytes);
  const auto copy = [&] {
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < kBytes; i += kChunk)
      std::memcpy(to.data() + i, from.data() + i, kChunk);
  };
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < kBytes; i += kChunk) std::memset(from.data() + i, 1, kChunk);
  copy();  // touches the pages
  std::vector<double> gbps;
  for (int i = 0; i < repeats; ++i) {
    const auto start = Clock::now();
    copy();
    gbps.push_back(2.0 * static_cast<double>(kBytes) / since(start) / 1e9);
  }
  return base::median(std::move(gbps));
}

}  // namespace ops
HWY_AFTER_NAMESPACE();
