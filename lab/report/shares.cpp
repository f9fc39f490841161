#include <algorithm>
#include <cmath>

#include "lab/report/report.h"
#include "lab/stats/regression.h"

namespace lab {
namespace {

double size_of(const Study& study, std::size_t share) {
  return share == 0 ? 1 : with(train::Settings{}, study.shares[share]).budget_share;
}

/// Shares ascending, and the losses of seeds that have all of them, row-major (seeds, shares).
struct Curves {
  std::vector<double> shares, first, arm;  // arm: at every share, or where only the first arm is
                                           // trained at the others, at the whole budget
  bool arm_everywhere = false;
  std::vector<double> flops;  // of the arm at each share, mean over the seeds
  std::vector<std::uint64_t> seed_numbers;
  std::size_t seeds = 0;
};

Curves curves_of(const StudyRuns& runs, std::size_t cell, std::size_t arm,
                 const std::string& metric) {
  const Study& study = runs.study();
  std::vector<std::size_t> order(study.shares.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return size_of(study, a) < size_of(study, b); });
  Curves out;
  out.arm_everywhere = study.all_at_shares || arm == 0;
  for (const std::size_t share : order) out.shares.push_back(size_of(study, share));
  for (const std::size_t share : order) {
    std::vector<double> flops;
    for (std::int64_t s = 0; s < study.seeds; ++s)
      if (const RecordPtr r =
              runs.record({cell, arm, share, study.base.seed + static_cast<std::uint64_t>(s)}))
        flops.push_back(r->value("flops").value_or(0));
    out.flops.push_back(mean(flops).value_or(0));
  }
  for (std::uint64_t s = 0; s < static_cast<std::uint64_t>(study.seeds); ++s) {
    std::vector<double> first, mine;
    const auto add = [&](std::vector<double>& to, std::size_t of, std::size_t share) {
      const RecordPtr r = runs.record({cell, of, share, study.base.seed + s});
      if (r != nullptr && r->ok())
        if (const auto v = r->value(metric)) to.push_back(*v);
    };
    for (const std::size_t share : order) {
      add(first, 0, share);
      if (out.arm_everywhere || share == 0) add(mine, arm, share);
    }
    const std::size_t wanted = out.arm_everywhere ? order.size() : 1;
    if (first.size() != order.size() || mine.size() != wanted) continue;
    out.first.insert(out.first.end(), first.begin(), first.end());
    out.arm.insert(out.arm.end(), mine.begin(), mine.end());
    out.seed_numbers.push_back(study.base.seed + s);
    ++out.seeds;
  }
  return out;
}

/// Straight in log₂(share) between the points; nothing outside.
std::optional<double> between(const std::vector<double>& shares, std::span<const double> losses,
                              double share) {
  for (std::size_t i = 0; i + 1 < shares.size(); ++i)
    if (shares[i] <= share && share <= shares[i + 1]) {
      const double t = std::log2(share / shares[i]) / std::log2(shares[i + 1] / shares[i]);
      return losses[i] + t * (losses[i + 1] - losses[i]);
    }
  return {};
}

}  // namespace

std::vector<ShareLosses> losses_by_share(const StudyRuns& runs, std::size_t cell,
                                         const std::string& metric) {
  const Study& study = runs.study();
  if (study.shares.size() < 2) return {};
  std::vector<ShareLosses> out;
  for (std::size_t share = 0; share < study.shares.size(); ++share) {
    ShareLosses& at = out.emplace_back();
    at.share = size_of(study, share);
    for (std::int64_t s = 0; s < study.seeds; ++s) {
      const RecordPtr r =
          runs.record({cell, 0, share, study.base.seed + static_cast<std::uint64_t>(s)});
      if (r == nullptr || !r->ok()) continue;
      if (const auto loss = r->value(metric)) at.losses[r->seed] = *loss;
    }
  }
  std::sort(out.begin(), out.end(),
            [](const ShareLosses& a, const ShareLosses& b) { return a.share < b.share; });
  return out;
}

void add_shares(ArmReport& out, const StudyRuns& runs, std::size_t cell, std::size_t arm,
                const std::string& metric) {
  if (runs.study().shares.size() < 2) return;
  const Curves c = curves_of(runs, cell, arm, metric);
  const std::size_t n = c.shares.size();
  if (c.seeds < static_cast<std::size_t>(runs.study().seeds)) return;
  std::vector<double> at_whole;
  const std::size_t whole =
      static_cast<std::size_t>(std::find(c.shares.begin(), c.shares.end(), 1.0) - c.shares.begin());
  for (std::size_t s = 0; s < c.seeds; ++s)
    at_whole.push_back(c.arm_everywhere ? c.arm[s * n + whole] : c.arm[s]);
  std::vector<BudgetLoss> curve;
  for (std::size_t i = 0; i < n; ++i) {
    std::vector<double> first, mine;
    for (std::size_t s = 0; s < c.seeds; ++s) {
      first.push_back(c.first[s * n + i]);
      if (c.arm_everywhere) mine.push_back(c.arm[s * n + i]);
    }
    curve.push_back({c.shares[i], *mean(first)});
    if (!c.arm_everywhere) continue;
    ShareReport& share = out.shares.emplace_back();
    share.share = c.shares[i];
    share.loss = {mean(mine), sd(mine)};
    share.flops = c.flops[i];
    for (std::size_t s = 0; s < c.seeds; ++s) share.losses.emplace(c.seed_numbers[s], mine[s]);
    if (arm == 0) continue;
    if (const auto x = summarize(differences(mine, first))) share.diff = estimate(*x);
  }
  if (const auto loss = mean(at_whole)) out.equivalent = compute_equivalent(curve, *loss);
  out.equivalent_ci = equivalent_interval({c.shares, c.first, at_whole});
  if (arm == 0) return;
  if (c.arm_everywhere)
    if (const auto x = share_trend(c.shares, differences(c.arm, c.first))) out.trend = estimate(*x);
  if (!out.speed) return;
  std::vector<double> d;
  for (std::size_t s = 0; s < c.seeds; ++s)
    if (const auto first =
            between(c.shares, std::span(c.first).subspan(s * n, n), out.speed->step_time_ratio))
      d.push_back(at_whole[s] - *first);
  if (d.size() == c.seeds)
    if (const auto x = summarize(d)) out.at_equal_seconds = estimate(*x);
}

}  // namespace lab
