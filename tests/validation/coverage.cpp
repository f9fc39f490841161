// Does every interval hold the truth as often as it says?
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "lab/stats/crossed.h"
#include "lab/stats/equivalent.h"
#include "lab/stats/paired.h"
#include "lab/stats/regression.h"
#include "tests/validation/bootstrap.h"
#include "tests/validation/checks.h"

namespace validation {
namespace {

using lab::Interval;
using Values = std::vector<double>;

constexpr Interval kWanted = {0.93, 0.97};
constexpr int kReplicates = 499;

bool holds(const Interval& ci, double truth) { return ci.lo <= truth && truth <= ci.hi; }

/// Ratios of the three variances, on 8 seeds unless said.
struct Ratio {
  const char* name;
  Spread spread;
};
constexpr std::array<Ratio, 7> kRatios = {{{"seeds alone", {1, 0, 0.01}},
                                           {"rest alone", {0, 0, 1}},
                                           {"windows alone", {0, 1, 0.1}},
                                           {"windows and rest", {0, 1, 1}},
                                           {"seeds 1 : windows 8 : rest 8", {0.25, 2, 2}},
                                           {"seeds 1 : windows 64 : rest 256", {0.25, 2, 4}},
                                           {"seeds and windows hidden in rest", {0.02, 0.1, 4}}}};

void crossed(std::vector<Check>& out) {
  const std::string group = "Coverage of 95 % intervals, seeds × windows";
  const auto add = [&](const std::string& name, const Spread& spread, int seeds, int windows,
                       std::optional<Interval> wanted) {
    out.push_back(
        {group, fmt::format("{}, {} × {}", name, seeds, windows), wanted, [=](Normals& r) {
           const auto d = differences(0.5, spread, seeds, windows, r);
           return holds(lab::t_interval(lab::crossed(d, seeds)->mean), 0.5);
         }});
  };
  for (const Ratio& ratio : kRatios)
    for (const int windows : {64, 512, 2048}) add(ratio.name, ratio.spread, 8, windows, kWanted);
  Spread tails = kRatios[4].spread;
  tails.shape = Shape::kLongTails;
  for (const int windows : {64, 512}) add("long tails, 1 : 8 : 8", tails, 8, windows, kWanted);
  for (const int seeds : {3, 5, 20}) add(kRatios[4].name, kRatios[4].spread, seeds, 64, kWanted);
  add(kRatios[1].name, kRatios[1].spread, 20, 64, kWanted);
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{4}}) {
    const Spread spread = kRatios[i].spread;
    out.push_back({group, fmt::format("studentized bootstrap: {}, 8 × 64", kRatios[i].name),
                   std::nullopt, [=](Normals& r) {
                     const auto d = differences(0.5, spread, 8, 64, r);
                     return holds(*crossed_bootstrap(d, 8, kReplicates, r.sequence()), 0.5);
                   }});
  }
  out.push_back({group, "t over seeds alone: seeds 1 : windows 8 : rest 8, 8 × 64", std::nullopt,
                 [](Normals& r) {
                   const auto d = differences(0.5, kRatios[4].spread, 8, 64, r);
                   Values means;
                   for (std::size_t s = 0; s < 8; ++s)
                     means.push_back(*lab::mean(std::span(d).subspan(64 * s, 64)));
                   return holds(lab::t_interval(*lab::summarize(means)), 0.5);
                 }});
}

constexpr std::array<double, 5> kShares = {0.125, 0.25, 0.5, 1, 2};

/// Curves that fall as a power of the share, seeds that shift and wobble; the arm is worth `share`.
struct Curves {
  Values first, arm;
  lab::SeedCurves view() const { return {kShares, first, arm}; }
};
Curves curves(double share, Normals& random) {
  const auto law = [](double x) { return 2 + 0.4 * std::pow(x, -0.3); };
  // On the straight line between the points, as the equivalent is defined.
  const auto after = std::upper_bound(kShares.begin(), kShares.end(), share);
  const double lo = after[-1], hi = after[0], along = std::log2(share / lo) / std::log2(hi / lo);
  const double level = law(lo) + along * (law(hi) - law(lo));
  Curves c;
  for (int s = 0; s < 8; ++s) {
    const double shift = 0.03 * random.next();
    for (const double x : kShares) c.first.push_back(law(x) + shift + 0.01 * random.next());
    c.arm.push_back(level + shift + 0.02 * random.next());
  }
  return c;
}

