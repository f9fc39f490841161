// Several models that share one budget, asked together: the ensemble that dropout is said to
// approximate (Srivastava et al. 2014, JMLR 15, section 1).
#pragma once
#include <vector>

#include "train/log/sink.h"
#include "train/run.h"

namespace train {

/// Trains settings.members models on the same data, each for its part of the budget with initial
/// weights and masks of its own, one after the other; probabilities (of normal forecasts densities)
/// are averaged. The losses are those of the average, best_val_loss with them, late_loss the last
/// member's; what was spent is that of all. Diverged where a member is.
/// REQUIRES: settings are validated, members > 1.
RunResult run_ensemble(const Settings& settings, const Task& task,
                       const std::vector<Sink*>& sinks = {});

}  // namespace train
