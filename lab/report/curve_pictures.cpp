// Pictures of losses over compute, and of what probabilities are worth.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lab/report/pictures.h"
#include "lab/report/study_result.h"
#include "lab/runs/measures.h"
#include "lab/stats/stats.h"

namespace lab {
namespace {

/// What the seeds had at one evaluation.
struct Evaluated {
  std::vector<double> flops;
  std::vector<std::pair<std::uint64_t, double>> losses;
};

/// By the number of the evaluation: with a budget of time, steps differ from run to run.
std::vector<Evaluated> evaluations(const ArmReport& arm,
                                   const std::optional<double> CurvePoint::*loss) {
  std::vector<Evaluated> out;
  for (const RunCurve& run : arm.curves) {
    std::size_t number = 0;
    for (const CurvePoint& point : run.points) {
      if (!point.val_loss) continue;  // a report between two evaluations
      if (out.size() <= number) out.resize(number + 1);
      Evaluated& at = out[number++];
      at.flops.push_back(point.flops);
      if (const auto& value = point.*loss) at.losses.emplace_back(run.seed, *value);
    }
  }
  return out;
}

std::vector<double> values_of(const std::vector<std::pair<std::uint64_t, double>>& by_seed) {
  std::vector<double> values;
  for (const auto& [seed, value] : by_seed) values.push_back(value);
  return values;
}

/// Mean and, where there are several, the lowest and highest.
Mark over_seeds(double at, const std::vector<std::pair<std::uint64_t, double>>& by_seed) {
  const std::vector<double> values = values_of(by_seed);
  Mark mark{at, mean(values)};
  if (values.size() > 1) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    mark.lo = *low, mark.hi = *high;
  }
  mark.note = seed_lines(by_seed);
  return mark;
}

std::string share_text(double share) {
  return share >= 1 ? fmt::format("{:g} ×", share) : fmt::format("1/{:g} ×", 1 / share);
}

/// The first arm's loss by share of the budget.
Series baseline_series(const CellReport& cell, PlotAxis& axis) {
  Series s{cell.arms.front().name + ", by budget", Drawn::kLine, 0};
  for (const ShareLosses& share : cell.shares) {
    axis.ticks.emplace_back(std::log2(share.share), share_text(share.share));
    if (share.losses.empty()) continue;
    s.marks.push_back(
        over_seeds(std::log2(share.share), {share.losses.begin(), share.losses.end()}));
  }
  return s;
}

std::vector<double> of_runs(const ArmReport& arm, int bin, const char* what) {
  std::vector<double> out;
  for (const RecordPtr& run : arm.runs)
    if (const auto x = run->ok() ? run->value(fmt::format("{}{}.{}", kReliabilityPrefix, bin, what))
                                 : std::nullopt)
      out.push_back(*x);
  return out;
}

}  // namespace

FlopUnit flop_unit(double most) {
  constexpr FlopUnit kUnits[] = {{1e15, "PFLOP"}, {1e12, "TFLOP"}, {1e9, "GFLOP"}};
  for (const FlopUnit& unit : kUnits)
    if (most >= 0.1 * unit.size) return unit;
  return {1e6, "MFLOP"};
}

