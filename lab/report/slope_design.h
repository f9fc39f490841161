// What a slope over the cells of a study is fitted to.
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

/// Throws engine::Error naming the figure where a setting is not a number above 0 in a cell.
SlopeDesign slope_design(const FigureSpec& spec, const train::Settings& base,
                         const std::vector<Level>& cells);

}  // namespace lab
