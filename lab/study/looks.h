// How often somebody has looked: verdicts shown on growing data err more often than one alone (see
// look_factor() in verdict.h), whatever the folder, the first seed or the margin they were shown
// with.
#pragma once
#include "lab/study/study_runs.h"

namespace lab {

/// Notes that the verdicts on these runs are shown, and returns which look that is: the most that
/// any of the questions it answers has had. A question is one arm against the baseline in one cell,
/// by the settings of both without the seed; a look is a verdict on seeds that the looks before did
/// not have. Kept in the store. Throws base::Error where it cannot be read or written.
int count_look(const StudyRuns& runs);

}  // namespace lab
