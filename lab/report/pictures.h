// The pictures of a comparison, from the typed report.
//
// To add one: a function from the report to a Picture in a file beside pictures.cpp, and a row in
// one of the two lists there. lab/report/html/page.h says what a picture can hold.
#pragma once
#include <optional>
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

}  // namespace lab
