#include "lab/report/slope_design.h"

#include <cmath>

#include "engine/error.h"
#include "engine/suggest.h"
#include "lab/stats/stats.h"

namespace lab {
namespace {

/// log₂ of a setting in a cell.
double log_of(const FigureSpec& spec, const train::Settings& base, const Level& cell,
              const std::string& setting) {
  double value = static_cast<double>(cell.epochs);
  std::string text = std::to_string(cell.epochs);
  if (setting != "epochs") {
    text = train::value_text(with(base, cell), *train::find_setting(setting));
    if (train::parse_number(text, value) != std::errc{}) value = 0;
  }
  engine::require(value > 0, spec.source, ": figure ", engine::quote(spec.name), ": ", setting,
                  " is ", text, cell.name.empty() ? "" : " in " + cell.name,
                  ": a slope needs numbers above 0");
  return std::log2(value);
}

}  // namespace

SlopeDesign slope_design(const FigureSpec& spec, const train::Settings& base,
                         const std::vector<Level>& cells) {
  const std::size_t settings = spec.on.size();
  SlopeDesign d{{}, 1 + settings + (settings == 2 ? 1U : 0U)};
  std::vector<std::vector<double>> logs(settings);
  for (std::size_t i = 0; i < settings; ++i) {
    for (const Level& cell : cells) logs[i].push_back(log_of(spec, base, cell, spec.on[i]));
    const double middle = *mean(logs[i]);
    for (double& v : logs[i]) v -= middle;
  }
  for (std::size_t row = 0; row < cells.size(); ++row) {
    d.x.push_back(1);
    for (std::size_t i = 0; i < settings; ++i) d.x.push_back(logs[i][row]);
    if (settings == 2) d.x.push_back(logs[0][row] * logs[1][row]);
  }
  return d;
}

}  // namespace lab
