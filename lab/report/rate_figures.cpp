#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "lab/report/figures.h"
#include "lab/stats/regression.h"

namespace lab {
namespace {

constexpr std::string_view kRate = "lr";

/// What a cell sets beside the rate, by which cells go together.
std::string rest_of(const Assignments& set) {
  Assignments rest = set;
  std::erase_if(rest, [](const auto& item) { return item.first == kRate; });
  return to_text(rest);
}

double number_in(const train::Settings& base, const CellReport& cell, const std::string& setting) {
  double value = 0;
  base::parse_number(train::value_text(with(base, {cell.name, cell.set, cell.epochs}),
                                       *train::find_setting(setting)),
                     value);
  return value;
}

/// A seed's losses over the rates, ascending, with one arm and one rest.
struct Bowl {
  std::map<double, double> at;

  double lowest() const {
    double low = INFINITY;
    for (const auto& [rate, loss] : at) low = std::min(low, loss);
    return low;
  }
  double sensitivity() const {
    double sum = 0;
    for (const auto& [rate, loss] : at) sum += loss;
    return sum / static_cast<double>(at.size()) - lowest();
  }
  /// log₂ of the best rate.
  double best() const {
    std::vector<std::pair<double, double>> points;
    for (const auto& [rate, loss] : at) points.emplace_back(std::log2(rate), loss);
    const auto low =
        std::min_element(points.begin(), points.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    if (low == points.begin() || low + 1 == points.end()) return low->first;
    // Through three points, which need not be equally far apart.
    const auto [x0, y0] = *(low - 1);
    const auto [x1, y1] = *low;
    const auto [x2, y2] = *(low + 1);
    const double left = (x1 - x0) * (y1 - y2), right = (x1 - x2) * (y1 - y0);
    return left == right ? x1 : x1 - 0.5 * ((x1 - x0) * left - (x1 - x2) * right) / (left - right);
  }
};

/// By seed, then by the value of what else differs (its text, and as a number where `other` names
/// a setting).
using Bowls = std::map<std::uint64_t, std::map<std::pair<double, std::string>, Bowl>>;

Bowls bowls(const FigureContext& c, const std::string& arm_name, const std::string& other) {
  Bowls out;
  for (const CellReport& cell : c.report.cells) {
    const double rate = number_in(c.report.base, cell, std::string(kRate)),
                 place = other.empty() ? 0 : number_in(c.report.base, cell, other);
    for (const ArmReport& arm : cell.arms) {
      if (arm.name != arm_name) continue;
      for (const RecordPtr& run : arm.runs) {
        if (run->status == Status::kFailed) continue;
        const double guess = run->value("uniform_loss").value_or(INFINITY),
                     loss = run->ok() ? run->value(c.report.judged).value_or(guess) : guess;
        if (std::isfinite(std::min(loss, guess)))
          out[run->seed][{place, rest_of(cell.set)}].at[rate] = std::min(loss, guess);
      }
    }
  }
  return out;
}

/// One number of each seed's bowls, with the arm minus with the first one.
template <class F>
Figure over_seeds(const FigureContext& c, const std::string& other, const F& number) {
  const Bowls mine = bowls(c, c.arm.name, other),
              theirs = bowls(c, c.cell.arms.front().name, other);
  std::size_t points = c.report.cells.size();
  const auto whole = [&](const auto& groups) {
    std::size_t n = 0;
    for (const auto& [place, bowl] : groups) n += bowl.at.size();
    return n == points;
  };
  std::vector<double> diffs;
  for (const auto& [seed, groups] : mine)
    if (const auto first = theirs.find(seed);
        first != theirs.end() && whole(groups) && whole(first->second))
      diffs.push_back(number(groups) - number(first->second));
  const auto sample = summarize(diffs);
  if (!sample || std::ssize(diffs) != c.report.seeds)
    return {"", "", {}, {}, "not every seed has a loss, or a uniform guess's, at every rate"};
  return {"", "", sample->mean, t_interval(*sample, c.alpha), ""};
}

std::string other_of(const FigureSpec& spec) {
  for (const std::string& setting : spec.on)
    if (setting != kRate) return setting;
  return "";
}

}  // namespace

Figure rate_sensitivity(const FigureContext& c) {
  return over_seeds(c, "", [](const auto& groups) {
    double sum = 0;
    for (const auto& [place, bowl] : groups) sum += bowl.sensitivity();
    return sum / static_cast<double>(groups.size());
  });
}

Figure best_rate_slope(const FigureContext& c) {
  return over_seeds(c, other_of(c.spec), [](const auto& groups) {
    std::vector<double> x, y;
    for (const auto& [place, bowl] : groups) {
      x.push_back(std::log2(place.first));
      y.push_back(bowl.best());
    }
    // Through two points there is a line, too, which least squares with an error does not fit.
    if (x.size() == 2) return (y[1] - y[0]) / (x[1] - x[0]);
    return ols_line(x, y).coef.at(1);
  });
}

void check_rates(const FigureSpec& spec, const Study& study, bool slope) {
  const auto need = [&](bool ok, const auto&... why) {
    base::require(ok, spec.source, ": figure ", base::quote(spec.name), ": ", why...);
  };
  const std::string other = other_of(spec);
  need(slope ? !other.empty() : spec.on.empty(),
       slope ? "on = the setting that the best rate may depend on" : "on is not of it");
  std::map<std::string, std::set<double>> rates;
  std::set<double> places;
  for (const Level& cell : study.cells) {
    const train::Settings s = with(study.base, cell);
    rates[rest_of(cell.set)].insert(s.lr);
    if (other.empty()) continue;
    const train::Row* row = train::find_setting(other);
    double place = 0;
    need(row != nullptr, "no setting ", base::quote(other));
    need(base::parse_number(train::value_text(s, *row), place) == std::errc{} && place > 0, other,
         " is no number above 0 in ", cell.name);
    places.insert(place);
  }
  for (const auto& [rest, of] : rates)
    need(of.size() >= 3 && of.size() == rates.begin()->second.size(),
         "the cells are no grid of 3 or more learning rates; give axes.lr = […]");
  need(!slope || (places.size() >= 2 && places.size() == rates.size()),
       "the cells are no grid of lr and ", other);
}

}  // namespace lab
