// Finds the regime that does best on a text: halving on tuning seeds, then a judged comparison.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/measure.h"
#include "lab/advise/advice.h"
#include "lab/advise/within_time.h"
#include "lab/session/session.h"

namespace lab {

struct AdviseOptions {
  SessionOptions session;
  std::optional<double> seconds;      // for all of it; not set: the settings' budget is of one run
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
  /// Trains nothing but a few steps that are timed.
  AdvicePlan plan();
  /// Makes the runs that are missing. Throws RunsMissing, Interrupted and base::Error.
  Advised answer();
  /// Of the rounds. REQUIRES: answer() has returned.
  const Halving& halving() const { return *halving_; }

 private:
  std::int64_t planned_seeds() const;
  void set_budget();
  void measure();
  void halve();
  std::int64_t judging_seeds(double run_seconds) const;
  Advised judge(StudyRuns& judged);

  train::Settings base_;
  AdviseOptions options_;
  Observer& observer_;
  std::optional<StudyRuns> plain_;
  std::optional<StudyFolder> folder_;
  std::optional<Halving> halving_;
  Workload work_;
  Pace pace_;  // measured when it is needed
  double speedup_ = 1;
  base::Stopwatch watch_;
  double seconds_before_ = 0, budgets_spent_ = 0;  // of halving, by earlier commands, and so far
};

}  // namespace lab
