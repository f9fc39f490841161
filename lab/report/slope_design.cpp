#include "lab/report/slope_design.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "lab/stats/stats.h"

namespace lab {
namespace {

/// Whether a cell is called that, or has all of those settings.
bool is_of(const std::string& cell, const std::string& name) {
  const std::string parts = "," + cell + ",";
  for (std::size_t from = 0; cell != name && from <= name.size();) {
    const std::size_t to = std::min(name.find(',', from), name.size());
    if (parts.find("," + name.substr(from, to - from) + ",") == parts.npos) return false;
    from = to + 1;
  }
  return true;
}

}  // namespace

std::vector<std::size_t> cells_of_figure(const FigureSpec& spec, const std::vector<Level>& cells) {
  std::vector<std::size_t> out;
  std::vector<bool> used(spec.cells.size(), false);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    bool wanted = spec.cells.empty();
    for (std::size_t name = 0; name < spec.cells.size(); ++name)
      if (is_of(cells[i].name, spec.cells[name])) wanted = used[name] = true;
    if (wanted) out.push_back(i);
  }
  for (std::size_t name = 0; name < used.size(); ++name) {
    std::string there;
    for (const Level& cell : cells) there += (there.empty() ? "" : "; ") + cell.name;
    base::require(used[name], spec.source, ": figure ", base::quote(spec.name), ": no cell is ",
                  base::quote(spec.cells[name]), "; there are: ", there);
  }
  return out;
}

double log_of(const FigureSpec& spec, const train::Settings& base, const Level& cell,
              const std::string& setting) {
  double value = static_cast<double>(cell.epochs);
  std::string text = std::to_string(cell.epochs);
  if (setting != "epochs") {
    text = train::value_text(with(base, cell), *train::find_setting(setting));
    if (base::parse_number(text, value) != std::errc{}) value = 0;
  }
  base::require(value > 0, spec.source, ": figure ", base::quote(spec.name), ": ", setting, " is ",
                text, cell.name.empty() ? "" : " in " + cell.name,
                ": a slope needs numbers above 0");
  return std::log2(value);
}

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
