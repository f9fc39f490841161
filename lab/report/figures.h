// Figures of a study's report: what its rule is about.
//
// To add a kind: a function beside the others of its file, its declaration below and a row in
// figure_kinds.cpp.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lab/report/report.h"
#include "lab/study/study_file.h"

namespace lab {

struct Figure {
  std::string name, unit;
  std::optional<double> value;
  std::optional<Interval> ci;
  std::string missing;      // why there is no value; empty where there is one
  std::string note = {};    // what it does not speak of
  bool other_text = false;  // speaks of other text, too, where all seeds share a test text
};

/// All figures of a file, their intervals together covering 1 − report.rules.alpha (Bonferroni).
/// Throws base::Error naming line and column where one asks for what there is not.
std::vector<Figure> make_figures(const StudyFile& file, const Report& report);
/// Throws in all of these cases, before anything is trained.
void check_figures(const StudyFile& file);

/// What a figure is asked of.
struct FigureContext {
  const Report& report;
  const CellReport& cell;
  const ArmReport& arm;
  const ArmReport& against;  // the first arm, where the figure names no other
  const ArmReport* by;       // where the figure names one
  const FigureSpec& spec;
  double alpha;  // its interval covers 1 − alpha
};

// What a kind is over: a cell at the whole budget, or else.
inline constexpr unsigned kCells = 1, kShares = 2, kEveryArm = 4;  // kEveryArm: at every share
inline constexpr unsigned kAscending = 16;  // cells that ascend in one setting, with kCells
inline constexpr unsigned kRates = 8;  // cells that differ in the learning rate, lost runs included
// What of FigureSpec it takes beside the arm and the cell. kAgainst: and the metric there.
// kElsewhere: and another cell.
inline constexpr unsigned kMetric = 1, kAgainst = 2, kBy = 4, kElsewhere = 8;

struct FigureKind {
  std::string_view name, unit, help;  // no unit: that of the metric
  unsigned over, takes;
  Figure (*make)(const FigureContext&);
};
std::span<const FigureKind> figure_kinds();

/// Why no figure may be taken from an arm: what is left would be a selection. Empty: it may.
std::string withheld(const ArmReport& arm);

using BySeed = std::map<std::uint64_t, double>;

Figure missing(std::string why);
/// A mean with its t interval.
Figure of(const Estimate& estimate, double alpha);

/// The figure's own metric, else what is judged.
const std::string& metric_of(const FigureContext& context);

/// Why a figure is not taken: runs that are ok and do not know the metric, of which what is left
/// would be a selection. Empty: all of them do.
std::string unknown(const ArmReport& arm, const std::string& metric);

/// What is asked of an arm, of its runs that are ok.
BySeed values(const ArmReport& arm, const std::string& metric);

/// a − b of the seeds that have both.
std::vector<double> less(const BySeed& a, const BySeed& b);

/// Of the difference on log₂ of settings over the cells, seed by seed.
Figure slope(const FigureContext& context);

/// From which value of the setting in `on` the arm's mean is below the first arm's, straight in its
/// logarithm between the cells; first_crossing()'s interval. Where no cell is below, or the first
/// one is already, there is no value and the interval is open on that side.
Figure crossover(const FigureContext& context);

/// Throws base::Error naming the figure where the cells do not tell the slopes apart, or a line
/// of cells does not ascend in one setting.
void check_cells(const FigureSpec& spec, const FigureKind& kind, const Study& study);

/// How much a wrong rate costs with the arm, less what it costs with the first one: the mean over
/// the rates of min(loss, loss of a uniform guess) less the lowest loss, averaged over what else
/// the cells differ in (Wortsman et al. 2023, arXiv:2309.14322, section 2.2). A run that diverged,
/// or learned nothing, counts as the guess.
Figure rate_sensitivity(const FigureContext& context);

/// The slope of log₂ of the best rate on log₂ of the other setting in `on`, with the arm, less that
/// with the first one: 0 where rates found at one size transfer alike. The best rate is where a
/// parabola through the lowest loss and its neighbours is lowest.
Figure best_rate_slope(const FigureContext& context);

/// Throws base::Error naming the figure where the cells are no grid of 3 or more rates (and, of
/// best_rate_slope, 2 or more values of the other setting).
void check_rates(const FigureSpec& spec, const Study& study, bool slope);

// What a slope over cells of a study is fitted to, and which cells these are.

/// A constant, log₂ of the settings in FigureSpec::on from their means on, and of two of them the
/// product; row-major (cells, columns).
struct SlopeDesign {
  std::vector<double> x;
  std::size_t columns = 0;
};

/// The cells that a figure is over, in their order: all, or those that one of FigureSpec::cells
/// names, whole ("n_embd=32,epochs=4") or by some of what they set ("n_embd=32"). Throws
/// base::Error naming the figure where one of these names none.
std::vector<std::size_t> cells_of_figure(const FigureSpec& spec, const std::vector<Level>& cells);

/// log₂ of a setting (or of the epochs) in a cell. Throws as slope_design().
double log_of(const FigureSpec& spec, const train::Settings& base, const Level& cell,
              const std::string& setting);

/// Throws base::Error naming the figure where a setting is not a number above 0 in a cell.
SlopeDesign slope_design(const FigureSpec& spec, const train::Settings& base,
                         const std::vector<Level>& cells);

}  // namespace lab
