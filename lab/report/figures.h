// Figures of a study's report: what its rule is about.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lab/report/report.h"
#include "lab/study/study_file.h"

namespace lab {

struct Figure {
  std::string name, unit;
  std::optional<double> value;
  std::optional<Interval> ci;
  std::string missing;      // why there is no value; empty where there is one
  std::string note = {};    // what it does not speak of
  bool other_text = false;  // speaks of other text, too, where all seeds share a test text
};

/// All figures of a file, their intervals together covering 1 − report.rules.alpha (Bonferroni).
/// Throws base::Error naming line and column where one asks for what there is not.
std::vector<Figure> make_figures(const StudyFile& file, const Report& report);
/// Throws in all of these cases, before anything is trained.
void check_figures(const StudyFile& file);

}  // namespace lab
