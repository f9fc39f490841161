// From paired losses to "does it help?", by stated rules.
//
// For each arm other than the first, on the differences d = loss(arm) − loss(first arm), seed by
// seed:
//   helps, hurts         Holm's p over the table < α and mean d below, above 0 (even if tiny)
//   no difference        else, if two one-sided tests place the mean of d within ±margin at α
//   inconclusive         else, or with fewer seeds than min_seeds; with what more seeds could show
//   withheld             before all else, if any run of the pair diverged, learned nothing or could
//                        not be made: what is left is a selection, the seeds in which both
//                        survived, and tests of it mislead
// Holm's family is every arm other than the first in every cell, withheld ones included. Intervals
// are simultaneous over that family (Bonferroni, see simultaneous_intervals); the equivalence test
// is each arm's own, not corrected for the number of arms.
//
// Where every seed has a test text of its own, the differences over seeds hold all that varies.
// Where all seeds share one, they don't know how another text would have come out: then seeds are
// crossed with the text's windows (crossed.h), and the verdict speaks of other text of this kind.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lab/stats/estimate.h"
#include "lab/stats/plan.h"
#include "lab/stats/stats.h"

namespace lab {

enum class Outcome { kBaseline, kHelps, kHurts, kNoDifference, kCannotTell, kWithheld };

/// "baseline", "helps", "hurts", "no difference", "inconclusive", "withheld".
std::string_view to_string(Outcome outcome);

/// One arm in one cell of the table. Seeds in which either run diverged are only counted.
struct PairedCell {
  std::string cell, arm;
  std::vector<double> baseline, arm_loss;  // final losses, pair by pair; finite
  int diverged = 0;    // pairs lost because the first arm's or this run diverged
  bool first = false;  // this is the first arm's own row: no test
  int failed = 0;      // pairs lost because one of them could not be made
  int untrained = 0;   // pairs lost because one of them learned nothing
  // Differences by window where all seeds share a test text, row-major (pairs, windows); their mean
  // is that of the losses. Empty: every seed has a text of its own.
  std::vector<double> windows = {};
  std::optional<double> margin = {};  // not set: that of the rules
};

struct Rules {
  double margin = 0.01;   // nats: differences within it don't matter
  double alpha = 0.05;    // error rate of each kind of claim
  double power = 0.8;     // chance to tell, for the number of seeds
  double sd_level = 0.8;  // coverage of the interval for σ behind that number
  int min_seeds = 2;      // with fewer nothing is told
  int looks = 1;          // how often verdicts were shown on growing sets of seeds, this included
  int max_seeds = 1000;   // numbers of seeds beyond it are given as "more than"
};

/// More seeds needed than there are; nullopt: the total would be more than Rules::max_seeds.
struct SeedRange {
  std::optional<int> lo, hi;
  bool operator==(const SeedRange&) const = default;
};

/// "7 to 31", "7", "40 to over 1000", "over 1000".
std::string to_string(const SeedRange& range, int max_seeds = Rules{}.max_seeds);

/// What is known about one arm in one cell. nullopt is "not known": everything but n with no pair,
/// all tests with one pair or in the first arm's row; a withheld arm keeps `diff` alone.
struct Verdict {
  std::string cell, arm;
  int n = 0, diverged = 0, failed = 0, untrained = 0;
  std::optional<double> diff;          // mean of arm − first arm: negative is better
  std::optional<double> sd;            // of the differences, over seeds
  std::optional<Interval> ci;          // at ci_level()
  std::optional<Estimate> estimate;    // that the interval and the tests are of
  std::optional<double> p;             // t test, as it is
  std::optional<double> p_holm;        // corrected for the table and the looks
  std::optional<double> p_equivalent;  // two one-sided tests, corrected for the looks
  std::optional<double> p_signs;       // sign flips, as it is; up to kShowSignFlips pairs
  double margin = 0;
  bool negligible = false;  // the interval lies within ±margin
  // Standard errors of `diff` over seeds and, with a shared test text, over its windows.
  std::optional<double> se_seeds, se_windows;
  int windows = 0;  // of the shared test text
  Outcome verdict = Outcome::kCannotTell;
  std::optional<SeedPlan> plan;  // of kCannotTell with 2 ≤ n < max_seeds
  std::optional<SeedRange>
      more_seeds;  // of it: until half of `diff`, or that there is none, is told
  int looks = 1;
};

/// Pairs up to which sign flips are shown beside the t test.
inline constexpr int kShowSignFlips = 12;

/// The factor on every p value at look k (and the divisor of α in the interval): 1 at the first
/// look, k(k − 1) = 2, 6, 12, 20, … at the later ones.
///
/// Whoever looks, and adds seeds because the answer was unclear, gets several chances to err
/// (Armitage, McPherson & Rowe 1969, J. R. Stat. Soc. A 132:235). Neither the number of looks nor
/// their times are planned here, so α is spent look by look (as in Lan & DeMets 1983, Biometrika
/// 70:659) and the looks are joined by Boole's inequality, which asks nothing about their
/// dependence. Look k ≥ 2 may err with probability α/(k(k − 1)), and Σ 1/(k(k − 1)) = 1. Thus:
///   never extended: plain p values, error at most α;
///   all looks after the first together: error at most α, however many and whenever;
///   the first included: at most 2α. A bound of α in all would have to correct the first look
///   already, before anyone knows whether there will be another.
/// A look is a verdict shown, followed by seeds that it didn't have: showing it again is none, and
/// neither is going on with an interrupted comparison before any verdict was shown.
double look_factor(int looks);

/// What the intervals of `family` arms cover, each: 1 − alpha / (look_factor(looks) · family). All
/// at once they cover 1 − alpha / look_factor(looks).
double ci_level(const Rules& rules, std::size_t family = 1);
/// Arms that are tested: all but the first of each cell.
std::size_t family_of(std::span<const PairedCell> table);

/// A sentence for the report when looks > 1, "" otherwise.
std::string looks_note(const Rules& rules);

/// The verdicts of the whole table, in its order.
///
/// plan: what further seeds could show (plan_pairs), with the α of look k + 1, since seeds added
/// make another look: α for equivalence, and for a difference α/(m − r) as Holm's procedure asks of
/// the next of m hypotheses when r are rejected already. The observed difference is not taken as
/// true. more_seeds: the fewer of those that half of the observed difference needs and those that
/// show there is none, at the ends of the interval for σ, less the n there are; at least 1, and up
/// to min_seeds.
std::vector<Verdict> judge(std::span<const PairedCell> table, const Rules& rules = {});

}  // namespace lab
