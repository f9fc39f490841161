#include "lab/advise/halving.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "lab/study/levels.h"
#include "lab/study/tuning.h"

namespace lab {
namespace {

std::size_t third(std::size_t count) { return (count + 2) / 3; }

}  // namespace

std::vector<Regime> regimes(const train::Settings& base) {
  const std::vector<Level> arms = arm_levels(rival_names(), base);
  const auto runs_as = [&](const Assignments& set) { return with(base, {"", set}); };
  const Assignments none = arms.front().set;
  std::vector<Regime> out = {{"none", none, false}};
  std::set<std::string> seen = {base::json_compact(train::to_json(runs_as(none)))};
  for (const Level& arm : arms)
    for (const Assignments& choice : choices_of(arm)) {
      Assignments set = arm.set;
      for (const auto& item : choice) set.push_back(item);
      const train::Settings settings = runs_as(set);
      if (!seen.insert(base::json_compact(train::to_json(settings))).second) continue;
      out.push_back({to_text(choice), set, settings.dropout > 0});
    }
  return out;
}

std::size_t Halving::most_in(int round, std::size_t count) {
  for (int r = 0; r < round; ++r) count = std::min(count, third(count) + 2);
  return count;
}

Halving::Halving(const StudyRuns& study, std::vector<Regime> regimes)
    : study_(study), regimes_(std::move(regimes)) {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < regimes_.size(); ++i) all.push_back(i);
  start(0, std::move(all));
  settle();
}

void Halving::start(int round, std::vector<std::size_t> in) {
  round_ = round;
  in_ = std::move(in);
  Study study;
  study.base = study_.study().base;
  study.base.seed += kTuningSeeds;
  study.cells = study_.study().cells;
  study.seeds = seeds_in(round);
  for (const std::size_t i : in_) study.arms.push_back({regimes_[i].name, regimes_[i].set});
  runs_ = study_.with_study(std::move(study));
}

std::vector<Standing> Halving::rank() const {
  std::vector<Standing> out;
  for (std::size_t arm = 0; arm < in_.size(); ++arm) {
    const Trial trial = trial_of(*runs_, 0, arm);
    out.push_back({in_[arm], trial.runs, trial.val_loss, {}});
  }
  // `none` is in every round, as the first.
  if (const auto none = out.front().val_loss)
    for (Standing& s : out)
      if (s.val_loss) s.against_none = *s.val_loss - *none;
  std::stable_sort(out.begin(), out.end(), [](const Standing& a, const Standing& b) {
    return a.val_loss.value_or(INFINITY) < b.val_loss.value_or(INFINITY);
  });
  return out;
}

void Halving::settle() {
  while (!done_ && runs_->missing().empty()) {
    std::vector<Standing> ranked = rank();
    base::require(ranked.front().val_loss.has_value(),
                  "every regime diverged or learned nothing; lower --lr or give a larger budget");
    std::vector<std::size_t> on;  // with `none` first
    bool with = false, without = false;
    std::vector<Standing> out_of_it;
    const std::size_t most = third(ranked.size());
    for (const Standing& s : ranked) {
      const Regime& regime = regimes_[s.regime];
      bool& kind = regime.drops ? with : without;
      const bool first_of_kind = s.regime != 0 && !kind;
      if (s.regime == 0 || (s.val_loss && (on.size() < most || first_of_kind)))
        on.push_back(s.regime);
      else
        out_of_it.push_back(s);
      if (s.regime != 0) kind = true;
    }
    // Those of later rounds come first.
    const bool last = round_ + 1 == kRounds;
    const std::vector<Standing>& placed = last ? ranked : out_of_it;
    standings_.insert(standings_.begin(), placed.begin(), placed.end());
    done_ = last;
    std::sort(on.begin(), on.end());
    if (!last) start(round_ + 1, std::move(on));
  }
}

}  // namespace lab
