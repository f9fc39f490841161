// Figures of how losses hang on the learning rate, over cells that differ in it.
#pragma once
#include "lab/report/figure_kinds.h"

namespace lab {

/// How much a wrong rate costs with the arm, less what it costs with the first one: the mean over
/// the rates of min(loss, loss of a uniform guess) less the lowest loss, averaged over what else
/// the cells differ in (Wortsman et al. 2023, arXiv:2309.14322, section 2.2). A run that diverged,
/// or learned nothing, counts as the guess.
Figure rate_sensitivity(const FigureContext& context);

/// The slope of log₂ of the best rate on log₂ of the other setting in `on`, with the arm, less that
/// with the first one: 0 where rates found at one size transfer alike. The best rate is where a
/// parabola through the lowest loss and its neighbours is lowest.
Figure best_rate_slope(const FigureContext& context);

/// Throws base::Error naming the figure where the cells are no grid of 3 or more rates (and, of
/// best_rate_slope, 2 or more values of the other setting).
void check_rates(const FigureSpec& spec, const Study& study, bool slope);

}  // namespace lab
