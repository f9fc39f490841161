// What training at other shares of the budget says of an arm: its worth in compute, whether it is
// slower or worse, and how it stands at equal seconds.
#pragma once
#include "lab/report/report.h"

namespace lab {

/// Fills equivalent, equivalent_ci, shares, trend and, where its speed is there, at_equal_seconds.
/// Nothing where a seed lacks a run of any share: a selection of seeds would mislead. `metric`: the
/// loss that is judged on.
void add_shares(ArmReport& out, const StudyRuns& runs, std::size_t cell, std::size_t arm,
                const std::string& metric);

/// The first arm's losses at every share, ascending; empty where it has one alone.
std::vector<ShareLosses> losses_by_share(const StudyRuns& runs, std::size_t cell,
                                         const std::string& metric);

}  // namespace lab
