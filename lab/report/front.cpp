#include "lab/report/front.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "lab/report/pictures.h"
#include "lab/stats/stats.h"

namespace lab {
namespace {

constexpr double kSame = 1 + 1e-3;  // a whole number of steps never spends a budget to the FLOP

struct Trained {
  FrontPoint point;
  const ShareReport* at;
};

std::string name_of(const CellReport& cell, const FrontPoint& p) {
  return fmt::format("{} at {:g} ×", cell.arms[p.arm].name, p.share);
}

/// As a person reads it: "off: b at 1 × has a lower loss for no more compute".
std::string in_words(const FrontPoint& p) {
  std::string text(to_string(p.place));
  return p.by.empty() ? text : text + ": " + p.by + " has a lower loss for no more compute";
}

/// The one-sided p of "a's mean loss is above b's" over the seeds of both; 1 where it is not above.
double above(const ShareReport& a, const ShareReport& b) {
  std::vector<double> diffs;
  for (const auto& [seed, loss] : a.losses)
    if (const auto other = b.losses.find(seed); other != b.losses.end())
      diffs.push_back(loss - other->second);
  const auto sample = summarize(diffs);
  if (!sample || sample->mean <= 0) return 1;
  return t_test(*sample) / 2;
}

}  // namespace

std::string_view to_string(FrontPlace place) {
  switch (place) {
    case FrontPlace::kOn:
      return "on";
    case FrontPlace::kUntold:
      return "inconclusive";
    case FrontPlace::kOff:
      return "off";
  }
  return "?";
}

std::vector<FrontPoint> front(const CellReport& cell, double alpha) {
  std::vector<Trained> all;
  for (std::size_t arm = 0; arm < cell.arms.size(); ++arm) {
    if (cell.arms[arm].shares.size() < 2) return {};
    for (const ShareReport& at : cell.arms[arm].shares)
      all.push_back({{arm, at.share, at.flops, at.loss.mean.value_or(0), {}, ""}, &at});
  }
  std::sort(all.begin(), all.end(), [](const Trained& a, const Trained& b) {
    return std::pair(a.point.flops, a.point.loss) < std::pair(b.point.flops, b.point.loss);
  });
  const auto n = static_cast<double>(all.size());
  std::vector<FrontPoint> out;
  for (const Trained& mine : all) {
    FrontPoint p = mine.point;
    double best = p.loss, surest = 1;
    for (const Trained& other : all) {
      if (&other == &mine || other.point.flops > kSame * p.flops || other.point.loss >= p.loss)
        continue;
      const double chance = above(*mine.at, *other.at);
      const bool told = chance < alpha / (n * (n - 1));
      if (told ? chance < surest || p.place != FrontPlace::kOff
               : p.place != FrontPlace::kOff && other.point.loss < best) {
        p.by = name_of(cell, other.point);
        p.place = told ? FrontPlace::kOff : FrontPlace::kUntold;
        best = other.point.loss;
        if (told) surest = chance;
      }
    }
    out.push_back(std::move(p));
  }
  return out;
}

base::Lines front_lines(const Report& report) {
  base::Lines lines = {
      {"arm", "budget", "FLOP", "loss", "on the Pareto front of loss and compute"}};
  const bool several = report.cells.size() > 1;
  if (several) lines.front().insert(lines.front().begin(), "cell");
  for (const CellReport& cell : report.cells)
    for (const FrontPoint& p : front(cell, report.rules.alpha)) {
      lines.push_back({cell.arms[p.arm].name, fmt::format("{:g} ×", p.share),
                       fmt::format("{:.3g}", p.flops), base::decimals(p.loss, 4), in_words(p)});
      if (several) lines.back().insert(lines.back().begin(), cell.name);
    }
  return lines.size() > 1 ? lines : base::Lines{};
}

Json front_json(const Report& report) {
  Json out = Json::array();
  for (const CellReport& cell : report.cells)
    for (const FrontPoint& p : front(cell, report.rules.alpha))
      out.push_back({{"cell", cell.name},
                     {"arm", cell.arms[p.arm].name},
                     {"share", p.share},
                     {"flops", p.flops},
                     {"loss", p.loss},
                     {"front", to_string(p.place)},
                     {"by", p.by}});
  return out;
}

std::optional<Picture> front_picture(const Report& report, const CellReport& cell) {
  const std::vector<FrontPoint> points = front(cell, report.rules.alpha);
  if (points.empty()) return {};
  Picture p{"front", "Loss and compute: " + (cell.name.empty() ? cell.title : cell.name)};
  p.caption =
      "Mean over seeds of every arm at every share of the budget, each with its own schedule. Pale "
      "points are off the Pareto front: another arm has a lower loss for no more compute, by a "
      "test on paired seeds.";
  const FlopUnit unit = flop_unit(points.back().flops);  // the largest: they are sorted
  p.at = {fmt::format("compute ({})", unit.name), true};
  p.value.label = judged_label(report);
  Series off{"off the front", Drawn::kPoints, 0, false, true};
  for (std::size_t arm = 0; arm < cell.arms.size(); ++arm) {
    Series s{cell.arms[arm].name, Drawn::kLine, static_cast<int>(arm)};
    for (const FrontPoint& point : points) {
      if (point.arm != arm) continue;
      Mark mark{point.flops / unit.size, point.loss};
      mark.note = {fmt::format("{}, Pareto front: {}", name_of(cell, point), in_words(point))};
      if (point.place == FrontPlace::kOff) off.marks.push_back(mark);
      s.marks.push_back(std::move(mark));
    }
    p.series.push_back(std::move(s));
  }
  if (!off.marks.empty()) p.series.push_back(std::move(off));
  return p;
}

}  // namespace lab
