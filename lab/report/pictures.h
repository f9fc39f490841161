// The pictures of a comparison, from the typed report.
//
// To add one: a function from the report to a Picture in a file beside pictures.cpp, and a row in
// one of the two lists there. lab/report/html/page.h says what a picture can hold.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lab/report/html/page.h"
#include "lab/report/report.h"

namespace lab {

/// Of one table, in the order of the list; those that have nothing to show are left out.
std::vector<Picture> cell_pictures(const Report& report, const CellReport& cell);
/// Of all tables together.
std::vector<Picture> report_pictures(const Report& report);

// The rows: nullopt where there is nothing to show.
std::optional<Picture> forest_picture(const Report& report, const CellReport& cell);
std::optional<Picture> slopes_picture(const Report& report, const CellReport& cell);
std::optional<Picture> curves_picture(const Report& report, const CellReport& cell);
std::optional<Picture> tuning_picture(const Report& report, const CellReport& cell);
std::optional<Picture> compute_picture(const Report& report, const CellReport& cell);
/// Loss against compute with every arm a line; what is surely off the Pareto front is pale.
std::optional<Picture> front_picture(const Report& report, const CellReport& cell);
std::optional<Picture> reliability_picture(const Report& report, const CellReport& cell);
std::optional<Picture> cells_picture(const Report& report);

/// In which compute is told where `most` is the largest.
struct FlopUnit {
  double size;
  const char* name;
};
FlopUnit flop_unit(double most);

/// How an axis calls the figure that is compared.
std::string judged_label(const Report& report);

/// The same seed with the first arm and with another one.
struct PairOfRuns {
  std::uint64_t seed = 0;
  double first = 0, arm = 0;  // losses that are judged
  double diff() const { return arm - first; }
};

/// Those of which both runs are ok.
std::vector<PairOfRuns> pairs(const Report& report, const CellReport& cell, const ArmReport& arm);

/// Of an arm's pairs or runs those that a picture draws one by one: a browser that draws many more
/// than 500 stands still, and none could be told from its neighbours. Where some are left out the
/// caption says so.
template <class T>
std::vector<T> drawn(std::vector<T> all, std::string& caption) {
  constexpr std::size_t kMost = 500;
  constexpr std::string_view kSaid = " Of more than 500 seeds the first 500 are drawn.";
  if (all.size() <= kMost) return all;
  all.resize(kMost);
  if (!caption.ends_with(kSaid)) caption += kSaid;
  return all;
}

/// The arm's difference with its interval, verdict and seeds; without an interval while there is no
/// verdict, nullopt without a pair.
std::optional<Mark> difference_mark(const Report& report, const CellReport& cell,
                                    const ArmReport& arm, double at);

/// What the interval and the shade are.
std::string difference_caption(const Report& report);

/// "seed 1: 0.9079", several in a line; nothing for more seeds than a pointer's box has room for.
std::vector<std::string> seed_lines(const std::vector<std::pair<std::uint64_t, double>>& values);

}  // namespace lab
