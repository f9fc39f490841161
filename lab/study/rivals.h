// What the same compute can do without dropout, and with it: arms by name, each with the grid that
// the literature tunes. All have the same number of choices, so that tuning costs each the same
// runs.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lab/study/arm.h"

namespace lab {

struct Rival {
  std::string_view name, help;
  std::string (*arm)(const train::Settings& base);  // as --arm spells it
};
std::span<const Rival> rivals();
std::vector<std::string> rival_names();
/// Choices of each: what `--rivals` sets --trials to.
inline constexpr std::int64_t kRivalTrials = 5;

/// Arms as --arm spells them, rivals' names among them. Throws base::Error.
std::vector<Level> arm_levels(std::span<const std::string> texts, const train::Settings& base);

/// Those of a comparison for which none are named: none with its share of the budget tuned, and
/// dropout with its rate.
std::vector<Level> default_arms(const train::Settings& base);

}  // namespace lab
