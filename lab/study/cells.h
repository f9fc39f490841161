// The tables of a study: what all of its arms are held to in turn.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "lab/study/study.h"

namespace lab {

/// A setting that takes several values, a table each.
struct Axis {
  std::string setting;
  std::vector<std::string> values;
  std::string source;  // that gave it, for messages
};

/// Every one of `cells` with every combination of the axes, times the numbers of epochs; {{}}
/// without either is the one table there is. Loads the data where the budget asks for FLOPs of the
/// model. Throws base::Error: a setting that is the same for a whole study, a value that is none
/// for it or given twice, no value, another kind of budget, epochs that leave no data.
std::vector<Level> cells_of(const train::Settings& base, const Level& first_arm,
                            std::vector<Level> cells, const std::vector<Axis>& axes,
                            const std::vector<std::int64_t>& epochs);

}  // namespace lab
