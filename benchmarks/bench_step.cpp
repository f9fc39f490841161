// One whole training step (batch, forward, backward, clipping, AdamW) of a preset, held against the
// f32 FMA peak measured before and after in the same run, and against its matmul floor, measured
// between the steps.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "base/measure.h"
#include "base/parallel.h"
#include "base/text.h"
#include "benchmarks/products.h"
#include "benchmarks/step_args.h"
#include "cli/process.h"
#include "lab/runs/build.h"
#include "ops/peak.h"
#include "train/config/budget.h"
#include "train/tasks/language_modelling.h"
#include "train/tasks/load_corpus.h"

namespace {

constexpr std::int64_t kFloorTurns = 5;  // in which the floor is measured, between the steps
constexpr double kFloorSeconds = 0.05;   // at least, in each of them

cli::Command command() {
  cli::Command c;
  c.name = "step";
  c.summary = "one whole training step of a preset against the FMA peak and its matmul floor";
  c.extras = {{"steps", "N", "41", "timed steps"},
              bench::kFormat,
              {"serve", "", "", "time N steps for each line N on standard input"},
              bench::kDescribe};
  return c;
}

/// "N" (or "step N") a line: runs N steps and prints their median, so that a driver can take turns
/// with a peer.
int serve(train::Trainer& trainer) {
  std::uint64_t index = 0;
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    if (line.rfind("step ", 0) == 0) line.erase(0, 5);
    std::int64_t n = 0;
    base::require(base::parse_number(line, n) == std::errc{} && n > 0, "--serve: '", line,
                  "' is not a number of steps");
    std::vector<double> ms;
    for (std::int64_t i = 0; i < n; ++i) ms.push_back(bench::step_ms(trainer, index++));
    std::cout << base::median(ms) << std::endl;
  }
  return 0;
}

/// Times `steps` steps, with a turn of the floor every so often.
std::vector<double> measure(train::Trainer& trainer, bench::ProductTimer& floor,
                            std::int64_t steps) {
  std::uint64_t index = 0;
  std::vector<double> ms;
  const std::int64_t every = std::max<std::int64_t>(1, steps / kFloorTurns);
  for (std::int64_t i = 0; i < steps; ++i) {
    if (i % every == 0) {
      const auto start = std::chrono::steady_clock::now();
      do floor.round();
      while (bench::seconds_since(start) < kFloorSeconds);
      // The caches are the step's again.
      for (int warm = 0; warm < (i == 0 ? 3 : 1); ++warm) bench::step_ms(trainer, index++);
    }
    ms.push_back(bench::step_ms(trainer, index++));
  }
  return ms;
}

/// Each product with its median by every side.
nlohmann::ordered_json floor_products(const bench::ProductTimer& floor) {
  auto json = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < floor.products().size(); ++i) {
    const bench::Product& p = floor.products()[i];
    nlohmann::ordered_json row = {
        {"m", p.spec.m}, {"n", p.spec.n}, {"k", p.spec.k}, {"count", p.count}};
    for (int s = 0; s < bench::kSides; ++s)
      if (bench::available(bench::Side{s}))
        row[fmt::format("{}_ms", bench::name_of(bench::Side{s}))] = floor.ms(i, bench::Side{s});
    json.push_back(row);
  }
  return json;
}

int run(int argc, char** argv) {
  const cli::Parsed args = bench::parse_step_args(command(), argc, argv);
  if (args.help) return 0;
  const train::Settings& settings = args.settings;
  const std::int64_t steps = args.integer("steps", 1, 1'000'000);
  const train::LanguageModelling corpus(train::random_corpus(settings));
  train::Trainer trainer(settings, corpus);
  if (args.has("serve")) return serve(trainer);
  bench::ProductTimer floor(bench::products_of(trainer.plan().tape(), settings.micro_steps()));
  const double before = ops::fma_peak_gflops();
  const std::vector<double> ms = measure(trainer, floor, steps);
  const double after = ops::fma_peak_gflops();
  const double peak = std::max(before, after);
  const double mid = base::median(ms);
  const nlohmann::ordered_json products = floor_products(floor);
  double floor_ms = 0;
  for (std::size_t i = 0; i < floor.products().size(); ++i)
    floor_ms += floor.products()[i].count * floor.best_ms(i);
  const double gflops = trainer.flops_per_step() / mid / 1e6;
  const nlohmann::ordered_json result = {{"preset", settings.preset},
                                         {"batch", settings.batch},
                                         {"threads", base::max_threads()},
                                         {"dropout", settings.dropout},
                                         {"steps", steps},
                                         {"ms",
                                          {{"median", mid},
                                           {"min", *std::min_element(ms.begin(), ms.end())},
                                           {"max", *std::max_element(ms.begin(), ms.end())}}},
                                         {"gflops", gflops},
                                         {"peak_gflops", peak},
                                         {"peak_before_after", {before, after}},
                                         {"of_peak", gflops / peak},
                                         {"floor_ms", floor_ms},
                                         {"of_floor", mid / floor_ms},
                                         {"floor_matmuls", products},
                                         {"environment", lab::environment(0)}};
  if (args.text("format") == "json") {
    fmt::print("{}\n", result.dump(2));
  } else {
    fmt::print(
        "{} B {} dropout {} on {} threads: {:.2f} ms a step (min {:.2f}, max {:.2f}), {:.0f} "
        "of {:.0f} GFLOP/s = {:.0f} % of the FMA peak, {:.2f} x its matmul floor of {:.2f} ms\n",
        settings.preset, settings.batch, settings.dropout, base::max_threads(), mid,
        result["ms"]["min"].get<double>(), result["ms"]["max"].get<double>(), gflops, peak,
        100 * gflops / peak, mid / floor_ms, floor_ms);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  cli::wait_politely(argv);
  try {
    return run(argc, argv);
  } catch (const base::Error& e) {
    fmt::print(stderr, "bench_step: error: {}\n", e.what());
    return 2;
  }
}
