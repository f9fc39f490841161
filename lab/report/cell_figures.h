// Figures of how an arm's difference to the first one hangs on what cells differ in.
#pragma once
#include "lab/report/figure_kinds.h"

namespace lab {

/// Of the difference on log₂ of settings over the cells, seed by seed.
Figure slope(const FigureContext& context);

/// From which value of the setting in `on` the arm's mean is below the first arm's, straight in its
/// logarithm between the cells; first_crossing()'s interval. Where no cell is below, or the first
/// one is already, there is no value and the interval is open on that side.
Figure crossover(const FigureContext& context);

/// Throws base::Error naming the figure where the cells do not tell the slopes apart, or a line
/// of cells does not ascend in one setting.
void check_cells(const FigureSpec& spec, const FigureKind& kind, const Study& study);

}  // namespace lab
