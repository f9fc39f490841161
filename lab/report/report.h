// From the records of a study to the answer: one typed document, of which every format is made.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lab/runs/curve.h"
#include "lab/stats/crossing.h"
#include "lab/stats/equivalent.h"
#include "lab/study/speed.h"
#include "lab/study/study_runs.h"
#include "lab/study/verdict.h"

namespace lab {

/// Mean and standard deviation over the seeds that have the metric.
struct Spread {
  std::optional<double> mean, sd;
};

/// An arm at a share of the budget.
struct ShareReport {
  double share = 1, flops = 0;                  // flops: mean over the seeds
  Spread loss;                                  // on the split that is judged on
  std::optional<Estimate> diff;                 // against the first arm at that share
  std::map<std::uint64_t, double> losses = {};  // by seed
};

/// How a run of the whole budget went.
struct RunCurve {
  std::uint64_t seed = 0;
  std::vector<CurvePoint> points;
};

/// What the first arm ends at with another share of the budget: losses by seed, of the runs that
/// are ok.
struct ShareLosses {
  double share = 1;
  std::map<std::uint64_t, double> losses;
};

struct ArmReport {
  std::string name;
  Assignments set;
  std::string budget;            // what it may spend, "500steps"
  std::vector<RecordPtr> runs;   // of the whole budget, one a seed that is done or failed
  std::vector<RunCurve> curves;  // of those that are ok and whose log is still there
  std::vector<std::string> broken_curves = {};         // why others were left out of the pictures
  std::vector<std::uint64_t> missing;                  // seeds that are not done yet
  std::map<std::string, Spread, std::less<>> metrics;  // of the runs that are ok, by name
  int diverged = 0, failed = 0, untrained = 0;
  std::optional<Tuned> tuned;     // where anything of it was chosen
  std::optional<Verdict> versus;  // not of the first arm, nor while runs are missing
  std::optional<ComputeEquivalent> equivalent;
  std::optional<EquivalentInterval> equivalent_ci;
  std::vector<ShareReport> shares;  // of the budget, ascending, the whole among them
  std::optional<Estimate> trend;    // of the difference, nats per doubling of the budget
  // Against the first arm at the same seconds: its loss where its step time leaves off, on its
  // curve over shares.
  std::optional<Estimate> at_equal_seconds;
  std::optional<ArmSpeed> speed;
};

struct CellReport {
  std::string name, title;
  Assignments set;
  std::int64_t epochs = 0;
  std::optional<std::int64_t> unique_tokens;
  std::vector<ArmReport> arms;
  double margin = 0;                // nats
  std::vector<ShareLosses> shares;  // of the first arm, ascending; empty where it has one alone
};

struct Report {
  bool tuning = false;  // of choices, by the validation loss
  bool final = true;    // every run that there must be is done or has failed
  std::string budget;
  train::DataSummary data;     // of the first cell
  std::vector<Build> builds;   // that made the runs, each once
  std::set<Machine> machines;  // likewise
  Rules rules;
  bool own_margin = false;           // given, not from the baseline's spread
  std::string judged = "test_loss";  // the metric that verdicts are on
  bool own_exams = false;            // every seed has held-out data of its own
  std::int64_t tuning_seeds = 0;     // at least; 0: nothing was tuned
  std::int64_t seeds = 0;
  std::string folder, store;
  std::string study;  // hash of study.json, which is written before the first run
  train::Settings base;
  std::vector<CellReport> cells;
};

/// `looks`: how often verdicts were shown on growing data, this time included. `curves`: whether
/// the runs' logs are read.
Report make_report(const StudyRuns& runs, const Speeds& speeds, int looks,
                   const std::string& folder, bool curves = true);
/// Arms that are tested, over all cells: all but the first of each.
std::size_t family_of(const Report& report);

/// The document as JSON, docs/schema.md, to be written with train::json_text(): the runs, which may
/// be a hundred thousand, are train::ready().
Json to_json(const Report& report);

/// "brief", "text" (all there is to say), "json", "csv", "md". `width`: of a terminal, which the text's tables don't exceed; 0:
/// any.
std::string render(const Report& report, const std::string& format, bool color,
                   std::size_t width = 0);
/// What there is while runs are still being made: means and differences, no verdicts.
std::string render_live(const Report& report);

}  // namespace lab
