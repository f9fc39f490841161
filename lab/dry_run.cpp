#include "lab/dry_run.h"

#include <algorithm>
#include <chrono>
#include <tuple>

#include "engine/buffer.h"
#include "engine/error.h"
#include "ops/peak.h"

namespace lab {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kEfficiency = 0.5;    // of the FMA peak, where no step is timed
constexpr double kForwardShare = 3;    // a step takes three times the FLOPs of its forward pass
constexpr double kMostSeconds = 5;     // that timing one arm may take, by the same efficiency
constexpr double kLeastSeconds = 0.3;  // for steps that are short and so noisy
constexpr std::size_t kWarmUp = 2, kLeastSteps = 3;

/// Median and number of the steps timed.
std::pair<double, std::size_t> time_steps(train::Trainer& trainer) {
  std::vector<double> seconds;
  double sum = 0;
  for (std::uint64_t i = 0; seconds.size() < kLeastSteps || sum < kLeastSeconds; ++i) {
    const auto start = Clock::now();
    trainer.step(i, 0.5);
    if (i < kWarmUp) continue;
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    sum += seconds.back();
  }
  std::sort(seconds.begin(), seconds.end());
  return {seconds[seconds.size() / 2], seconds.size()};
}

bool fits_in(double bytes, std::size_t available) {
  return available == 0 || bytes <= static_cast<double>(available);
}

/// What is allocated later; corpus and program are there by then.
double allocated(const train::MemoryNeed& m) {
  return static_cast<double>(m.total() - m.corpus - m.program);
}

RunEstimate estimate(const std::string& name, const train::Settings& settings,
                     const train::Corpus& corpus, std::optional<std::int64_t> unique_tokens,
                     double peak_gflops, std::size_t available) {
  train::Trainer trainer(settings, corpus, unique_tokens, train::Trainer::Make::kPlan);
  RunEstimate e;
  e.name = name;
  e.parameters = trainer.params().count();
  e.memory = trainer.memory();
  e.tokens_per_step = trainer.tokens_per_step();
  e.flops_per_step = trainer.flops_per_step();
  e.steps = trainer.total_steps();
  double step_seconds = e.flops_per_step / (peak_gflops * 1e9 * kEfficiency);
  const double timing = static_cast<double>(kWarmUp + kLeastSteps) * step_seconds;
  if (timing <= kMostSeconds && fits_in(allocated(e.memory), available)) {
    trainer.allocate();
    std::tie(step_seconds, e.timed_steps) = time_steps(trainer);
  }
  const train::Budget budget = train::Budget::parse(settings.budget);
  const double steps = budget.fixed_steps() ? static_cast<double>(e.steps)
                                            : std::max(1.0, budget.amount / step_seconds);
  e.tokens = steps * e.tokens_per_step;
  e.flops = steps * e.flops_per_step;
  e.training_seconds = steps * step_seconds;
  e.evaluation_seconds =
      trainer.evaluated_tokens() / e.tokens_per_step * step_seconds / kForwardShare;
  return e;
}

}  // namespace

double DryRun::runs(std::size_t arm) const {
  double shares = 1;
  if (equivalent && arm == 0)
    for (const double share : kShares) shares += share;
  return shares * static_cast<double>(seeds) * static_cast<double>(cells);
}

std::int64_t DryRun::run_count() const {
  const std::int64_t more = equivalent ? std::ssize(kShares) : 0;
  return (std::ssize(arms) + more) * seeds * static_cast<std::int64_t>(cells);
}

double DryRun::flops() const {
  double sum = 0;
  for (std::size_t i = 0; i < arms.size(); ++i) sum += runs(i) * arms[i].flops;
  return sum;
}

double DryRun::seconds() const {
  double sum = 0;
  for (std::size_t i = 0; i < arms.size(); ++i) sum += runs(i) * arms[i].seconds();
  return sum;
}

double DryRun::memory() const {
  double most = 0, together = 0;
  for (const RunEstimate& e : arms) {
    most = std::max(most, allocated(e.memory));
    together += allocated(e.memory);
  }
  const train::MemoryNeed& m = arms.front().memory;
  return std::max(most, together) + static_cast<double>(m.corpus + m.program);
}

bool DryRun::fits() const {
  const train::MemoryNeed& m = arms.front().memory;
  return fits_in(memory() - static_cast<double>(m.corpus + m.program), available);
}

DryRun dry_run(const train::Settings& settings, const train::Corpus& corpus) {
  DryRun plan;
  plan.peak_gflops = ops::fma_peak_gflops();
  plan.available = engine::available_memory();
  plan.arms.push_back(estimate("run", settings, corpus, {}, plan.peak_gflops, plan.available));
  return plan;
}

DryRun dry_run(const ComparisonSpec& spec, const train::Corpus& corpus) {
  DryRun plan;
  plan.comparison = true;
  plan.seeds = spec.seeds;
  plan.equivalent = spec.equivalent;
  plan.peak_gflops = ops::fma_peak_gflops();
  plan.available = engine::available_memory();
  const std::vector<Cell> cells = plan_cells(spec, corpus.vocab);
  plan.cells = cells.size();
  for (const Arm& arm : spec.arms) {
    for (std::size_t i = 1; i < cells.size(); ++i)  // is there enough data?
      train::Trainer(arm.settings, corpus, cells[i].unique_tokens, train::Trainer::Make::kPlan);
    plan.arms.push_back(estimate(arm.name, arm.settings, corpus, cells[0].unique_tokens,
                                 plan.peak_gflops, plan.available));
  }
  return plan;
}

void require_fits(const DryRun& plan) {
  if (plan.fits()) return;
  const train::MemoryNeed& m = plan.arms.front().memory;
  engine::require_memory(plan.memory() - static_cast<double>(m.corpus + m.program),
                         plan.comparison ? "this comparison" : "this model and batch");
}

}  // namespace lab
