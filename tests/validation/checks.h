// What the statistics promise, a row each: a trial, and the share of trials in which it may or must
// come true. A new promise is a row in false_verdicts.cpp, coverage.cpp or power.cpp.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lab/stats/stats.h"
#include "tests/validation/model.h"

namespace validation {

struct Check {
  std::string group, name;
  std::optional<lab::Interval> wanted;  // of the share; nullopt: shown for comparison only
  std::function<bool(Normals&)> trial;
};

struct Outcome {
  double share = 0;
  int trials = 0;
  double error() const;  // standard error of the share, never 0
};

std::vector<Check> false_verdicts();
std::vector<Check> coverage();
std::vector<Check> power();
std::vector<Check> all_checks();

/// The trials' random numbers come from the seed and the name: a row keeps its figure whatever
/// stands beside it.
Outcome run(const Check& check, int trials, std::uint64_t seed);

/// Whether the share lies in what is wanted, give or take `errors` standard errors.
bool holds(const Check& check, const Outcome& outcome, double errors);

/// A Markdown table a group.
std::string markdown(const std::vector<Check>& checks, const std::vector<Outcome>& outcomes,
                     double errors);

}  // namespace validation
