// Tunes every arm: the same number of runs for each, on tuning seeds, chosen by validation loss and
// written down before anything is judged.
#pragma once
#include <optional>
#include <utility>
#include <vector>

#include "lab/study/study_runs.h"

namespace lab {

/// A study whose arms are the choices of another one's arms.
struct TuningStudy {
  Study study;
  std::vector<std::pair<std::size_t, Assignments>> choices;  // of each arm: whose, and what
};

/// The choices of every arm: the whole grid, or `trials` of it drawn at random (by the first seed,
/// alike for every arm), and in their cells those that `more` adds. An arm with fewer choices gets
/// more seeds, so that all get the same number of runs, as far as that divides. Throws base::Error
/// if every arm sets what is tuned in all of them.
TuningStudy tuning_study(const Study& study, const std::vector<Tuned>& more = {});

/// Every combination of the values of an arm's own grid; none without a grid.
std::vector<Assignments> choices_of(const Level& arm);

/// What the runs of an arm in a cell say, without its settings. REQUIRES: none is missing.
Trial trial_of(const StudyRuns& runs, std::size_t cell, std::size_t arm);

/// Runs of a study and their budgets, in whole budgets, without the choices that an edge adds.
struct StudySize {
  std::size_t judged = 0, tuning = 0;
  double budgets = 0;
};
StudySize size_of(const Study& study);

/// The tuning of a study, as far as its records go.
class GridSearch {
 public:
  /// REQUIRES: `judged` outlives this; something is tuned in its study, which has no choices yet.
  /// Throws base::Error if settings of a choice do not go together.
  explicit GridSearch(const StudyRuns& judged);

  bool done() const { return done_; }
  /// What was chosen for every arm and cell that has something to choose. REQUIRES: done().
  const std::vector<Tuned>& tuned() const { return tuned_; }
  /// The runs of all choices so far. Some are missing unless done().
  StudyRuns& runs() { return *runs_; }
  const StudyRuns& runs() const { return *runs_; }
  /// The arm of the judged study that an arm of runs() is a choice of.
  std::size_t whose(std::size_t choice) const { return tuning_.choices[choice].first; }

  /// Call it after the missing runs were made. Chooses, and if the end of a numeric grid won adds
  /// the choice one step beyond (by the ratio of the last two values, or their difference if one is
  /// not positive): at most two for an arm in a cell, none that cannot be trained or spends more
  /// than the budget. Throws base::Error if an arm has lost every choice.
  void settle();

 private:
  const StudyRuns& judged_;
  TuningStudy tuning_;
  std::optional<StudyRuns> runs_;
  std::vector<Tuned> tuned_;
  bool done_ = false;
};

}  // namespace lab
