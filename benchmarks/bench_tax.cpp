// The dropout tax: the time of a training step with dropout over the time of one without, single
// steps of both in turns in one process.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/measure.h"
#include "base/parallel.h"
#include "benchmarks/step_args.h"
#include "cli/process.h"
#include "engine/rng.h"
#include "lab/runs/build.h"
#include "lab/stats/paired.h"
#include "lab/study/arm.h"
#include "train/tasks/language_modelling.h"
#include "train/tasks/load_corpus.h"

namespace {

constexpr std::int64_t kMinPairs = 6;  // an interval needs so many
constexpr int kBits = 16;              // of randomness for one element, see ops/mask.h

cli::Command command() {
  cli::Command c;
  c.name = "tax";
  c.summary = "time of a step with dropout over one without, both in turns in one process";
  c.extras = {{"pairs", "N", "2000", "most pairs of steps to time"},
              {"seconds", "S", "40", "stop after so long, but not before 6 pairs"},
              bench::kFormat,
              bench::kDescribe};
  c.defaults = {{"dropout", "0.1", "default"}};
  c.examples = {"scripts/bench tax --preset nano --format json",
                "scripts/bench tax --preset char --batch 8 --dropout 0.2"};
  return c;
}

struct Times {
  std::vector<double> with, without;  // ms, a pair each
};

Times measure(train::Trainer& with, train::Trainer& without, std::int64_t pairs, double seconds) {
  for (std::uint64_t i = 0; i < 3; ++i) with.step(i, 0.5), without.step(i, 0.5);
  Times times;
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < pairs; ++i) {
    if (i >= kMinPairs && bench::seconds_since(start) > seconds) break;
    const auto index = static_cast<std::uint64_t>(i) + 3;
    // Who goes first alternates, so that a machine that slows down favours neither.
    if (i % 2 == 0) times.without.push_back(bench::step_ms(without, index));
    times.with.push_back(bench::step_ms(with, index));
    if (i % 2 == 1) times.without.push_back(bench::step_ms(without, index));
  }
  return times;
}

nlohmann::ordered_json spread(const std::vector<double>& ms) {
  return {{"median", base::median(ms)},
          {"min", *std::min_element(ms.begin(), ms.end())},
          {"max", *std::max_element(ms.begin(), ms.end())}};
}

int run(int argc, char** argv) {
  const cli::Parsed args = bench::parse_step_args(command(), argc, argv);
  if (args.help) return 0;
  const train::Settings& settings = args.settings;
  const lab::Arm none = lab::parse_arm("none", settings);
  base::require(!(none.settings == settings),
                "--dropout 0: a tax is of a regularizer; give a rate above 0");
  const train::LanguageModelling corpus(train::random_corpus(settings));
  train::Trainer with(settings, corpus), without(none.settings, corpus);
  const Times times =
      measure(with, without, args.integer("pairs", kMinPairs, 5000), args.real("seconds", 0, 1e5));
  const lab::PairedRatio tax = lab::paired_ratio(times.with, times.without);
  const lab::Interval ci = tax.ci95.value();
  const nlohmann::ordered_json result = {
      {"preset", settings.preset},
      {"batch", settings.batch},
      {"threads", base::max_threads()},
      {"dropout", settings.dropout},
      {"pairs", times.with.size()},
      {"tax", tax.ratio},
      {"ci95", {ci.lo, ci.hi}},
      {"method", "Hodges-Lehmann estimate of the pairs' log ratios, Wilcoxon signed-rank interval"},
      {"ms_with", spread(times.with)},
      {"ms_without", spread(times.without)},
      {"philox_rounds", engine::kPhiloxRounds},
      {"bits_per_element", kBits},
      {"environment", lab::environment(0)}};
  if (args.text("format") == "json")
    fmt::print("{}\n", result.dump(2));
  else
    fmt::print(
        "{} B {} on {} threads, {}: a step takes {:.2f} ms with dropout {} and {:.2f} without; "
        "tax {:.4f}, 95 % interval {:.4f} to {:.4f} ({} pairs; Philox, {} rounds, {} bits an "
        "element)\n",
        settings.preset, settings.batch, base::max_threads(), lab::this_build().isa,
        base::median(times.with), settings.dropout, base::median(times.without), tax.ratio, ci.lo,
        ci.hi, times.with.size(), engine::kPhiloxRounds, kBits);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  cli::wait_politely(argv);
  try {
    return run(argc, argv);
  } catch (const base::Error& e) {
    fmt::print(stderr, "bench_tax: error: {}\n", e.what());
    return 2;
  }
}
