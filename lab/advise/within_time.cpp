#include "lab/advise/within_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "lab/study/dry_run.h"

namespace lab {
namespace {

constexpr double kStart = 0.15;       // seconds until a process trains
constexpr double kReserve = 0.9;      // of the time is planned with
constexpr std::int64_t kFewest = 20;  // steps, of which anything can be said

}  // namespace

double budgets_at_most(const std::vector<Regime>& regimes, const train::Settings& base,
                       std::int64_t judging_seeds) {
  double sum = 0;
  for (const Regime& regime : regimes) sum += with(base, {regime.name, regime.set}).budget_share;
  for (int round = 1; round < Halving::kRounds; ++round)
    sum += static_cast<double>(static_cast<std::int64_t>(Halving::most_in(round, regimes.size())) *
                               (Halving::seeds_in(round) - Halving::seeds_in(round - 1)));
  return sum + static_cast<double>(kJudged * judging_seeds);
}

Pace measure_pace(const train::Settings& base, const train::Task& task) {
  const DryRun plan = dry_run(base, task);
  require_fits(plan);
  const RunEstimate& run = plan.arms.front();
  return {run.training_seconds / static_cast<double>(std::max<std::int64_t>(1, run.steps)),
          run.evaluation_seconds + kStart};
}

std::int64_t steps_within(double seconds, double budgets, const Pace& pace, double speedup) {
  const double run = kReserve * seconds * speedup / budgets;
  const double steps = (run - pace.rest) / pace.step;
  base::require(
      steps >= static_cast<double>(kFewest), "--time ", fmt::format("{:g}", seconds),
      " s: too little for ", fmt::format("{:.0f}", budgets), " runs, each of which would have ",
      base::counted(static_cast<std::uint64_t>(std::max(0.0, std::floor(steps))), "step"),
      "; give at least ",
      fmt::format("{:.0f}",
                  std::ceil((pace.rest + kFewest * pace.step) * budgets / kReserve / speedup)),
      " s, or a smaller model");
  const double digits = std::pow(10, std::floor(std::log10(steps)) - 1);
  return static_cast<std::int64_t>(std::floor(steps / digits) * digits);
}

std::int64_t seeds_within(double seconds, double run_seconds, std::int64_t least) {
  const double fit = std::floor(std::max(0.0, seconds) / (kJudged * std::max(run_seconds, 1e-9)));
  const auto seeds = static_cast<std::int64_t>(std::min<double>(fit, kPlannedSeeds));
  if (seeds < least && seeds * 4 >= least * 3) return least;
  return std::max<std::int64_t>(2, seeds);
}

}  // namespace lab
