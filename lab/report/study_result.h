// A claim put to the test: figures, and the verdict that the rule in the file makes of them.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/text_table.h"
#include "lab/report/figures.h"

namespace lab {

/// kNone: a quick look, which gives none.
enum class StudyVerdict { kSupported, kContradicted, kOpen, kNone };
std::string_view to_string(StudyVerdict verdict);  // "supported", …, "none (quick)"

struct StudyResult {
  StudyFile file;
  Report report;
  std::vector<Figure> figures;
  StudyVerdict verdict = StudyVerdict::kOpen;
};

/// By the rule: supported where each of its conditions holds for the whole interval, contradicted
/// where any of the others does; open otherwise, with fewer seeds than the rules ask for, or where
/// both would hold.
StudyVerdict decide(const StudyFile& file, const std::vector<Figure>& figures,
                    const Report& report);
StudyResult make_result(StudyFile file, Report report);

/// "supported where …; contradicted where …; open otherwise"
std::string rule_text(const StudyFile& file);
/// The figures as a table: name, value, interval, unit.
base::Lines figure_lines(const StudyResult& result);
/// A sentence: the claim, the verdict and the figures of the rule.
std::string headline(const StudyResult& result);
/// {file, hash, claim, title, question, rule, verdict, figures[], front[], runs, builds}
Json to_json(const StudyResult& result);
/// With {report} besides: its JSON.
Json to_json(const StudyResult& result, Json report);
/// "text" or "md"; `said`: what stands between the verdict and the figures.
std::string render(const StudyResult& result, const std::string& format, bool color,
                   std::size_t width, const std::string& said = "");

}  // namespace lab
