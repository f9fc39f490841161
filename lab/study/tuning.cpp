#include "lab/study/tuning.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "engine/rng.h"
#include "lab/stats/stats.h"
#include "train/config/budget.h"

namespace lab {
namespace {

constexpr std::int64_t kMostBeyond = 2;  // choices beyond an edge, of an arm in a cell

bool sets(const Level& arm, std::string_view setting) {
  return std::any_of(arm.set.begin(), arm.set.end(),
                     [&](const auto& item) { return item.first == setting; }) ||
         std::any_of(arm.grid.begin(), arm.grid.end(),
                     [&](const Alternatives& of) { return of.setting == setting; });
}

Grid grid_of(const Study& study, std::size_t arm) {
  Grid grid = study.arms[arm].grid;
  for (const Alternatives& common : study.tune)
    if (!sets(study.arms[arm], common.setting)) grid.push_back(common);
  return grid;
}

std::vector<Assignments> all_choices(const Grid& grid) {
  double count = 1;
  for (const Alternatives& of : grid) count *= static_cast<double>(of.values.size());
  require_few(count, "choices for an arm, each a run or more,", kMostChoices);
  std::vector<Assignments> choices = {{}};
  for (const Alternatives& of : grid) {
    std::vector<Assignments> next;
    for (const Assignments& choice : choices)
      for (const std::string& value : of.values) {
        next.push_back(choice);
        next.back().emplace_back(of.setting, value);
      }
    choices = std::move(next);
  }
  return choices;
}

/// `trials` of them, in their order.
std::vector<Assignments> draw(std::vector<Assignments> choices, std::int64_t trials,
                              std::uint64_t seed) {
  if (trials == 0) return choices;
  engine::Sequence random(engine::stream_key(seed, engine::Stream::kSample),
                          engine::site_id("tuning.trials"));
  while (std::ssize(choices) > trials)
    choices.erase(choices.begin() + static_cast<std::ptrdiff_t>(random.below(choices.size())));
  return choices;
}

/// The choices of the arm's grid that are tried in every cell; none without a grid.
std::vector<Assignments> choices_of(const Study& study, std::size_t arm) {
  const Grid grid = grid_of(study, arm);
  return grid.empty() ? std::vector<Assignments>{}
                      : draw(all_choices(grid), study.trials, study.base.seed);
}

std::optional<double> number(const std::string& text) {
  double value = 0;
  return base::parse_number(text, value) == std::errc{} ? std::optional(value) : std::nullopt;
}

/// The value one step beyond the end of `values` that `at` is; nothing if it is no end, or the
/// setting ends there.
std::optional<std::string> beyond(const std::string& setting, std::vector<double> values,
                                  double at) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  if (values.size() < 2 || (at != values.front() && at != values.back())) return {};
  if (at == values.front()) std::reverse(values.begin(), values.end());
  const double last = values.back(), before = values[values.size() - 2];
  double next = last > 0 && before > 0 ? last * last / before : 2 * last - before;
  if (setting == "budget_share") next = std::min(next, 1.0);
  try {
    train::Settings probe;
    const train::Row& row = *train::find_setting(setting);
    const bool whole = std::holds_alternative<train::Integers>(row.domain);
    train::set(probe, setting, whole ? fmt::format("{:.0f}", next) : fmt::format("{:.6g}", next));
    std::string value = train::value_text(probe, row);
    if (number(value) == last) return {};
    return value;
  } catch (const base::Error&) {
    return {};  // the setting's domain ends there
  }
}

/// The choices one step beyond the ends of numeric grids that won, possible or not.
std::vector<Assignments> beyond_the_ends(const Study& study, const Tuned& tuned) {
  std::vector<Assignments> out;
  for (const Alternatives& of : grid_of(study, tuned.arm)) {
    std::vector<double> values;  // tried so far
    double at = NAN;
    bool numeric = true;
    for (const Trial& trial : tuned.trials)
      for (const auto& [name, value] : trial.set) {
        if (name != of.setting) continue;
        const auto v = number(value);
        numeric = numeric && v;
        if (v) values.push_back(*v);
        if (v && &trial == &tuned.trials[tuned.chosen]) at = *v;
      }
    const auto next = numeric ? beyond(of.setting, std::move(values), at) : std::nullopt;
    if (!next) continue;
    out.push_back(tuned.set());
    for (auto& [name, value] : out.back())
      if (name == of.setting) value = *next;
  }
  return out;
}

/// Whether a choice can be trained: its settings go together, and its budget is a step or more.
bool possible(const StudyRuns& judged, const Tuned& tuned, const Assignments& set) {
  Study study = judged.study();
  study.tuned = {{tuned.cell, tuned.arm, {{set, 0, 0, {}}}}};
  try {
    const train::Settings s = settings_at(study, {tuned.cell, tuned.arm, 0, study.base.seed});
    train::validate(s);
    train::check_run(s, judged.task(tuned.cell));
    return true;
  } catch (const base::Error&) {
    return false;
  }
}

/// What the runs say of an arm's choices in a cell. REQUIRES: none is missing.
Tuned choose(const Study& study, const TuningStudy& tuning, const StudyRuns& runs, std::size_t cell,
             std::size_t arm) {
  Tuned of;
  of.cell = cell;
  of.arm = arm;
  for (std::size_t i = 0; i < tuning.choices.size(); ++i) {
    if (tuning.choices[i].first != arm) continue;
    if (tuning.study.arms[i].only_cell.value_or(cell) != cell) continue;
    Trial trial = trial_of(runs, cell, i);
    trial.set = tuning.choices[i].second;
    of.trials.push_back(std::move(trial));
    for (const Point& p : runs.points())
      if (p.cell == cell && p.arm == i) of.flops += runs.record(p)->value("flops").value_or(0);
  }
  const auto loss = [](const Trial& t) { return t.val_loss.value_or(INFINITY); };
  const auto best =
      std::min_element(of.trials.begin(), of.trials.end(),
                       [&](const Trial& a, const Trial& b) { return loss(a) < loss(b); });
  base::require(best->val_loss.has_value(), "tuning of arm ", base::quote(study.arms[arm].name),
                ": every choice diverged or learned nothing; give another grid");
  of.chosen = static_cast<std::size_t>(best - of.trials.begin());
  of.extended = std::ssize(of.trials) - std::ssize(choices_of(study, arm));
  of.edge = !beyond_the_ends(study, of).empty();
  return of;
}

}  // namespace

