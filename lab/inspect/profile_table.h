// A profile as rows that add up to the step. Pure functions of the samples.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "lab/inspect/profile.h"
#include "lab/stats/paired.h"

namespace lab {

enum class By : std::uint8_t { kOp, kLayer, kNode };

/// What one step spends on something. All times here are means over the typical steps: the middle
/// half by wall time. So they add up, and a step that was held up counts nowhere.
struct ProfilePart {
  double calls = 0, ms = 0;
  engine::Cost cost;
  double least_ms = 0;  // at the measured peaks, call by call
  // What the cost gives; unknown without time or cost.
  std::optional<double> gflops() const, gbps() const, intensity() const, of_roof() const;
  ProfilePart& operator+=(const ProfilePart& other);
};

struct ProfileRow {
  std::string name;
  ProfilePart forward, backward;  // backward: with what runs again for it
  ProfilePart total;              // of both, or of what is neither
  std::vector<double> samples;    // the total's milliseconds, step by step
  Interval quartiles;             // of them
  double share = 0;               // of the step
};

/// How something was done here, as its op describes it: a product's implementation and way.
struct HowRow {
  std::string name;  // of the node; "h.*.mlp.c_fc" for the same in several layers
  std::string pass, how;
  ProfilePart part;
  double of_peak = 0;  // GFLOP/s over the measured peak
};

struct ProfileTable {
  std::string arm;
  std::vector<ProfileRow> rows;  // in the tape's order; then optimizer, data, untracked
  std::vector<HowRow> how;       // of calls that say; layers in which they say the same together
  double step_ms = 0;            // what the rows add up to
  Interval step_quartiles;
  double plain_ms = 0;                       // median of the steps without the observer
  PairedRatio overhead;                      // of observing
  double tokens_per_second = 0, gflops = 0;  // of the median plain step, by the budgets' FLOPs
};

/// The names of the rows that are no op's.
inline constexpr const char *kOptimizerRow = "optimizer", *kDataRow = "data",
                            *kUntrackedRow = "untracked";

/// "forward", "replay", "backward"
std::string_view to_string(engine::Event::Kind kind);

/// REQUIRES: a sample or more.
ProfileTable profile_table(const ArmProfile& arm, const Roof& roof, By by);

/// What the second arm takes longer, row by row; rows of one arm only are there too.
struct TaxRow {
  std::string name;
  double first_ms = 0, second_ms = 0;
  std::optional<PairedDifference> paired;  // over steps made in turns; unknown for fewer than 6
  double tax_ms() const { return paired ? paired->difference : second_ms - first_ms; }
};
std::vector<TaxRow> tax_rows(const ProfileTable& first, const ProfileTable& second);

/// The middle half of the steps' times over their median: near 0 on an idle machine.
double unrest(const ProfileTable& table);
/// From here on single times mislead.
inline constexpr double kRestless = 0.1;

/// The ratio of the arms' steps without the observer, paired by round.
PairedRatio step_tax(const ArmProfile& first, const ArmProfile& second);

}  // namespace lab
