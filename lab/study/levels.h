// What a study is made of: arms by name, cells by axes and epochs, shares of the budget.
//
// Rivals are named arms, without dropout and with it, each with the grid that the literature tunes.
// All have the same number of choices, so that tuning costs each the same runs.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lab/study/arm.h"

namespace lab {

struct Rival {
  std::string_view name, help;
  std::string_view text;  // as --arm spells it; empty: it depends on the settings
  std::string arm(const train::Settings& base) const;
};
std::span<const Rival> rivals();
std::vector<std::string> rival_names();
/// Choices of each: what `--rivals` sets --trials to.
inline constexpr std::int64_t kRivalTrials = 5;

/// Arms as --arm spells them, rivals' names among them. Throws base::Error.
std::vector<Level> arm_levels(std::span<const std::string> texts, const train::Settings& base);

/// The arms of a comparison that names none: no regularizer with early stopping, and dropout with
/// its rate tuned.
std::vector<Level> default_arms(const train::Settings& base);

/// A setting that takes several values, a table each.
struct Axis {
  std::string setting;
  std::vector<std::string> values;
  std::string source;  // that gave it, for messages
};

/// Every one of `cells` with every combination of the axes, times the numbers of epochs; `cells`
/// itself without either. Loads the data if the FLOPs of the model are needed. Throws base::Error:
/// a setting that is the same for a whole study, a value outside its domain or given twice, no
/// value, another kind of budget, epochs that leave no data.
std::vector<Level> cells_of(const train::Settings& base, const Level& first_arm,
                            std::vector<Level> cells, const std::vector<Axis>& axes,
                            const std::vector<std::int64_t>& epochs);

/// Every pair of a level of `a` and one of `b`, which must not set the same.
std::vector<Level> product(const std::vector<Level>& a, const std::vector<Level>& b);
/// Every one of `each` with every number of epochs: unique_tokens is what the first arm's budget
/// reads there, divided by it. Throws base::Error if that is not known (a budget in seconds or
/// epochs) or less than one window. `flops_per_token`: of training, called for a budget in FLOPs.
std::vector<Level> epoch_cells(
    const train::Settings& first_arm, const std::vector<Level>& each,
    const std::vector<std::int64_t>& epochs,
    const std::function<double(const train::Settings&)>& flops_per_token);

/// Shares at which the first arm is trained to say what the others are worth: with the whole budget
/// five points, so that a bend of the curve shows.
inline const std::vector<double> kEquivalentShares = {0.125, 0.25, 0.5, 2};
/// Levels of given shares, the whole budget among them. Throws base::Error naming
/// `source`: a share outside (0, 1024] or given twice, no whole, nothing but it.
std::vector<Level> given_shares(const std::vector<double>& shares, const std::string& source);

}  // namespace lab
