// One whole training step (batch, forward, backward, clipping, AdamW) of a preset, held against the
// f32 FMA peak measured before and after in the same run.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "benchmarks/step_args.h"
#include "engine/parallel.h"
#include "engine/threads.h"
#include "lab/environment.h"
#include "ops/peak.h"

namespace {

double median(std::vector<double> x) {
  const auto mid = x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2);
  std::nth_element(x.begin(), mid, x.end());
  return *mid;
}

double step_ms(train::Trainer& trainer, std::uint64_t index) {
  const auto start = std::chrono::steady_clock::now();
  trainer.step(index, 0.5);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

/// "N" (or "step N") a line: runs N steps and prints their median, so that a driver can take turns
/// with a peer.
int serve(train::Trainer& trainer) {
  std::uint64_t index = 0;
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    if (line.rfind("step ", 0) == 0) line.erase(0, 5);
    std::int64_t n = 0;
    engine::require(train::parse_number(line, n) == std::errc{} && n > 0, "--serve: '", line,
                    "' is not a number of steps");
    std::vector<double> ms;
    for (std::int64_t i = 0; i < n; ++i) ms.push_back(step_ms(trainer, index++));
    std::cout << median(ms) << std::endl;
  }
  return 0;
}

int run(int argc, char** argv) {
  const bench::StepArgs args = bench::parse_step_args(argc, argv);
  if (args.describe) {
    fmt::print(
        "one whole training step of a preset against the FMA peak (--preset --batch --dropout "
        "--threads --steps --format json)\n");
    return 0;
  }
  const train::Corpus corpus = bench::random_corpus(args.settings);
  train::Trainer trainer(args.settings, corpus);
  if (args.serve) return serve(trainer);
  const double before = ops::fma_peak_gflops();
  for (std::uint64_t i = 0; i < 3; ++i) trainer.step(i, 0.5);
  std::vector<double> ms;
  for (int i = 0; i < args.steps; ++i)
    ms.push_back(step_ms(trainer, static_cast<std::uint64_t>(i) + 3));
  const double after = ops::fma_peak_gflops();
  const double peak = std::max(before, after);
  const double mid = median(ms);
  const double gflops = trainer.flops_per_step() / mid / 1e6;
  const nlohmann::ordered_json result = {{"preset", args.settings.preset},
                                         {"batch", args.settings.batch},
                                         {"threads", engine::max_threads()},
                                         {"dropout", args.settings.dropout},
                                         {"steps", args.steps},
                                         {"ms",
                                          {{"median", mid},
                                           {"min", *std::min_element(ms.begin(), ms.end())},
                                           {"max", *std::max_element(ms.begin(), ms.end())}}},
                                         {"gflops", gflops},
                                         {"peak_gflops", peak},
                                         {"peak_before_after", {before, after}},
                                         {"of_peak", gflops / peak},
                                         {"environment", lab::environment(0)}};
  if (args.json) {
    fmt::print("{}\n", result.dump(2));
  } else {
    fmt::print(
        "{} B {} dropout {} on {} threads: {:.2f} ms a step (min {:.2f}, max {:.2f}), {:.0f} "
        "of {:.0f} GFLOP/s = {:.0f} % of the FMA peak\n",
        args.settings.preset, args.settings.batch, args.settings.dropout, engine::max_threads(),
        mid, result["ms"]["min"].get<double>(), result["ms"]["max"].get<double>(), gflops, peak,
        100 * gflops / peak);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  engine::wait_politely(argv);
  try {
    return run(argc, argv);
  } catch (const engine::Error& e) {
    fmt::print(stderr, "bench_step: error: {}\n", e.what());
    return 2;
  }
}
