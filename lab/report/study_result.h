// A claim put to the test: figures, the verdict that the rule in the file makes of them, and the
// study with its records, for others to read and to make the figures again without a run.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_table.h"
#include "lab/report/figures.h"
#include "lab/runs/store.h"

namespace lab {

/// kOn: no arm has a lower mean loss for as little compute. kUntold: one has, and the seeds do not
/// tell that from chance. kOff: one is better for as little compute, told by its paired t test.
enum class FrontPlace : std::uint8_t { kOn, kUntold, kOff };
std::string_view to_string(FrontPlace place);  // "on", "inconclusive", "off"

struct FrontPoint {
  std::size_t arm = 0;
  double share = 1, flops = 0, loss = 0;
  FrontPlace place = FrontPlace::kOn;
  std::string by;  // who is better: arm and share; empty where nobody is
};

/// Every arm at every share of the budget, by compute, then loss. Tests are of pairs of points that
/// share seeds, Bonferroni over all ordered pairs of the cell. Empty where arms were not trained at
/// other shares, or seeds are missing.
std::vector<FrontPoint> front(const CellReport& cell, double alpha);

/// "b at 1 ×, Pareto front: on"
std::string front_note(const CellReport& cell, const FrontPoint& point);

/// Every cell's front: a line for each point. Empty where there is none.
base::Lines front_lines(const Report& report);
Json front_json(const Report& report);

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

/// "supported if …; contradicted if …; else open"
std::string rule_text(const StudyFile& file);
/// The estimates as a table: name, value, interval, unit.
base::Lines figure_lines(const StudyResult& result);
/// A sentence: the claim, the verdict and the figures of the rule.
std::string headline(const StudyResult& result);
/// {file, hash, claim, title, question, rule, verdict, figures[], front[], runs, builds}
Json to_json(const StudyResult& result);
/// With {report} besides: its JSON.
Json to_json(const StudyResult& result, Json report);
/// "text" or "md"; `said`: what stands between the verdict and the figures.
std::string render(const StudyResult& result, const std::string& format, bool color,
                   std::size_t width, const std::string& said = "", bool verbose = false);

/// The records of a study's runs and of its tuning's, each once, without what is not known of them;
/// windows only where a verdict is taken over them, which is where the seeds share a test text.
std::vector<Json> records_of(const StudyFile& file, const Store& store, bool other_builds,
                             bool windows);

/// Writes DIR/NAME.json, and DIR/NAME.md with what DIR/NAME.note.md says by hand on top, if there
/// is one. Throws base::Error.
void publish(const StudyResult& result, const std::vector<Json>& records,
             const std::filesystem::path& folder);

/// A result again, and the records it was made of.
struct Published {
  StudyResult result;
  std::vector<Json> records;
};

/// From DIR/NAME.json and nothing else; `scratch` is an empty store. Throws base::Error: not
/// there, of another study file, records missing or edited.
Published read_published(const StudyFile& file, const std::filesystem::path& folder,
                         const Store& scratch);

/// DIR/index.html, of all of the studies that are published in DIR.
void publish_index(const std::vector<StudyResult>& results, const std::filesystem::path& folder);

}  // namespace lab
