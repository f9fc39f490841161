// A study as a value: arms × cells × shares of the budget × seeds, all of them points in the space
// of settings.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "lab/runs/spec.h"
#include "train/config/settings.h"

namespace lab {

using base::Json;

/// Settings by name and value, in order; values as train::value_text() spells them.
using Assignments = std::vector<std::pair<std::string, std::string>>;

/// "lr=0.01, dropout=0.1"
std::string to_text(const Assignments& set);
/// {"lr": "0.01", "dropout": "0.1"}
Json to_json(const Assignments& set);

/// Values of one setting; tuning chooses one.
struct Alternatives {
  std::string setting;
  std::vector<std::string> values;  // canonical, each once
  bool operator==(const Alternatives&) const = default;
};
using Grid = std::vector<Alternatives>;

/// A place on an axis: a name and settings.
struct Level {
  std::string name;
  Assignments set;
  std::int64_t epochs = 0;  // of a cell: how often its unique data goes into the budget; 0: crops
  Grid grid = {};           // of an arm: what is tuned in it
  // Of an arm of a tuning study: its seeds, if not the study's, and its only cell.
  std::int64_t seeds = 0;
  std::optional<std::size_t> only_cell = {};
};

/// One choice that was tried on the tuning seeds.
struct Trial {
  Assignments set;
  std::int64_t runs = 0, lost = 0;  // lost: diverged, untrained or failed
  std::optional<double> val_loss;   // mean over the runs; not known if one was lost
  bool operator==(const Trial&) const = default;
};

/// How an arm was tuned in a cell, and what was chosen: the lowest validation loss.
struct Tuned {
  std::size_t cell = 0, arm = 0;
  std::vector<Trial> trials;
  std::size_t chosen = 0;     // of the trials
  std::int64_t extended = 0;  // trials beyond the grid's edge
  bool edge = false;          // the choice is still at an edge that could be moved
  double flops = 0;           // that its runs took
  const Assignments& set() const { return trials[chosen].set; }
  bool operator==(const Tuned&) const = default;
};

struct Study {
  train::Settings base;
  std::vector<Level> arms;           // the first is the baseline
  std::vector<Level> cells = {{}};   // a table each; every arm is in every one
  std::vector<Level> shares = {{}};  // of the budget; the whole first
  bool all_at_shares = false;  // whether all arms are trained at the others, or the first alone
  std::int64_t seeds = 8;
  std::optional<double> margin = {};  // nats: smaller differences count as none; not set: as much
                                      // as another seed changes the baseline (its sd over seeds)
  int min_seeds = 8;                  // with fewer the verdict is inconclusive
  // Tuning: on seeds of its own, by the validation loss, before anything is judged.
  Grid tune = {};           // of every arm that does not set it
  std::int64_t trials = 0;  // an arm's choices, drawn from a larger grid; 0: all
  std::int64_t tuning_seeds = 2;
  std::vector<Tuned> tuned = {};  // what was chosen; empty before
  std::string file = {};          // hash of the study file, rule included; empty: made of flags
  int numerics = kNumerics;       // of its runs
};

/// The first tuning seed is this much above the first judging seed; there are never as many seeds.
inline constexpr std::uint64_t kTuningSeeds = 10'000;

/// One run of a study.
struct Point {
  std::size_t cell = 0, arm = 0, share = 0;
  std::uint64_t seed = 0;
  auto operator<=>(const Point&) const = default;
};

/// The level that sets one setting. Throws base::Error if the value is not in its domain.
Level level_of(std::string_view setting, std::string_view value, std::string_view source);
/// Limits of a study: more would take all memory before any message.
inline constexpr std::size_t kMostRuns = 1'000'000, kMostChoices = 100'000;
/// Throws base::Error saying how many there would be. `what`: "runs".
void require_few(double count, std::string_view what, std::size_t most);

/// Levels of the whole budget and of other shares of it.
std::vector<Level> share_levels(const std::vector<double>& others);

/// Whether anything is tuned.
bool tunes(const Study& study);

/// Settings with those of a level on top.
train::Settings with(train::Settings settings, const Level& level);

/// What a point trains: base, then its cell, arm, what was chosen for it, and share on top. Not
/// validated.
train::Settings settings_at(const Study& study, const Point& point);

/// All points in the order they are made: seed by seed, so that a study stopped early has the same
/// seeds for every arm. Throws base::Error if seeds do not fit in 64 bits, or there are more than
/// kMostRuns.
std::vector<Point> points(const Study& study);

/// "epochs 32 · dropout=0.1 · seed 3 · 0.5 × budget"
std::string label(const Study& study, const Point& point);

/// "4 000 unique tokens, seen 256 times"; what sets a cell apart.
std::string title(const train::Settings& base, const Level& cell);

/// What two studies have in common if one extends the other: all but seeds, shares, margin and what
/// changes no result. `data`: hashes of the data, one a cell.
Json identity(const Study& study, const std::vector<std::string>& data);

/// Throws base::Error, naming the arm and the cell, if settings of a point do not go together.
void validate(const Study& study);

/// {set, runs, lost, val_loss}
Json to_json(const Trial& trial);
/// {choices, hash}: the hash is of the study's identity and the choices.
Json to_json(const std::vector<Tuned>& tuned, const Study& study, const Json& identity);
/// Throws base::Error naming `source` if it is not what to_json() wrote for this study.
std::vector<Tuned> tuned_from_json(const Json& json, const Study& study, const Json& identity,
                                   const std::string& source);

}  // namespace lab
