// Simulates comparisons whose truth is known and prints what the statistics made of them, as a
// Markdown table; exit code 1 where a promise is broken. See scripts/validate_statistics.
#include <fmt/format.h>

#include <cxxopts.hpp>
#include <exception>

#include "tests/validation/checks.h"

namespace {

constexpr double kErrors = 3;  // standard errors that a share may be off

int validate(int trials, std::uint64_t seed, const std::string& only) {
  auto checks = validation::all_checks();
  std::erase_if(checks,
                [&](const auto& c) { return (c.group + c.name).find(only) == c.name.npos; });
  if (checks.empty()) throw std::runtime_error("--only \"" + only + "\" matches no row");
  std::vector<validation::Outcome> outcomes(checks.size());
#pragma omp parallel for schedule(dynamic)
  for (std::size_t i = 0; i < checks.size(); ++i)
    outcomes[i] = validation::run(checks[i], trials, seed);
  fmt::print(
      "Made by `scripts/validate_statistics --trials {} --seed {}`: {} trials per row, ± is two "
      "standard errors. A row holds if the result is within {:g} standard errors of what is "
      "wanted.\n{}",
      trials, seed, trials, kErrors, validation::markdown(checks, outcomes, kErrors));
  bool all = true;
  for (std::size_t i = 0; i < checks.size(); ++i)
    all = all && validation::holds(checks[i], outcomes[i], kErrors);
  return all ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  cxxopts::Options options(
      "scripts/validate_statistics",
      "Checks the statistics on simulated comparisons whose true effect is known.");
  options.add_options()("trials", "trials per row", cxxopts::value<int>()->default_value("10000"))(
      "seed", "seed of the simulation", cxxopts::value<std::uint64_t>()->default_value("1"))(
      "only", "rows whose group or name contains this",
      cxxopts::value<std::string>()->default_value(""))("help", "show this help");
  const auto args = options.parse(argc, argv);
  if (args.count("help")) {
    fmt::print("{}", options.help());
    return 0;
  }
  const int trials = args["trials"].as<int>();
  if (trials < 2) throw std::runtime_error("--trials must be 2 or more");
  return validate(trials, args["seed"].as<std::uint64_t>(), args["only"].as<std::string>());
} catch (const std::exception& e) {
  fmt::print(stderr, "validate_statistics: {}\n", e.what());
  return 2;
}
