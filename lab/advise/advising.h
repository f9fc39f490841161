// Finds the regime that does best on a text within a time: halving on tuning seeds, then a judged
// comparison.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/measure.h"
#include "lab/advise/halving.h"
#include "lab/session/session.h"

namespace lab {

/// Seeds of the judged regimes: planned if a time is given; the fewest that can tell.
inline constexpr std::int64_t kPlannedSeeds = 12, kLeastSeeds = 8;
/// Judged regimes: none, the best with dropout, the best without it.
inline constexpr std::int64_t kJudged = 3;

/// Whole budgets that halving and judging take at most.
double budgets_at_most(const std::vector<Regime>& regimes, const train::Settings& base,
                       std::int64_t judging_seeds);

/// Seconds of a run on all threads: of one step, and of everything else.
struct RunCost {
  double step = 0, rest = 0;
};

/// Steps of one run, rounded down to two digits, so that `budgets` runs are done within 90 % of
/// `seconds`: the rest is for a machine that gets slower. 0 if that is less than 20 steps.
std::int64_t steps_within(double seconds, double budgets, const RunCost& cost, double speedup);
/// The shortest --time with which steps_within() is not 0, rounded up, as in "4min".
std::string shortest_time(double budgets, const RunCost& cost, double speedup);

/// Seeds of the judged regimes that fit into `seconds`, from what a run took: 2 to kPlannedSeeds.
/// `least` seeds, the fewest that can tell, are taken if three quarters of them fit.
std::int64_t seeds_within(double seconds, double run_seconds, std::int64_t least);

/// The regimes that are judged: `none`, then the best with dropout and the best without it, the
/// better by validation first. REQUIRES: halving.done().
std::vector<Level> judged_arms(const Halving& halving);

struct Advice {
  std::string name;                    // of the regime
  Assignments set;                     // its settings, on top of the given ones
  bool plain = true;                   // no regularizer: nothing is shown to do better
  std::string sentence;                // the whole answer
  std::vector<std::string> too_close;  // regimes with an inconclusive difference or none
};

/// The first judged arm that helps, in the order of validation; `none` if no arm does.
/// REQUIRES: report.final; its first arm is `none`.
const ArmReport& advised(const Report& report);

/// `direct`: a comparison of two judged arms that both help, the second one its first arm; null if
/// there are no two. If the arm hurts there, the other is advised.
Advice make_advice(const Report& report, const Report* direct);

/// {advice: {name, assignments, diff, ci, p_holm, direct, too_close, sentence, command}, tried,
/// report}
Json to_json(const Advice& advice, const Report& report, const Report* direct,
             const Halving& halving, const std::string& command);
/// The sentence, the command, what was tried, the judged table.
std::string render_text(const Advice& advice, const Report& report, const Halving& halving,
                        const std::string& command, bool color, std::size_t width);

struct AdviseOptions {
  SessionOptions session;
  std::optional<double> seconds;      // for everything; not set: one run gets the settings' budget
  std::optional<std::int64_t> seeds;  // that judge; not set: 8, or what fits into the time
};

/// What it will take at most.
struct AdvicePlan {
  std::size_t regimes = 0;
  std::string budget;  // of a run
  double runs_at_most = 0, seconds_at_most = 0;
  std::int64_t seeds = 0;
};

struct Advised {
  Report report;                 // `none` and the best regimes
  std::optional<Report> direct;  // of two that both help, against each other
  Advice advice;
  train::Settings settings;  // those to train with
};

class Advising {
 public:
  /// Loads the data. Throws base::Error.
  Advising(const train::Settings& base, AdviseOptions options, Observer& observer);

  const StudyFolder& folder() const { return *folder_; }
  /// Trains nothing but a few steps that are timed. Throws base::Error, as answer() does, if the
  /// time is too short, and names the shortest that fits.
  AdvicePlan plan();
  /// Makes the runs that are missing. Throws RunsMissing, Interrupted and base::Error.
  Advised answer();
  /// The rounds. REQUIRES: answer() has returned.
  const Halving& halving() const { return *halving_; }

 private:
  void measure();
  void set_budget();
  void halve();
  std::int64_t judging_seeds(double run_seconds) const;
  Advised judge(StudyRuns& judged);
  Json kept(const char* name) const;
  void keep(const char* name, const Json& what) const;

  train::Settings base_;
  AdviseOptions options_;
  Observer& observer_;
  std::int64_t seeds_;  // planned
  std::optional<StudyRuns> plain_;
  std::optional<StudyFolder> folder_;
  std::optional<Halving> halving_;
  Workload work_;
  RunCost cost_;  // measured when it is needed
  double speedup_ = 1;
  base::Stopwatch watch_;
  double seconds_before_ = 0, budgets_spent_ = 0;  // of halving, by earlier commands, and so far
};

}  // namespace lab
