#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/numbers.h"
#include "cli/show.h"
#include "cli/study_command.h"
#include "cli/study_progress.h"
#include "lab/advise/advice.h"
#include "lab/advise/within_time.h"
#include "lab/report/html.h"
#include "lab/study/folder.h"
#include "lab/study/looks.h"
#include "lab/study/rivals.h"

namespace cli {
namespace {

constexpr std::int64_t kLeastSeeds = 8;
constexpr std::int64_t kNever = 1'000'000'000;  // steps between evaluations

/// A choice that is made once and written down, so that the same command goes on with it.
class Frozen {
 public:
  Frozen(const lab::StudyFolder& folder, std::string name)
      : folder_(folder), name_(std::move(name)) {}
  /// Null before. Throws base::Error where it is not as it was written.
  lab::Json load() const {
    const lab::Json json = folder_.load(name_);
    if (json.is_null()) return json;
    base::require(json.is_object() && json.contains("hash") && json.contains("what") &&
                      json["hash"] == lab::fingerprint(json["what"]),
                  (folder_.path() / name_).string(),
                  ": edited by hand; remove the folder to begin anew");
    return json["what"];
  }
  void save(const lab::Json& what) const {
    folder_.save(name_, {{"what", what}, {"hash", lab::fingerprint(what)}});
  }

