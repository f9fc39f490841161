// Who is on the Pareto front of loss against compute, as far as the seeds can tell.
#pragma once
#include <string>
#include <vector>

#include "base/text_table.h"
#include "lab/report/report.h"

namespace lab {

/// kOn: no arm has a lower mean loss for as little compute. kUntold: one has, and the seeds do not
/// tell that from chance. kOff: one is better for as little compute, told by its paired t test.
enum class FrontPlace : std::uint8_t { kOn, kUntold, kOff };
std::string_view to_string(FrontPlace place);  // "on", "inconclusive", "off"

struct FrontPoint {
  std::size_t arm = 0;
  double share = 1, flops = 0, loss = 0;
  FrontPlace place = FrontPlace::kOn;
  std::string by;  // who is better: arm and share; empty where nobody is
};

/// Every arm at every share of the budget, by compute, then loss. Tests are of pairs of points that
/// share seeds, Bonferroni over all ordered pairs of the cell. Empty where arms were not trained at
/// other shares, or seeds are missing.
std::vector<FrontPoint> front(const CellReport& cell, double alpha);

/// Every cell's front: a line for each point. Empty where there is none.
base::Lines front_lines(const Report& report);
Json front_json(const Report& report);

}  // namespace lab
