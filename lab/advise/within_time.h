// How much a run may train, so that finding a regime and judging it fit into a time.
#pragma once
#include <cstdint>

#include "lab/advise/halving.h"
#include "lab/study/jobs.h"

namespace lab {

/// Seeds that the judged regimes get where a time is given, as planned before anything is known.
inline constexpr std::int64_t kPlannedSeeds = 12;
/// What the judged regimes are: none, the best with dropout, the best without it.
inline constexpr std::int64_t kJudged = 3;

/// Whole budgets that halving and judging take at most.
double budgets_at_most(const std::vector<Regime>& regimes, const train::Settings& base,
                       std::int64_t judging_seeds);

/// A step and the rest of a run, seconds, on all threads.
struct Pace {
  double step = 0, rest = 0;
};
/// Times steps of the base settings on a throw-away model. Throws base::Error where memory is
/// short.
Pace measure_pace(const train::Settings& base, const train::Task& task);

/// Steps of one run, two digits of them, so that all is done within 90 % of `seconds`: what is left
/// is for a machine that gets slower. Throws base::Error where that is less than 20.
std::int64_t steps_within(double seconds, double budgets, const Pace& pace, double speedup);

/// Seeds of the judged regimes that fit into `seconds`, from what a run took: as many as planned
/// and no fewer than 2. `least`: with fewer nothing would be told, so that so many are taken where
/// all but a quarter of them fit.
std::int64_t seeds_within(double seconds, double run_seconds, std::int64_t least);

}  // namespace lab
