#include "tests/validation/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace validation {

double Outcome::error() const {
  // As if one trial had come out the other way, so that 0 and 1 are not taken for certain.
  const double n = trials, p = std::clamp(share, 1 / n, 1 - 1 / n);
  return std::sqrt(p * (1 - p) / n);
}

std::vector<Check> all_checks() {
  std::vector<Check> all = false_verdicts();
  for (const auto& more : {coverage(), power()}) all.insert(all.end(), more.begin(), more.end());
  return all;
}

Outcome run(const Check& check, int trials, std::uint64_t seed) {
  Normals random(seed, check.group + check.name);
  int hits = 0;
  for (int i = 0; i < trials; ++i) hits += check.trial(random);
  return {static_cast<double>(hits) / trials, trials};
}

bool holds(const Check& check, const Outcome& outcome, double errors) {
  const double slack = errors * outcome.error();
  return !check.wanted ||
         (outcome.share >= check.wanted->lo - slack && outcome.share <= check.wanted->hi + slack);
}

std::string markdown(const std::vector<Check>& checks, const std::vector<Outcome>& outcomes,
                     double errors) {
  std::string out, group;
  for (std::size_t i = 0; i < checks.size(); ++i) {
    const Check& c = checks[i];
    if (c.group != group) {
      group = c.group;
      out += fmt::format("\n### {}\n\n| | wanted % | found % | |\n|---|---|---|---|\n", group);
    }
    const std::string wanted =
        c.wanted ? fmt::format("{:.3g} to {:.3g}", 100 * c.wanted->lo, 100 * c.wanted->hi) : "–";
    out += fmt::format("| {} | {} | {:.2f} ± {:.2f} | {} |\n", c.name, wanted,
                       100 * outcomes[i].share, 200 * outcomes[i].error(),
                       !c.wanted                       ? "for comparison"
                       : holds(c, outcomes[i], errors) ? "holds"
                                                       : "**fails**");
  }
  return out;
}

}  // namespace validation
