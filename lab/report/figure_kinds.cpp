#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "lab/report/figures.h"
#include "lab/runs/measures.h"
#include "lab/stats/equivalent.h"
#include "lab/stats/paired.h"

namespace lab {
namespace {

Figure mean_of(const std::vector<double>& values, const FigureContext& c) {
  const auto sample = summarize(values);
  if (!sample) return missing(fmt::format("fewer than 2 seeds have {}", metric_of(c)));
  return of(estimate(*sample), c.alpha);
}

Figure value(const FigureContext& c) {
  if (std::string why = unknown(c.arm, metric_of(c)); !why.empty()) return missing(std::move(why));
  std::vector<double> all;
  for (const auto& [seed, x] : values(c.arm, metric_of(c))) all.push_back(x);
  return mean_of(all, c);
}

Figure difference(const FigureContext& c) {
  const std::string &mine = metric_of(c),
                    &theirs = c.spec.against_metric.empty() ? mine : c.spec.against_metric;
  // Of the loss against the first arm there is a verdict, which knows of shared test texts.
  if (&c.against == &c.cell.arms.front() && mine == c.report.judged && theirs == mine) {
    if (!c.arm.versus || !c.arm.versus->estimate)
      return missing("too few seeds, or runs were lost");
    Figure f = of(*c.arm.versus->estimate, c.alpha);
    f.other_text = true;
    return f;
  }
  for (std::string why : {unknown(c.arm, mine), unknown(c.against, theirs)})
    if (!why.empty()) return missing(std::move(why));
  return mean_of(less(values(c.arm, mine), values(c.against, theirs)), c);
}

/// Of what the arm is worse by than `against`, the share by which `by` is better than the arm.
Figure won_back(const FigureContext& c) {
  const std::string &metric = metric_of(c),
                    &theirs = c.spec.against_metric.empty() ? metric : c.spec.against_metric;
  for (std::string why :
       {unknown(c.arm, metric), unknown(*c.by, metric), unknown(c.against, theirs)})
    if (!why.empty()) return missing(std::move(why));
  const BySeed arm = values(c.arm, metric), by = values(*c.by, metric),
               against = values(c.against, theirs);
  BySeed both;  // seeds that all three have
  for (const auto& [seed, x] : arm)
    if (by.contains(seed) && against.contains(seed)) both.emplace(seed, x);
  const std::vector<double> won = less(both, by), lost = less(both, against);
  const auto ratio = ratio_of_means(won, lost, c.alpha);
  if (!ratio) return missing("the arm cannot be told from the one it is compared with");
  const bool higher_is_better =
      !metric.starts_with(kProbePrefix) && ::lab::metric(metric).better == Better::kHigher;
  if ((*mean(lost) < 0) != higher_is_better)
    return missing("the arm is better than the one it is compared with: nothing is lost");
  return {"", "", ratio->ratio, ratio->ci, ""};
}

/// How many times the compute of the first arm it takes to be as good as that at the whole budget.
Figure compute_ratio(const FigureContext& c) {
  const std::vector<ShareLosses>& shares = c.cell.shares;
  if (shares.size() < 2) return missing("the study has no other shares of the budget");
  std::vector<double> sizes, first, arm;
  for (const ShareLosses& at : shares) sizes.push_back(at.share);
  for (const RecordPtr& run : c.arm.runs) {
    const auto loss = run->ok() ? run->value(c.report.judged) : std::nullopt;
    if (!loss) continue;
    for (const ShareLosses& at : shares) {
      const auto it = at.losses.find(run->seed);
      if (it == at.losses.end()) return missing("runs of the first arm were lost");
      first.push_back(it->second);
    }
    arm.push_back(*loss);
  }
  const auto ci = equivalent_interval({sizes, first, arm}, c.alpha);
  std::vector<BudgetLoss> curve;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    double sum = 0;
    for (std::size_t s = 0; s < arm.size(); ++s) sum += first[s * sizes.size() + i];
    curve.push_back({sizes[i], sum / static_cast<double>(arm.size())});
  }
  const auto equal = arm.empty() ? std::nullopt : compute_equivalent(curve, *mean(arm));
  if (!ci || !equal) return missing("too few seeds");
  using Relation = ComputeEquivalent::Relation;
  const auto flops = [](const ArmReport& of) { return of.metrics.find("flops")->second.mean; };
  const auto mine = flops(c.arm), theirs = flops(c.cell.arms.front());
  const double scale = mine && theirs && *theirs > 0 ? *mine / *theirs : 1;
  // Worth the share e of the first arm's compute: 1/e times of it. Beyond the curve, no bound.
  Figure f;
  if (equal->relation == Relation::kEqual)
    f.value = scale / equal->share;
  else
    f.missing = "beyond the shares that were trained";
  const auto bound = [&](const ComputeEquivalent& e, Relation beyond, double end, double none) {
    return e.relation == Relation::kEqual ? scale / e.share
           : e.relation == beyond         ? scale / end
                                          : none;
  };
  f.ci = Interval{bound(ci->hi, Relation::kBelow, sizes.front(), 0),
                  bound(ci->lo, Relation::kAbove, sizes.back(), INFINITY)};
  return f;
}

Figure trend(const FigureContext& c) {
  if (!c.arm.trend)
    return missing("every arm at other shares of the budget is needed: shares = […]");
  return of(*c.arm.trend, c.alpha);
}

/// Standard deviation over seeds against the first arm's.
Figure spread_ratio(const FigureContext& c) {
  const std::string& metric = metric_of(c);
  std::map<std::uint64_t, const RunRecord*> firsts;
  for (const RecordPtr& b : c.cell.arms.front().runs) firsts.emplace(b->seed, b.get());
  std::vector<double> mine, theirs;
  for (const RecordPtr& a : c.arm.runs)
    if (const auto found = firsts.find(a->seed); found != firsts.end()) {
      const auto x = a->value(metric), y = found->second->value(metric);
      if (!x || !y) return missing(fmt::format("these runs have no {}", metric));
      mine.push_back(*x);
      theirs.push_back(*y);
    }
  const auto ratio = pitman_morgan(mine, theirs, c.alpha);
  if (!ratio) return missing("too few seeds");
  return {"", "", std::sqrt(ratio->ratio),
          Interval{std::sqrt(ratio->ci.lo), std::sqrt(ratio->ci.hi)}, ""};
}

/// The probability that the quartiles of independent rounds have the median
/// between them: 1 − 2·P(Bin(n, ½) ≤ ⌊(n − 1)/4⌋).
double quartile_coverage(int rounds) {
  double log_choose = 0, below = 0;
  for (int k = 0; k <= (rounds - 1) / 4; ++k) {
    below += std::exp(log_choose - rounds * std::log(2.0));
    log_choose += std::log(static_cast<double>(rounds - k)) - std::log(k + 1.0);
  }
  return 1 - 2 * below;
}

Figure step_time(const FigureContext& c) {
  if (!c.arm.speed) return missing("step times were not measured");
  const ArmSpeed& speed = *c.arm.speed;
  Figure f{"", "", speed.step_time_ratio, {}, ""};
  f.other_text = true;
  if (quartile_coverage(speed.rounds) >= 1 - c.alpha)
    f.ci = Interval{speed.ratio_low, speed.ratio_high};
  else
    f.note = fmt::format("{} rounds are too few for an interval", speed.rounds);
  return f;
}

constexpr FigureKind kKinds[] = {
    {"value", "", "mean over seeds of 'metric' of an arm in a cell", 0, kMetric, value},
    {"difference", "",
     "'metric' of the arm minus that of 'against' (or its 'against_metric') in a cell, or in its "
     "'against_cell'; without them the test loss against the first arm",
     0, kMetric | kAgainst | kElsewhere, difference},
    {"won_back", "share",
     "of what the arm is worse by than 'against', what the arm 'by' is better by than the arm; "
     "Fieller's interval",
     0, kMetric | kAgainst | kBy, won_back},
    {"compute_ratio", "×",
     "compute of the first arm that is as good as the arm at the whole budget, inverted: how many "
     "times as much the arm needs (with other shares of the budget)",
     kShares, 0, compute_ratio},
    {"trend", "nats per doubling", "slope of the difference over the shares of the budget",
     kShares | kEveryArm, 0, trend},
    {"spread_ratio", "×",
     "standard deviation over seeds against the first arm's, of what is judged or of 'metric'; "
     "Pitman-Morgan on paired seeds",
     0, kMetric, spread_ratio},
    {"slope", "per doubling",
     "of the difference on log2 of the settings in 'on' over all cells, or those in 'cells', seed "
     "by "
     "seed; 'coefficient' is one of them, or with two 'interaction'",
     kCells, kMetric, slope},
    {"crossover", "",
     "the value of the setting in 'on' from which the arm's mean is below the first arm's, over "
     "all "
     "cells or those in 'cells', straight in its logarithm between them",
     kCells | kAscending, kMetric, crossover},
    {"rate_sensitivity", "nats/token",
     "what a wrong learning rate costs: the mean loss over the rates minus the lowest, with the "
     "arm "
     "minus with the first one; over cells that differ in lr (Wortsman et al. 2023)",
     kRates, 0, rate_sensitivity},
    {"best_rate_slope", "doublings per doubling",
     "slope of log2 of the best learning rate on log2 of the setting in 'on', with the arm "
     "minus with the first one",
     kRates, 0, best_rate_slope},
    {"step_time", "×",
     "step time against the first arm's, median over rounds, with quartiles where these are an "
     "interval of it",
     0, 0, step_time},
};

}  // namespace

