#include "lab/study/dry_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/error.h"
#include "base/measure.h"
#include "base/text.h"
#include "engine/buffer.h"
#include "lab/study/speed.h"
#include "ops/peak.h"
#include "train/storage/checkpoint.h"
#include "train/trainer.h"

namespace lab {
namespace {

constexpr double kEfficiency = 0.5;     // of the FMA peak, if no step is timed
constexpr double kForwardShare = 3;     // a step takes three times the FLOPs of its forward pass
constexpr double kMostTiming = 5;       // that timing one arm may take, by the same efficiency
constexpr double kLeastSeconds = 0.3;   // for steps that are short and so noisy
constexpr std::size_t kLeastTimed = 3;  // steps

/// Median and number of the steps timed.
std::pair<double, std::size_t> time_steps(train::StepTimer timer) {
  std::vector<double> seconds;
  double sum = 0;
  while (seconds.size() < kLeastTimed || sum < kLeastSeconds) {
    const double step = timer.step();
    if (!timer.warm()) continue;
    seconds.push_back(step);
    sum += step;
  }
  return {base::median(seconds), seconds.size()};
}

bool fits_in(double bytes, std::size_t available) {
  return available == 0 || bytes <= static_cast<double>(available);
}

double allocated(const train::MemoryNeed& m) { return static_cast<double>(m.allocated()); }

RunEstimate estimate(const std::string& name, const train::Settings& settings,
                     const train::Task& task, double peak_gflops, std::size_t available) {
  train::RunPlan trainer(settings, task);
  RunEstimate e;
  e.name = name;
  e.parameters = trainer.params->count();
  e.memory = trainer.memory;
  e.checkpoint = train::checkpoint_bytes(*trainer.params, settings);
  e.tokens_per_step = trainer.tokens_per_step;
  e.flops_per_step = trainer.flops_per_step;
  e.steps = trainer.total_steps;
  const double evaluated = trainer.evaluated_tokens;
  double step_seconds = e.flops_per_step / (peak_gflops * 1e9 * kEfficiency);
  const double timing = static_cast<double>(train::StepTimer::kWarmUp + kLeastTimed) * step_seconds;
  if (timing <= kMostTiming && fits_in(allocated(e.memory), available))
    std::tie(step_seconds, e.timed_steps) = time_steps(train::StepTimer(std::move(trainer)));
  const train::Budget budget = train::Budget::parse(settings.budget);
  const double steps = budget.fixed_steps() ? static_cast<double>(e.steps)
                                            : std::max(1.0, budget.amount / step_seconds);
  e.tokens = steps * e.tokens_per_step;
  e.flops = steps * e.flops_per_step;
  e.training_seconds = steps * step_seconds;
  e.evaluation_seconds = evaluated / e.tokens_per_step * step_seconds / kForwardShare;
  return e;
}

}  // namespace

double DryRun::runs(std::size_t arm) const {
  double shares = 0;
  for (const auto& [of, share] : missing)
    if (of == arm) shares += share;
  return shares;
}

double DryRun::flops() const {
  double sum = 0;
  for (std::size_t i = 0; i < arms.size(); ++i) sum += runs(i) * arms[i].flops;
  return sum;
}

double DryRun::seconds() const {
  const auto count = static_cast<std::size_t>(jobs.count);
  std::vector<double> busy_until(count, 0.0);
  for (const auto& [arm, share] : missing) {
    const double alone = arms[arm].seconds() * share;
    *std::min_element(busy_until.begin(), busy_until.end()) +=
        alone * static_cast<double>(count) / jobs.speedup;
  }
  return *std::max_element(busy_until.begin(), busy_until.end());
}

double DryRun::memory() const {
  const train::MemoryNeed& first = arms.front().memory;
  double most = 0, pair = 0;
  for (const RunEstimate& e : arms) {
    most = std::max(most, allocated(e.memory));
    if (&e != &arms.front()) pair = std::max(pair, allocated(first) + allocated(e.memory));
  }
  const auto program = static_cast<double>(first.program);
  const double runs = missing.empty() ? 0 : static_cast<double>(jobs.count) * (most + program);
  const double timing = fits_in(pair, available) ? pair + program : 0;
  return std::max(runs, timing) + static_cast<double>(first.corpus);
}

bool DryRun::fits() const {
  const train::MemoryNeed& m = arms.front().memory;
  return fits_in(memory() - static_cast<double>(m.corpus + m.program), available);
}

DryRun dry_run(const train::Settings& settings, const train::Task& task) {
  DryRun plan;
  plan.peak_gflops = ops::fma_peak_gflops();
  plan.available = base::available_memory();
  plan.arms.push_back(estimate("run", settings, task, plan.peak_gflops, plan.available));
  plan.missing = {{0, 1.0}};
  return plan;
}

DryRun dry_run(const StudyRuns& runs, const Jobs& jobs, const GridSearch* tuning) {
  runs.check(0);
  DryRun plan;
  plan.study = true;
  const Study& study = runs.study();
  plan.done = tuning != nullptr ? 0 : runs.count() - runs.missing().size();
  plan.jobs = jobs;
  plan.peak_gflops = ops::fma_peak_gflops();
  plan.available = base::available_memory();
  std::map<std::string, std::size_t> known;  // estimates, by what they depend on
  const auto estimate_of = [&](std::size_t cell, std::size_t arm) {
    const train::Settings s = settings_at(study, {cell, arm, 0, 0});
    const std::string key = cost_key(s) + train::run_budget(s).to_string() + study.arms[arm].name;
    const auto [it, fresh] = known.emplace(key, plan.arms.size());
    if (fresh) {
      std::string name = study.arms[arm].name;
      if (cell > 0) name += " in " + study.cells[cell].name;
      plan.arms.push_back(estimate(name, s, runs.task(cell), plan.peak_gflops, plan.available));
    }
    return it->second;
  };
  for (std::size_t cell = 0; cell < study.cells.size(); ++cell)
    for (std::size_t arm = 0; arm < study.arms.size(); ++arm) estimate_of(cell, arm);
  const auto share_of = [](const Study& of, const Point& p) {
    return settings_at(of, p).budget_share;
  };
  if (tuning != nullptr) {
    const StudyRuns& first = tuning->runs();
    first.check(0);
    plan.done += first.count() - first.missing().size();
    for (const Point& p : first.missing()) {
      const std::size_t arm = tuning->whose(p.arm);
      plan.missing.emplace_back(estimate_of(p.cell, arm),
                                share_of(first.study(), p) / share_of(study, {p.cell, arm, 0, 0}));
    }
  }
  // Before the choice, arms may look alike that will not be.
  for (const Point& p : tuning != nullptr ? runs.points() : runs.missing())
    plan.missing.emplace_back(estimate_of(p.cell, p.arm),
                              share_of(study, p) / share_of(study, {p.cell, p.arm, 0, 0}));
  return plan;
}

void require_in_time(const DryRun& plan, const Study& study, double limit) {
  const double needed = plan.seconds();
  if (needed <= limit) return;
  const auto time = [](double seconds) {
    return seconds < 90 ? fmt::format("{:.3g} s", seconds)
                        : fmt::format("{:.3g} min", seconds / 60);
  };
  std::vector<double> spent(plan.arms.size());
  double all = 0;
  for (const auto& [arm, share] : plan.missing) {
    const double one = share * plan.arms[arm].seconds();
    spent[arm] += one;
    all += one;
  }
  const auto most =
      static_cast<std::size_t>(std::max_element(spent.begin(), spent.end()) - spent.begin());
  // Runs that are there are whole seeds, first ones first.
  const auto there = static_cast<double>(plan.done),
             missing = static_cast<double>(plan.missing.size());
  const auto seeds = static_cast<std::int64_t>(
      static_cast<double>(study.seeds) * (there + missing * limit / needed) / (there + missing));
  throw base::Error(fmt::format(
      "this takes about {} here, and the limit is {}: {} of {} would fit; {} alone takes "
      "{:.0f} % of the time; leave out seeds, arms or cells in a copy of the file, or use --quick",
      time(needed), time(limit), seeds < 1 ? "none" : fmt::format("{}", seeds),
      base::counted(static_cast<std::uint64_t>(study.seeds), "seed"), plan.arms[most].name,
      100 * spent[most] / all));
}

void require_fits(const DryRun& plan) {
  if (plan.fits()) return;
  const train::MemoryNeed& m = plan.arms.front().memory;
  const std::string what = !plan.study ? "this model and batch"
                           : plan.jobs.count == 1
                               ? "this comparison"
                               : fmt::format("this comparison with --jobs {}", plan.jobs.count);
  engine::require_memory(plan.memory() - static_cast<double>(m.corpus + m.program), what.c_str());
}

}  // namespace lab
