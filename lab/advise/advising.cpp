#include "lab/advise/advising.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "lab/study/looks.h"
#include "lab/study/rivals.h"
#include "train/run_plan.h"

namespace lab {
namespace {

constexpr std::int64_t kLeastSeeds = 8;
constexpr const char* kSpent = "spent.json";

/// A choice that is made once and written down, so that the same command goes on with it.
class Frozen {
 public:
  Frozen(const StudyFolder& folder, std::string name) : folder_(folder), name_(std::move(name)) {}
  /// Null if nothing was chosen yet. Throws base::Error if the file was changed.
  Json load() const {
    const Json json = folder_.load(name_);
    if (json.is_null()) return json;
    base::require(json.is_object() && json.contains("hash") && json.contains("what") &&
                      json["hash"] == fingerprint(json["what"]),
                  (folder_.path() / name_).string(),
                  ": was changed by hand; remove the folder to start again");
    return json["what"];
  }
  void save(const Json& what) const {
    folder_.save(name_, {{"what", what}, {"hash", fingerprint(what)}});
  }

 private:
  const StudyFolder& folder_;
  std::string name_;
};

double number_of(const Json& json, const char* key) {
  return json.is_object() && json.contains(key) && json[key].is_number()
             ? std::max(0.0, json[key].get<double>())
             : 0.0;
}

Study plain_study(const train::Settings& base, std::int64_t seeds) {
  Study study;
  study.base = base;
  const std::string none = "none";
  study.arms = arm_levels({&none, 1}, base);
  study.cells = {{}};
  study.shares = share_levels({});
  study.seeds = seeds;
  return study;
}

}  // namespace

Advising::Advising(const train::Settings& base, AdviseOptions options, Observer& observer)
    : base_(base), options_(std::move(options)), observer_(observer) {
  plain_.emplace(plain_study(base_, planned_seeds()), Store(options_.session.store),
                 options_.session.other_builds);
  Json identity = plain_->identity();
  identity["advise"] = {{"time", options_.seconds ? Json(*options_.seconds) : Json(nullptr)},
                        {"from", base::exact(base_.seed)}};
  if (options_.seconds) identity["settings"].erase("budget");
  if (options_.session.out.empty())
    options_.session.out =
        std::filesystem::path("out") / ("advise-" + fingerprint(identity).substr(0, 12));
  folder_.emplace(options_.session.out, identity);
}

std::int64_t Advising::planned_seeds() const {
  return options_.seeds.value_or(options_.seconds ? kPlannedSeeds : kLeastSeeds);
}

void Advising::measure() {
  pace_ = measure_pace(base_, plain_->task(0));
  speedup_ = planned_jobs(*plain_, options_.session, true).speedup;
}

/// With a time for all of it, the budget of one run follows from the machine's speed.
void Advising::set_budget() {
  if (!options_.seconds) return;
  if (const Json kept = Frozen(*folder_, "budget.json").load(); !kept.is_null()) {
    base_.budget = kept.get<std::string>();
  } else {
    measure();
    const std::int64_t steps =
        steps_within(*options_.seconds, budgets_at_most(regimes(base_), base_, planned_seeds()),
                     pace_, speedup_);
    base_.budget = fmt::format("{}steps", steps);
    observer_.note(fmt::format("budget of a run: {}", base_.budget));
  }
  plain_.emplace(plain_->anew(plain_study(base_, planned_seeds())));
}

AdvicePlan Advising::plan() {
  set_budget();
  const std::vector<Regime> all = regimes(base_);
  const double budgets = budgets_at_most(all, base_, planned_seeds());
  if (pace_.step == 0) measure();
  const auto steps = static_cast<double>(train::RunPlan(base_, plain_->task(0)).total_steps);
  return {.regimes = all.size(),
          .budget = base_.budget,
          .runs_at_most = budgets,
          .seconds_at_most = budgets * (steps * pace_.step + pace_.rest) / speedup_,
          .seeds = planned_seeds()};
}

void Advising::halve() {
  const Json kept = Frozen(*folder_, kSpent).load();
  seconds_before_ = number_of(kept, "seconds");
  budgets_spent_ = number_of(kept, "budgets");
  while (!halving_->done()) {
    const int round = halving_->round();
    const double left = budgets_of(halving_->runs()), before = budgets_spent_;
    make_runs(halving_->runs(), options_.session, "trying", work_, observer_, [&] {
      budgets_spent_ = before + left - budgets_of(halving_->runs());
      Frozen(*folder_, kSpent)
          .save({{"seconds", seconds_before_ + watch_.seconds()}, {"budgets", budgets_spent_}});
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
  const Frozen frozen(*folder_, "seeds.json");
  if (const Json kept = frozen.load(); !kept.is_null() && !options_.seeds)
    return kept.get<std::int64_t>();
  std::int64_t seeds = planned_seeds();
  if (options_.seconds && !options_.seeds && run_seconds > 0)
    seeds = seeds_within(*options_.seconds - seconds_before_ - watch_.seconds(), run_seconds,
                         kLeastSeeds);
  frozen.save(seeds);
  return seeds;
}

Advised Advising::answer() {
  set_budget();
  halving_.emplace(*plain_, regimes(base_));
  plain_->check(options_.session.jobs.value_or(1));
  folder_->create();
  if (options_.seconds) Frozen(*folder_, "budget.json").save(base_.budget);
  work_.total = budgets_at_most(halving_->all(), base_, planned_seeds());
  halve();
  Study study = plain_->study();
  study.arms = judged_arms(*halving_);
  const double seconds = seconds_before_ + watch_.seconds();
  study.seeds = judging_seeds(budgets_spent_ > 0 ? seconds / budgets_spent_ : 0);
  StudyRuns judged = plain_->anew(study);
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
    const StudyRuns runs = judged.anew(pair);
    out.direct = make_report(runs, {}, count_look(runs), "");
  }
  out.advice = make_advice(out.report, out.direct ? &*out.direct : nullptr);
  out.settings = with(base_, {out.advice.name, out.advice.set});
  observer_.finished(out.report);
  return out;
}

}  // namespace lab
