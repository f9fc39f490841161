// What runs of an arm know, seed by seed, as figures need it.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lab/report/figure_kinds.h"

namespace lab {

using BySeed = std::map<std::uint64_t, double>;

Figure missing(std::string why);
/// A mean with its t interval.
Figure of(const Estimate& estimate, double alpha);

/// The figure's own metric, else what is judged.
const std::string& metric_of(const FigureContext& context);

/// Why a figure is not taken: runs that are ok and do not know the metric, of which what is left
/// would be a selection. Empty: all of them do.
std::string unknown(const ArmReport& arm, const std::string& metric);

/// What is asked of an arm, of its runs that are ok.
BySeed values(const ArmReport& arm, const std::string& metric);

/// a − b of the seeds that have both.
std::vector<double> less(const BySeed& a, const BySeed& b);

}  // namespace lab