std::optional<Picture> curves_picture(const Report&, const CellReport& cell) {
  double most = 0;
  for (const ArmReport& arm : cell.arms)
    for (const RunCurve& run : arm.curves) most = std::max(most, run.points.back().flops);
  if (most == 0) return {};
  const FlopUnit unit = flop_unit(most);
  Picture p{"curves", "Learning curves"};
  p.caption =
      "Solid: validation loss, regularizers off. Dashed: training loss, regularizers on, averaged "
      "since the last evaluation. Lines: mean over seeds. Bands: lowest to highest seed.";
  p.at.label = fmt::format("compute spent ({})", unit.name);
  p.value.label = "loss (nats per token)";
  p.value.trim = true;  // the first losses would flatten what follows
  for (std::size_t i = 0; i < cell.arms.size(); ++i)
    for (const bool train : {false, true}) {
      Series s{cell.arms[i].name + (train ? ", training" : ", validation"), Drawn::kLine,
               static_cast<int>(i), train};
      for (const Evaluated& at :
           evaluations(cell.arms[i], train ? &CurvePoint::train_loss : &CurvePoint::val_loss))
        if (!at.losses.empty())
          s.marks.push_back(over_seeds(*mean(at.flops) / unit.size, at.losses));
      if (!s.marks.empty()) p.series.push_back(std::move(s));
    }
  // A run that was looked at in the end alone has no curve.
  if (std::none_of(p.series.begin(), p.series.end(),
                   [](const Series& s) { return s.marks.size() > 1; }))
    return {};
  return p;
}

std::optional<Picture> compute_picture(const Report& report, const CellReport& cell) {
  if (cell.shares.empty()) return {};
  const std::string& first = cell.arms.front().name;
  Picture p{"compute", fmt::format("How much compute {} needs to match each arm", first)};
  p.caption = fmt::format(
      "{} trained with several budgets, each with its own schedule. Band: lowest to highest seed. "
      "Each arm starts at the whole budget; its dashed line ends at the share of the budget with "
      "which {} is as good, or at the end of the curve if that share lies beyond it.",
      first, first);
  p.at.label = "share of the budget";
  p.value.label = judged_label(report);
  Series baseline = baseline_series(cell, p.at);
  if (baseline.marks.empty()) return {};
  p.series.push_back(std::move(baseline));
  for (std::size_t i = 1; i < cell.arms.size(); ++i) {
    const ArmReport& arm = cell.arms[i];
    const auto loss = arm.metrics.find(report.judged)->second.mean;
    if (!loss) continue;
    Series s{arm.name, Drawn::kLine, static_cast<int>(i), true};
    s.marks.push_back({0, loss});
    if (arm.equivalent)
      s.marks.push_back(
          {std::log2(arm.equivalent->share),
           loss,
           {},
           {},
           {fmt::format("as good as {} with {} × the budget", first, to_string(*arm.equivalent))}});
    p.series.push_back(std::move(s));
  }
  return p;
}

std::optional<Picture> reliability_picture(const Report&, const CellReport& cell) {
  Picture p{"reliability",
            "Are probabilities what they say? " + (cell.name.empty() ? cell.title : cell.name)};
  p.caption = fmt::format(
      "How often the likeliest class was right minus the probability it was given, in {} bins of "
      "equally many targets. Line: mean over seeds. Band: lowest to highest seed. Below 0 the "
      "model "
      "is too sure of itself.",
      kReliabilityBins);
  p.at.label = "probability given to the likeliest class";
  p.value.label = "share right minus probability";
  p.rule = 0;
  for (std::size_t i = 0; i < cell.arms.size(); ++i) {
    Series s{cell.arms[i].name, Drawn::kLine, static_cast<int>(i)};
    for (int bin = 1; bin <= kReliabilityBins; ++bin) {
      const std::vector<double> given = of_runs(cell.arms[i], bin, "p"),
                                right = of_runs(cell.arms[i], bin, "hit");
      if (given.empty() || given.size() != right.size()) continue;
      const std::vector<double> gaps = differences(right, given);
      const auto [low, high] = std::minmax_element(gaps.begin(), gaps.end());
      s.marks.push_back({*mean(given), mean(gaps), *low, *high});
    }
    if (!s.marks.empty()) p.series.push_back(std::move(s));
  }
  if (p.series.empty()) return {};
  return p;
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
      mark.note = {front_note(cell, point)};
      if (point.place == FrontPlace::kOff) off.marks.push_back(mark);
      s.marks.push_back(std::move(mark));
    }
    p.series.push_back(std::move(s));
  }
  if (!off.marks.empty()) p.series.push_back(std::move(off));
  return p;
}

}  // namespace lab
