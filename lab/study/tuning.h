// Every arm at its best: the same number of runs for each on seeds of its own, chosen by validation
// loss, written down before anything is judged.
#pragma once
#include <vector>

#include "lab/study/study_runs.h"

namespace lab {

/// The values of "SETTING=V1,V2,…" or of an arm's "SETTING=V1|V2|…". Throws engine::Error naming
/// `source`: a setting that cannot be tuned, a value outside its domain or given twice, a share of
/// the budget above 1.
Alternatives parse_alternatives(std::string_view setting, std::string_view values, char separator,
                                const std::string& source);

/// A study whose arms are the choices of another one's arms.
struct TuningStudy {
  Study study;
  std::vector<std::pair<std::size_t, Assignments>> choices;  // of each arm: whose, and what
};

/// The choices of every arm: the whole grid, or `trials` of it drawn at random (by the first seed,
/// alike for every arm), and those that `tuned` asks for beyond an edge in its cell. An arm with
/// fewer choices than another gets more seeds, so that all get the same number of runs, as far as
/// that divides. Throws engine::Error where an arm has nothing to choose and settings of a choice do
/// not go together.
TuningStudy tuning_study(const Study& study, const std::vector<Tuned>& tuned = {});

/// What the runs say, cell by cell and arm by arm. REQUIRES: none is missing. Throws engine::Error
/// where an arm has lost every choice.
std::vector<Tuned> choose(const Study& study, const TuningStudy& tuning, const StudyRuns& runs);

/// The choices one step beyond the edges of numeric grids that `tuned` stands at: the ratio of the
/// last two values further (of the last difference, where one is not positive), at most two steps,
/// within the setting's domain and not above the whole budget. Empty: no edge to move.
std::vector<Assignments> beyond_the_edge(const Study& study, const Tuned& tuned);

/// {choices, hash}: the hash is of the study's identity and the choices.
Json to_json(const std::vector<Tuned>& tuned, const Study& study, const Json& identity);
/// Throws engine::Error naming `source` where it is not what to_json() wrote for this study.
std::vector<Tuned> tuned_from_json(const Json& json, const Study& study, const Json& identity,
                                   const std::string& source);

}  // namespace lab