bool holds(const lab::EquivalentInterval& ci, double share) {
  using Relation = lab::ComputeEquivalent::Relation;
  const bool above = ci.lo.relation == Relation::kBelow ||
                     (ci.lo.relation == Relation::kEqual && ci.lo.share <= share);
  return above && (ci.hi.relation == Relation::kAbove ||
                   (ci.hi.relation == Relation::kEqual && ci.hi.share >= share));
}

void others(std::vector<Check>& out) {
  const std::string group = "Coverage of the other 95 % intervals, 8 seeds";
  const auto add = [&](std::string name, std::optional<Interval> wanted, auto trial) {
    out.push_back({group, std::move(name), wanted, trial});
  };
  add("mean, t", kWanted,
      [](Normals& r) { return holds(lab::t_interval(*lab::summarize(r.values(8, 1, 2))), 1); });
  add("mean, studentized bootstrap", std::nullopt, [](Normals& r) {
    return holds(bootstrap_t(r.values(8, 1, 2), kReplicates, r.sequence()), 1);
  });
  add("mean, percentile bootstrap", std::nullopt, [](Normals& r) {
    const Values x = r.values(8, 1, 2);
    const auto means = bootstrap(8, kReplicates, r.sequence(), [&](auto drawn) {
      double sum = 0;
      for (const std::size_t i : drawn) sum += x[i];
      return sum / 8;
    });
    return holds(percentile_interval(means), 1);
  });
  add("means of 8 arms on one baseline, all at once", Interval{0.93, 1}, [](Normals& r) {
    std::vector<std::optional<lab::Estimate>> arms;
    for (const auto& row : table(Values(8, 0.5), {}, Text::kOwn, 8, 1, r))
      arms.push_back(lab::estimate(*lab::summarize(lab::differences(row.arm_loss, row.baseline))));
    const auto ci = lab::simultaneous_intervals(arms);
    return std::all_of(ci.begin(), ci.end(), [](const auto& i) { return holds(*i, 0.5); });
  });
  add("standard deviation (95 % asked)", kWanted, [](Normals& r) {
    return holds(lab::sd_interval(*lab::summarize(r.values(8, 1, 2)), 0.95), 2);
  });
  add("ratio of variances, Pitman–Morgan, correlation 0.7", kWanted, [](Normals& r) {
    const Values shared = r.values(8, 0, 1);
    Values x = r.values(8, 0, 1), y = r.values(8, 0, 1);
    for (std::size_t i = 0; i < 8; ++i) {
      x[i] = 3 * (shared[i] + 0.65 * x[i]);
      y[i] = shared[i] + 0.65 * y[i];
    }
    return holds(lab::pitman_morgan(x, y)->ci, 9);
  });
  for (const double share : {0.18, 0.5, 0.7, 1.2}) {
    add(fmt::format("compute-equivalent {:g}, test turned around", share), kWanted,
        [=](Normals& r) {
          return holds(*lab::equivalent_interval(curves(share, r).view()), share);
        });
    add(fmt::format("compute-equivalent {:g}, seeds resampled", share), std::nullopt,
        [=](Normals& r) {
          const Curves c = curves(share, r);
          return holds(*equivalent_bootstrap(c.view(), kReplicates, r.sequence()), share);
        });
  }
  add("trend of the difference over shares", kWanted, [](Normals& r) {
    Values d;
    for (int s = 0; s < 8; ++s) {
      const double shift = r.next(), slope = -0.5 + 0.2 * r.next();
      for (const double share : kShares) d.push_back(shift + slope * std::log2(share) + r.next());
    }
    return holds(lab::t_interval(*lab::share_trend(kShares, d)), -0.5);
  });
  add("slope of a line through 20 points", kWanted, [](Normals& r) {
    const Values x = r.values(20, 3, 2);
    Values y;
    for (const double v : x) y.push_back(1 - 0.7 * v + r.next());
    return holds(lab::t_interval(lab::coefficient(lab::ols_line(x, y), 1)), -0.7);
  });
}

}  // namespace

std::vector<Check> coverage() {
  std::vector<Check> out;
  crossed(out);
  others(out);
  return out;
}

}  // namespace validation
