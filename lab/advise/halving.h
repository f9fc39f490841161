// Finds the regime that does best with few runs: successive halving (Jamieson & Talwalkar 2016,
// arXiv:1502.07943) by the validation loss on tuning seeds.
//
// The number of seeds grows from round to round, not the share of the budget: a regularizer pays at
// the end of the whole budget, and a part of it favours a regime that learns fast.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lab/study/study_runs.h"

namespace lab {

/// A choice of a rival.
struct Regime {
  std::string name;  // "none", "weight_decay=3"
  Assignments set;
  bool drops = false;  // whether dropout is in it
};

/// Every choice of every rival, once if several train the same; the first is `none`. Throws
/// base::Error if one of them cannot be trained, as when a share of the budget is less than a step.
std::vector<Regime> regimes(const train::Settings& base);

/// A regime after a round.
struct Standing {
  std::size_t regime = 0;
  std::int64_t seeds = 0;
  std::optional<double> val_loss;  // mean over them; not known if one was lost
  // Minus that of `none` on the same seeds, which compares regimes with other seeds.
  std::optional<double> against_none;
};

class Halving {
 public:
  static constexpr int kRounds = 3;
  /// Seeds of round 0, 1 and 2.
  static std::int64_t seeds_in(int round) { return std::int64_t{1} << round; }
  /// Regimes that go on into `round` of `count`: a third of those before, with `none` and the best
  /// of either kind besides.
  static std::size_t most_in(int round, std::size_t count);

  /// REQUIRES: `study` has one cell; its arms and seeds are not looked at. It outlives this.
  Halving(const StudyRuns& study, std::vector<Regime> regimes);

  const std::vector<Regime>& all() const { return regimes_; }
  bool done() const { return done_; }
  /// The current one, from 0.
  int round() const { return round_; }
  /// The runs of the current round. Some are missing unless done().
  StudyRuns& runs() { return *runs_; }
  const StudyRuns& runs() const { return *runs_; }
  /// Call it after the missing runs were made. Drops the regimes that are behind. Throws
  /// base::Error if every regime was lost.
  void settle();
  /// All regimes, the best first: those of later rounds before those of earlier ones. REQUIRES:
  /// done().
  const std::vector<Standing>& standings() const { return standings_; }

 private:
  void start(int round, std::vector<std::size_t> in);
  std::vector<Standing> rank() const;

  const StudyRuns& study_;
  std::vector<Regime> regimes_;
  int round_ = 0;
  std::vector<std::size_t> in_;  // the regimes of the round
  std::optional<StudyRuns> runs_;
  std::vector<Standing> standings_;
  bool done_ = false;
};

}  // namespace lab