 private:
  const lab::StudyFolder& folder_;
  std::string name_;
};

constexpr const char* kSpent = "spent.json";

/// On halving, by all commands that were at it.
struct Spent {
  double seconds = 0, budgets = 0;
};
Spent spent_before(const lab::StudyFolder& folder) {
  const lab::Json json = Frozen(folder, kSpent).load();
  const auto number = [&](const char* key) {
    return json.is_object() && json.contains(key) && json[key].is_number()
               ? std::max(0.0, json[key].get<double>())
               : 0.0;
  };
  return {number("seconds"), number("budgets")};
}

lab::Study plain_study(const train::Settings& base, std::int64_t seeds) {
  lab::Study study;
  study.base = base;
  const std::string none = "none";
  study.arms = lab::arm_levels({&none, 1}, base);
  study.cells = {{}};
  study.shares = lab::share_levels({});
  study.seeds = seeds;
  return study;
}

class Advising {
 public:
  Advising(const Parsed& args) : args_(args), options_(study_options(args)), base_(args.settings) {
    const bool budget = args.given.contains("budget");
    base::require(args.has("time") != budget,
                  budget ? "--time with --budget: the one decides the other; give one of them"
                         : "advise on what? Give --time T, how long it may take, as in 10min, or "
                           "--budget B, the compute of one run");
    base::require(train::run_budget(base_).fixed_steps(), "--budget ", base_.budget,
                  ": give it in flops, tokens or steps; --time T is how long it all may take");
    base::require(base_.budget_share == 1 && base_.stop == "end",
                  "--budget-share, --stop: are among what is tried; leave them out");
    // Only the end of a run is looked at, unless somebody wants to see the way.
    if (base_.eval_interval == 0) base_.eval_interval = kNever;
    if (args.has("time")) seconds_ = base::parse_time(args.text("time"), "--time");
    if (args.has("seeds")) seeds_ = args.integer("seeds", 2, 10'000);
  }

  int run() {
    lab::StudyRuns plain(plain_study(base_, planned_seeds()), lab::Store(options_.store),
                         options_.other_builds);
    lab::Json identity = plain.identity();
    identity["advise"] = {{"time", seconds_ ? lab::Json(*seconds_) : lab::Json(nullptr)},
                          {"from", base::exact(base_.seed)}};
    if (seconds_) identity["settings"].erase("budget");
    if (options_.out.empty())
      options_.out =
          std::filesystem::path("out") / ("advise-" + lab::fingerprint(identity).substr(0, 12));
    const lab::StudyFolder folder(options_.out, identity);
    try {
      set_budget(plain, folder);
      plain = plain.anew(plain_study(base_, planned_seeds()));
      lab::Halving halving(plain, lab::regimes(base_));
      if (options_.dry) return show_plan(plain, halving.all());
      plain.check(options_.jobs.value_or(1));
      folder.create();
      if (seconds_) Frozen(folder, "budget.json").save(base_.budget);
      return answer(plain, halving, folder);
    } catch (const lab::Interrupted& e) {
      end_interrupted(e, line_, options_.dry);
    }
  }

 private:
  std::int64_t planned_seeds() const {
    return seeds_.value_or(seconds_ ? lab::kPlannedSeeds : kLeastSeeds);
  }

  /// With --time, what a run may take.
  void set_budget(const lab::StudyRuns& plain, const lab::StudyFolder& folder) {
    if (!seconds_) return;
    if (const lab::Json kept = Frozen(folder, "budget.json").load(); !kept.is_null()) {
      base_.budget = kept.get<std::string>();
      return;
    }
    measure(plain);
    const std::int64_t steps = lab::steps_within(
        *seconds_, lab::budgets_at_most(lab::regimes(base_), base_, planned_seeds()), pace_,
        speedup_);
    base_.budget = fmt::format("{}steps", steps);
    line_.note(fmt::format("budget of a run: {}", base_.budget));
  }

  void measure(const lab::StudyRuns& plain) {
    pace_ = lab::measure_pace(base_, plain.task(0));
    StudyOptions options = options_;
    options.dry = true;  // wants the speedup where jobs are given, too
    speedup_ = planned_jobs(plain, options).speedup;
  }

  int show_plan(const lab::StudyRuns& plain, const std::vector<lab::Regime>& regimes) {
    const double budgets = lab::budgets_at_most(regimes, base_, planned_seeds());
    if (pace_.step == 0) measure(plain);
    const auto steps = static_cast<double>(train::RunPlan(base_, plain.task(0)).total_steps);
    const double seconds = budgets * (steps * pace_.step + pace_.rest) / speedup_;
    line_.finish();
    if (options_.format == "json")
      fmt::print("{}", base::json_text({{"regimes", regimes.size()},
                                        {"budget", base_.budget},
                                        {"runs_at_most", budgets},
                                        {"seeds", planned_seeds()},
                                        {"seconds_at_most", seconds}}));
    else
      fmt::print(
          "{} regimes, runs of {}, at most {:.0f} in all, of which the three that are judged "
          "get {} seeds each: about {}\nNothing was trained.\n",
          regimes.size(), base_.budget, budgets, planned_seeds(), duration(seconds));
    return 0;
  }

  int answer(const lab::StudyRuns& plain, lab::Halving& halving, const lab::StudyFolder& folder) {
    Workload work(lab::budgets_at_most(halving.all(), base_, planned_seeds()));
    Spent spent = spent_before(folder);
    const Spent before = spent;
    while (!halving.done()) {
      const int round = halving.round();
      const double left = budgets_of(halving.runs()), done = spent.budgets;
      const auto keep = [&] {
        spent.seconds = before.seconds + watch_.seconds();
        spent.budgets = done + left - budgets_of(halving.runs());
        Frozen(folder, kSpent).save({{"seconds", spent.seconds}, {"budgets", spent.budgets}});
      };
      make_runs(halving.runs(), options_, "trying", work, line_, keep);
      if (const std::string failed = halving.runs().first_failure(); !failed.empty())
        return refuse_missing(line_, "nothing is chosen while a run", failed);
      const std::size_t count = halving.runs().study().arms.size();
      halving.settle();
      line_.note(fmt::format(
          "{} regimes on {} tuning seed{}{}", count, lab::Halving::seeds_in(round),
          round > 0 ? "s" : "",
          halving.done() ? "" : fmt::format("; {} go on", halving.runs().study().arms.size())));
    }
    lab::Study study = plain.study();
    study.arms = lab::judged_arms(halving);
    study.seeds = judging_seeds(folder, before.seconds + watch_.seconds(),
                                spent.budgets > 0 ? spent.seconds / spent.budgets : 0);
    lab::StudyRuns judged = plain.anew(study);
    if (options_.keep_weights) judged.need_weights();
    std::size_t next = 1;
    const std::filesystem::path page = page_path(folder.path(), options_);
    if (!judged.missing().empty())
      make_runs(judged, options_, "judging", work, line_,
                [&] { show_live(lab::make_report(judged, {}, 1, ""), page, line_, next); });
    line_.finish();
    if (const std::string failed = judged.first_failure(); !failed.empty())
      return refuse_missing(line_, "nothing is said while a run", failed);
    return print(judged, halving, folder, page);
  }

  /// Before the first of them is made, and then for good.
  std::int64_t judging_seeds(const lab::StudyFolder& folder, double spent,
                             double run_seconds) const {
    const Frozen frozen(folder, "seeds.json");
    if (const lab::Json kept = frozen.load(); !kept.is_null() && !seeds_)
      return kept.get<std::int64_t>();
    std::int64_t seeds = planned_seeds();
    if (seconds_ && !seeds_ && run_seconds > 0)
      seeds = lab::seeds_within(*seconds_ - spent, run_seconds, kLeastSeeds);
    frozen.save(seeds);
    return seeds;
  }

  int print(const lab::StudyRuns& judged, const lab::Halving& halving,
            const lab::StudyFolder& folder, const std::filesystem::path& page) const {
    const lab::Report report =
        lab::make_report(judged, {}, lab::count_look(judged), folder.path().string());
    const std::string best = lab::advised(report).name;
    std::optional<lab::Report> direct;
    const auto& arms = report.cells.front().arms;
    const auto other = std::find_if(arms.begin(), arms.end(), [&](const lab::ArmReport& arm) {
      return arm.name != best && arm.versus && arm.versus->verdict == lab::Outcome::kHelps;
    });
    if (other != arms.end()) {
      lab::Study pair = judged.study();
      std::erase_if(pair.arms, [](const lab::Level& arm) { return arm.name == "none"; });
      if (pair.arms.front().name == best) std::reverse(pair.arms.begin(), pair.arms.end());
      const lab::StudyRuns runs = judged.anew(pair);
      direct = lab::make_report(runs, {}, lab::count_look(runs), "");
    }
    const lab::Advice advice = lab::make_advice(report, direct ? &*direct : nullptr);
    train::Settings settings = lab::with(base_, {advice.name, advice.set});
    settings.eval_interval = args_.settings.eval_interval;
    const std::string command = train_command_text(settings);
    const lab::Json json =
        lab::to_json(advice, report, direct ? &*direct : nullptr, halving, command);
    folder.save("advice.json", json);
    base::write_atomically(page, lab::render_html(report, advice.sentence));
    if (options_.format == "json")
      fmt::print("{}", base::json_text(json));
    else
      fmt::print(
          "{}Pictures: {}\n",
          lab::render_text(advice, report, halving, command, color(stdout), table_width(stdout)),
          page.string());
    return 0;
  }

  const Parsed& args_;
  StudyOptions options_;
  train::Settings base_;
  std::optional<double> seconds_;
  std::optional<std::int64_t> seeds_;
  lab::Pace pace_;  // measured where it is needed
  double speedup_ = 1;
  ProgressLine line_;
  base::Stopwatch watch_;
};

int advise(const Parsed& args) { return Advising(args).run(); }

}  // namespace

// `isodrop advise`: for whoever only wants to know what to do.
Command advise_command() {
  Command c;
  c.summary =
      "Find the regime that does best on your data, judge it on fresh seeds, and say what to use.";
  c.extras = {
      {"time", "T", "", "how long it may take, about: 10min, 90s, 1.5h"},
      {"seeds", "N", "",
       "fresh seeds on which is judged (default 8; with --time as many as fit, at most 12)"},
      {"out", "DIR", "", "folder of the answer (default: out/advise-<identity>)"},
      product_tuning_flag(),
      {"format", "FORMAT", "text", "of the answer", false, {"text", "json"}},
  };
  for (const Extra& flag : study_flags_without_plan()) c.extras.push_back(flag);
  c.defaults = {{"preset", "tiny", "default"}, {"lr", "0.004", "default"}};
  c.examples = {"isodrop advise --text book.txt --time 10min",
                "isodrop advise --text book.txt --preset nano --lr 1e-3 --budget 2000steps"};
  c.run = advise;
  return c;
}

}  // namespace cli