Trial trial_of(const StudyRuns& runs, std::size_t cell, std::size_t arm) {
  Trial trial;
  std::vector<double> losses;
  for (const Point& p : runs.points()) {
    if (p.cell != cell || p.arm != arm) continue;
    const RecordPtr record = runs.record(p);
    ++trial.runs;
    if (record->ok())
      losses.push_back(record->value("val_loss").value());
    else
      ++trial.lost;
  }
  if (trial.lost == 0) trial.val_loss = mean(losses);
  return trial;
}

std::vector<Assignments> choices_of(const Level& arm) {
  return arm.grid.empty() ? std::vector<Assignments>{} : all_choices(arm.grid);
}

TuningStudy tuning_study(const Study& study, const std::vector<Tuned>& more) {
  for (const Alternatives& common : study.tune)
    base::require(std::any_of(study.arms.begin(), study.arms.end(),
                              [&](const Level& arm) { return !sets(arm, common.setting); }),
                  "--tune ", common.setting,
                  ": every arm sets it; leave it out of an arm, or --tune");
  TuningStudy out;
  out.study.base = study.base;
  out.study.numerics = study.numerics;
  out.study.base.seed += kTuningSeeds;
  out.study.cells = study.cells;
  out.study.seeds = study.tuning_seeds;
  std::vector<std::vector<Assignments>> choices;
  std::size_t most = 0;
  for (std::size_t arm = 0; arm < study.arms.size(); ++arm) {
    choices.push_back(choices_of(study, arm));
    most = std::max(most, choices.back().size());
  }
  const auto add = [&](std::size_t arm, const Assignments& set, std::int64_t seeds,
                       std::optional<std::size_t> cell) {
    Level level{
        study.arms[arm].name + ": " + to_text(set), study.arms[arm].set, 0, {}, seeds, cell};
    level.set.insert(level.set.end(), set.begin(), set.end());
    out.study.arms.push_back(std::move(level));
    out.choices.emplace_back(arm, set);
  };
  for (std::size_t arm = 0; arm < study.arms.size(); ++arm) {
    if (choices[arm].empty()) continue;  // nothing to choose
    const auto seeds = std::max<std::int64_t>(
        study.tuning_seeds,
        static_cast<std::int64_t>(most) * study.tuning_seeds / std::ssize(choices[arm]));
    for (const Assignments& set : choices[arm]) add(arm, set, seeds, {});
    for (const Tuned& of : more) {
      if (of.arm != arm) continue;
      for (const Trial& trial : of.trials)
        if (std::find(choices[arm].begin(), choices[arm].end(), trial.set) == choices[arm].end())
          add(arm, trial.set, seeds, of.cell);
    }
  }
  return out;
}

StudySize size_of(const Study& study) {
  StudySize size;
  const auto add = [&](const Study& part, std::size_t& runs) {
    for (const Point& p : points(part)) {
      ++runs;
      size.budgets += settings_at(part, p).budget_share;
    }
  };
  add(study, size.judged);
  if (tunes(study)) add(tuning_study(study).study, size.tuning);
  return size;
}

GridSearch::GridSearch(const StudyRuns& judged)
    : judged_(judged),
      tuning_(tuning_study(judged.study())),
      runs_(judged.with_study(tuning_.study)) {
  settle();
}

void GridSearch::settle() {
  const Study& study = judged_.study();
  while (!done_ && runs_->missing().empty()) {
    tuned_.clear();
    std::vector<Tuned> more;
    for (std::size_t cell = 0; cell < study.cells.size(); ++cell)
      for (std::size_t arm = 0; arm < study.arms.size(); ++arm) {
        if (grid_of(study, arm).empty()) continue;
        tuned_.push_back(choose(study, tuning_, *runs_, cell, arm));
        Tuned& wider = more.emplace_back(tuned_.back());
        for (const Assignments& set : beyond_the_ends(study, tuned_.back()))
          if (wider.extended < kMostBeyond && possible(judged_, tuned_.back(), set)) {
            wider.trials.push_back({set, 0, 0, {}});
            ++wider.extended;
          }
      }
    done_ = more == tuned_;
    if (done_) break;
    tuning_ = tuning_study(study, more);
    runs_ = judged_.with_study(tuning_.study);
  }
}

}  // namespace lab
