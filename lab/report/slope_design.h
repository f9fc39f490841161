// What a slope over cells of a study is fitted to, and which cells these are.
#pragma once
#include <vector>

#include "lab/study/study_file.h"

namespace lab {

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
