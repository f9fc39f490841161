// Every arm at its best: the same number of runs for each on seeds of its own, chosen by validation
// loss, written down before anything is judged.
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
/// alike for every arm), and in their cells those that `more` has besides. An arm with fewer
/// choices than another gets more seeds, so that all get the same number of runs, as far as that
/// divides. Throws base::Error where every arm sets what is tuned in all of them.
TuningStudy tuning_study(const Study& study, const std::vector<Tuned>& more = {});

/// Every combination of the values of an arm's own grid; none where it has no grid.
std::vector<Assignments> choices_of(const Level& arm);

/// Runs of a study, and their budgets together in whole ones; what an edge adds is not known
/// before.
struct StudySize {
  std::size_t judged = 0, tuning = 0;
  double budgets = 0;
};
StudySize size_of(const Study& study);

/// The tuning of a study, as far as the records that are there allow.
class GridSearch {
 public:
  /// REQUIRES: `judged` outlives this; something is tuned in its study, which has no choices yet.
  /// Throws base::Error where settings of a choice do not go together.
  explicit GridSearch(const StudyRuns& judged);

  bool done() const { return done_; }
  /// What was chosen for every arm and cell that has something to choose. REQUIRES: done().
  const std::vector<Tuned>& tuned() const { return tuned_; }
  /// The runs of all choices there are so far. Some are missing unless done().
  StudyRuns& runs() { return *runs_; }
  const StudyRuns& runs() const { return *runs_; }
  /// The arm of the judged study that an arm of runs() is a choice of.
  std::size_t whose(std::size_t choice) const { return tuning_.choices[choice].first; }

  /// After the missing runs were made: chooses, and where a numeric grid's end was chosen adds the
  /// choice one step beyond (the ratio of the last two values, of the last difference where one is
  /// not positive), at most two for an arm in a cell, none that could not be trained or spends more
  /// than the budget. Throws base::Error where an arm has lost every choice.
  void settle();

 private:
  const StudyRuns& judged_;
  TuningStudy tuning_;
  std::optional<StudyRuns> runs_;
  std::vector<Tuned> tuned_;
  bool done_ = false;
};

/// {set, runs, lost, val_loss}
Json to_json(const Trial& trial);
/// {choices, hash}: the hash is of the study's identity and the choices.
Json to_json(const std::vector<Tuned>& tuned, const Study& study, const Json& identity);
/// Throws base::Error naming `source` where it is not what to_json() wrote for this study.
std::vector<Tuned> tuned_from_json(const Json& json, const Study& study, const Json& identity,
                                   const std::string& source);

}  // namespace lab