Figure missing(std::string why) { return {"", "", {}, {}, std::move(why)}; }

Figure of(const Estimate& e, double alpha) { return {"", "", e.mean, t_interval(e, alpha), ""}; }

const std::string& metric_of(const FigureContext& c) {
  return c.spec.metric.empty() ? c.report.judged : c.spec.metric;
}

std::string unknown(const ArmReport& arm, const std::string& metric) {
  int lacking = 0;
  for (const RecordPtr& run : arm.runs) lacking += run->ok() && !run->value(metric) ? 1 : 0;
  return lacking == 0 ? ""
                      : fmt::format("{} of {} of {} {} no {}", lacking,
                                    base::counted(arm.runs.size(), "run"), arm.name,
                                    lacking == 1 ? "has" : "have", metric);
}

BySeed values(const ArmReport& arm, const std::string& metric) {
  BySeed out;
  for (const RecordPtr& run : arm.runs)
    if (const auto value = run->ok() ? run->value(metric) : std::nullopt)
      out.emplace(run->seed, *value);
  return out;
}

std::vector<double> less(const BySeed& a, const BySeed& b) {
  std::vector<double> out;
  for (const auto& [seed, value] : a)
    if (const auto other = b.find(seed); other != b.end()) out.push_back(value - other->second);
  return out;
}

std::span<const FigureKind> figure_kinds() { return kKinds; }

std::string withheld(const ArmReport& arm) {
  if (!arm.missing.empty()) return "runs are missing";
  if (arm.diverged + arm.failed + arm.untrained > 0)
    return fmt::format(
        "{} of {} lost",
        base::counted(static_cast<std::uint64_t>(arm.diverged + arm.failed + arm.untrained), "run"),
        arm.name);
  return "";
}

}  // namespace lab
