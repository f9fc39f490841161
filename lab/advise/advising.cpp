#include "lab/advise/advising.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "lab/study/levels.h"
#include "train/run_plan.h"

namespace lab {
namespace {

constexpr double kStart = 0.15;       // seconds until a process trains
constexpr double kReserve = 0.9;      // of the time is planned with
constexpr std::int64_t kFewest = 20;  // steps of a run; fewer say nothing
constexpr const char* kSpent = "spent.json";
constexpr const char* kBudget = "budget.json";

Study plain_study(const train::Settings& base, std::int64_t seeds) {
  Study study;
  study.base = base;
  const std::string none = "none";
  study.arms = arm_levels({&none, 1}, base);
  study.seeds = seeds;
  return study;
}

}  // namespace

double budgets_at_most(const std::vector<Regime>& regimes, const train::Settings& base,
                       std::int64_t judging_seeds) {
  double sum = 0;
  for (const Regime& regime : regimes) sum += with(base, {regime.name, regime.set}).budget_share;
  for (int round = 1; round < Halving::kRounds; ++round)
    sum += static_cast<double>(static_cast<std::int64_t>(Halving::most_in(round, regimes.size())) *
                               (Halving::seeds_in(round) - Halving::seeds_in(round - 1)));
  return sum + static_cast<double>(kJudged * judging_seeds);
}

std::int64_t steps_within(double seconds, double budgets, const RunCost& cost, double speedup) {
  const double steps = (kReserve * seconds * speedup / budgets - cost.rest) / cost.step;
  if (steps < static_cast<double>(kFewest)) return 0;
  const double digits = std::pow(10, std::floor(std::log10(steps)) - 1);
  return static_cast<std::int64_t>(std::floor(steps / digits) * digits);
}

std::string shortest_time(double budgets, const RunCost& cost, double speedup) {
  const double run = cost.rest + static_cast<double>(kFewest) * cost.step;
  // A tenth more, since the next command measures again.
  const double seconds = 1.1 * run * budgets / kReserve / speedup;
  return seconds <= 60 ? fmt::format("{:.0f}s", std::ceil(seconds))
                       : fmt::format("{:.0f}min", std::ceil(seconds / 60));
}

std::int64_t seeds_within(double seconds, double run_seconds, std::int64_t least) {
  const double fit = std::floor(std::max(0.0, seconds) / (kJudged * std::max(run_seconds, 1e-9)));
  const auto seeds = static_cast<std::int64_t>(std::min<double>(fit, kPlannedSeeds));
  if (seeds < least && seeds * 4 >= least * 3) return least;
  return std::max<std::int64_t>(2, seeds);
}

Advising::Advising(const train::Settings& base, AdviseOptions options, Observer& observer)
    : base_(base),
      options_(std::move(options)),
      observer_(observer),
      seeds_(options_.seeds.value_or(options_.seconds ? kPlannedSeeds : kLeastSeeds)) {
  plain_.emplace(plain_study(base_, seeds_), Store(options_.session.store),
                 options_.session.other_builds);
  Json identity = plain_->identity();
  identity["advise"] = {{"time", base::or_null(options_.seconds)},
                        {"from", base::exact(base_.seed)}};
  if (options_.seconds) identity["settings"].erase("budget");
  if (options_.session.out.empty())
    options_.session.out =
        std::filesystem::path("out") / ("advise-" + fingerprint(identity).substr(0, 12));
  folder_.emplace(options_.session.out, identity);
}

/// A choice that is made once and written down, so that the same command goes on with it. Null if
/// nothing was chosen yet. Throws base::Error if the file was changed.
Json Advising::kept(const char* name) const {
  const Json json = folder_->load(name);
  if (json.is_null()) return json;
  base::require(is_sealed(json) && json.contains("what"), (folder_->path() / name).string(),
                ": was changed by hand; remove the folder to start again");
  return json["what"];
}

void Advising::keep(const char* name, const Json& what) const {
  folder_->save(name, sealed({{"what", what}}));
}

/// Times steps of the base settings on a throw-away model.
void Advising::measure() {
  const DryRun plan = dry_run(base_, plain_->task(0));
  require_fits(plan);
  const RunEstimate& run = plan.arms.front();
  cost_ = {run.training_seconds / static_cast<double>(std::max<std::int64_t>(1, run.steps)),
           run.evaluation_seconds + kStart};
  speedup_ = planned_jobs(*plain_, options_.session, true).speedup;
}

/// With a time for all of it, the budget of one run follows from the machine's speed.
void Advising::set_budget() {
  if (!options_.seconds) return;
  if (const Json before = kept(kBudget); !before.is_null()) {
    base_.budget = before.get<std::string>();
  } else {
    measure();
    const std::vector<Regime> all = regimes(base_);
    const auto steps_of = [&] {
      return steps_within(*options_.seconds, budgets_at_most(all, base_, seeds_), cost_, speedup_);
    };
    std::int64_t steps = steps_of();
    if (steps == 0 && !options_.seeds) {
      seeds_ = kLeastSeeds;
      steps = steps_of();
    }
    const double budgets = budgets_at_most(all, base_, seeds_);
    if (steps == 0) {
      const std::string time = shortest_time(budgets, cost_, speedup_);
      throw base::Error(fmt::format(
          "--time {:g} s: too little for {:.0f} runs of {} steps; the shortest that fits here is "
          "{}: --time {}",
          *options_.seconds, budgets, kFewest, time, time));
    }
    base_.budget = fmt::format("{}steps", steps);
    observer_.note(fmt::format("budget of a run: {}", base_.budget));
  }
  plain_.emplace(plain_->with_study(plain_study(base_, seeds_)));
}

AdvicePlan Advising::plan() {
  set_budget();
  const std::vector<Regime> all = regimes(base_);
  const double budgets = budgets_at_most(all, base_, seeds_);
  if (cost_.step == 0) measure();
  const auto steps = static_cast<double>(train::RunPlan(base_, plain_->task(0)).total_steps);
  return {.regimes = all.size(),
          .budget = base_.budget,
          .runs_at_most = budgets,
          .seconds_at_most = budgets * (steps * cost_.step + cost_.rest) / speedup_,
          .seeds = seeds_};
}

void Advising::halve() {
  if (const Json spent = kept(kSpent); !spent.is_null()) {
    seconds_before_ = spent.at("seconds");
    budgets_spent_ = spent.at("budgets");
  }
  while (!halving_->done()) {
    const int round = halving_->round();
    const double left = budgets_missing(halving_->runs()), before = budgets_spent_;
    make_runs(halving_->runs(), options_.session, "trying", work_, observer_, [&] {
      budgets_spent_ = before + left - budgets_missing(halving_->runs());
      keep(kSpent, {{"seconds", seconds_before_ + watch_.seconds()}, {"budgets", budgets_spent_}});
    });
    require_made(halving_->runs(), "a run that the choice needs");
    const std::size_t count = halving_->runs().study().arms.size();
    halving_->settle();
    observer_.note(fmt::format(
        "{} regimes on {} tuning seed{}{}", count, Halving::seeds_in(round), round > 0 ? "s" : "",
        halving_->done() ? "" : fmt::format("; {} go on", halving_->runs().study().arms.size())));
  }
}

/// Fixed before the first judged run, and then for good.
std::int64_t Advising::judging_seeds(double run_seconds) const {
  constexpr const char* kSeeds = "seeds.json";
  if (const Json before = kept(kSeeds); !before.is_null() && !options_.seeds)
    return before.get<std::int64_t>();
  std::int64_t seeds = seeds_;
  if (options_.seconds && !options_.seeds && run_seconds > 0)
    seeds = seeds_within(*options_.seconds - seconds_before_ - watch_.seconds(), run_seconds,
                         kLeastSeeds);
  keep(kSeeds, seeds);
  return seeds;
}

Advised Advising::answer() {
  set_budget();
  halving_.emplace(*plain_, regimes(base_));
  plain_->check(options_.session.jobs.value_or(1));
  folder_->create();
  if (options_.seconds) keep(kBudget, base_.budget);
  work_.total = budgets_at_most(halving_->all(), base_, seeds_);
  halve();
  Study study = plain_->study();
  study.arms = judged_arms(*halving_);
  const double seconds = seconds_before_ + watch_.seconds();
  study.seeds = judging_seeds(budgets_spent_ > 0 ? seconds / budgets_spent_ : 0);
  StudyRuns judged = plain_->with_study(study);
  if (options_.session.keep_weights) judged.need_weights();
  if (!judged.missing().empty())
    make_runs(judged, options_.session, "judging", work_, observer_,
              [&] { observer_.table_changed(make_report(judged, {}, 1, "")); });
  require_made(judged, "a judged run");
  return judge(judged);
}

Advised Advising::judge(StudyRuns& judged) {
  Advised out{.report = make_report(judged, {}, count_look(judged), folder_->path().string())};
  const std::string best = advised(out.report).name;
  const auto& arms = out.report.cells.front().arms;
  const auto other = std::find_if(arms.begin(), arms.end(), [&](const ArmReport& arm) {
    return arm.name != best && arm.versus && arm.versus->verdict == Outcome::kHelps;
  });
  if (other != arms.end()) {
    Study pair = judged.study();
    std::erase_if(pair.arms, [](const Level& arm) { return arm.name == "none"; });
    if (pair.arms.front().name == best) std::reverse(pair.arms.begin(), pair.arms.end());
    const StudyRuns runs = judged.with_study(pair);
    out.direct = make_report(runs, {}, count_look(runs), "");
  }
  out.advice = make_advice(out.report, out.direct ? &*out.direct : nullptr);
  out.settings = with(base_, {out.advice.name, out.advice.set});
  observer_.finished(out.report);
  return out;
}

}  // namespace lab
