// Trains every arm for the same budget on paired seeds, keeps what is done in a folder, and goes on
// where it was stopped.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lab/arm.h"
#include "lab/run_store.h"
#include "train/corpus.h"
#include "train/trainer.h"

namespace lab {

struct ComparisonSpec {
  train::Settings base;
  std::vector<Arm> arms;  // the first is the baseline
  std::int64_t seeds = 5;
  std::vector<std::int64_t>
      epochs;                 // a cell each; empty: one cell, random crops of the whole split
  bool equivalent = false;    // the first arm at other budgets too
  double margin = 0.01;       // nats
  std::filesystem::path out;  // empty: a folder named after the identity
};

/// Shares of the budget at which `--equivalent` trains the first arm, besides 1.
inline constexpr double kShares[] = {0.25, 0.5, 2};

/// One cell of the table: how often the unique data is repeated.
struct Cell {
  std::optional<std::int64_t> epochs, unique_tokens;
};

/// What the caller shows while runs are made.
struct ComparisonEvents {
  std::function<void(const std::string&)> note;  // a line that stays
  // run number of so many, its label ("epochs 32 · dropout=0.1 · seed 3"), where it is
  std::function<void(std::size_t, std::size_t, const std::string&, const train::Progress&)>
      progress;
};

class Comparison {
 public:
  /// Checks everything that can be checked before the first step: arms, budgets, unique data,
  /// memory, and whether the folder holds this very comparison. Throws engine::Error.
  Comparison(ComparisonSpec spec, const train::Corpus& corpus);

  /// Makes the runs that are missing. A run that fails or diverges is noted; the others go on.
  void run(const ComparisonEvents& events);

  const ComparisonSpec& spec() const { return spec_; }
  const train::Corpus& corpus() const { return corpus_; }
  const std::vector<Cell>& cells() const { return cells_; }
  const RunStore& store() const { return store_; }
  RunStore& store() { return store_; }
  /// All runs there must be, in the order they are made: seed by seed, so that every arm has the
  /// same number when it is stopped early.
  std::vector<RunKey> keys() const;
  std::string label(const RunKey& key) const;
  /// The settings of one run.
  train::Settings settings(const RunKey& key) const;

 private:
  RunRecord make_run(const RunKey& key, const ComparisonEvents& events, std::size_t number,
                     std::size_t count);

  ComparisonSpec spec_;
  const train::Corpus& corpus_;
  std::vector<Cell> cells_;
  RunStore store_;
};

/// Unique tokens of each cell, for sizing a corpus before it is made. Throws engine::Error where
/// the budget has no fixed number of tokens.
std::vector<Cell> plan_cells(const ComparisonSpec& spec, std::int64_t vocab);

}  // namespace lab
