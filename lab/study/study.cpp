#include "lab/study/study.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/text.h"
#include "isodrop_version.h"
#include "lab/runs/spec.h"
#include "train/config/budget.h"

namespace lab {
namespace {

using train::Budget;
using train::Settings;

constexpr std::string_view kShare = "budget_share";

Json grid_json(const Grid& grid) {
  Json json = Json::object();
  for (const Alternatives& of : grid) json[of.setting] = of.values;
  return json;
}

Json levels_json(const std::vector<Level>& levels) {
  Json json = Json::array();
  for (const Level& level : levels) {
    json.push_back({{"name", level.name}, {"set", to_json(level.set)}});
    if (!level.grid.empty()) json.back()["grid"] = grid_json(level.grid);
  }
  return json;
}

}  // namespace

std::string to_text(const Assignments& set) {
  std::string out;
  for (const auto& [name, value] : set)
    out += fmt::format("{}{}={}", out.empty() ? "" : ", ", name, value);
  return out;
}

Json to_json(const Assignments& set) {
  Json json = Json::object();
  for (const auto& [name, value] : set) json[name] = value;
  return json;
}

Level level_of(std::string_view setting, std::string_view value, std::string_view source) {
  Settings probe;
  train::set(probe, setting, value, source);
  const train::Row& row = *train::find_setting(setting);
  const std::string canonical = train::value_text(probe, row);
  return {fmt::format("{}={}", row.name, canonical), {{std::string(row.name), canonical}}};
}

void require_few(double count, std::string_view what, std::size_t most) {
  if (count <= static_cast<double>(most)) return;
  const std::string many = count < 1e15 ? base::grouped(static_cast<std::uint64_t>(count))
                                        : fmt::format("{:.3g}", count);
  throw base::Error(fmt::format("{} {} are too many, a study has at most {}; give fewer values",
                                many, what, base::grouped(most)));
}

std::vector<Level> product(const std::vector<Level>& a, const std::vector<Level>& b) {
  require_few(static_cast<double>(a.size()) * static_cast<double>(b.size()),
              "cells of all axes together", kMostRuns);
  std::vector<Level> out;
  for (const Level& x : a)
    for (const Level& y : b) {
      Level both{x.name.empty() || y.name.empty() ? x.name + y.name : x.name + "," + y.name, x.set,
                 std::max(x.epochs, y.epochs)};
      for (const auto& item : y.set) {
        base::require(std::none_of(x.set.begin(), x.set.end(),
                                   [&](const auto& i) { return i.first == item.first; }),
                      "two axes set ", item.first, "; give it once");
        both.set.push_back(item);
      }
      out.push_back(std::move(both));
    }
  return out;
}

std::vector<Level> given_shares(const std::vector<double>& shares, const std::string& source) {
  for (const double share : shares) {
    base::require(share > 0 && share <= 1024, source, ": share ", share,
                  " is not in (0, 1024]; give some, as in 0.25,0.5,1,2");
    base::require(std::count(shares.begin(), shares.end(), share) == 1, source, ": share ", share,
                  " is given twice; give it once");
  }
  std::vector<double> others = shares;
  base::require(std::erase(others, 1.0) == 1 && !others.empty(), source,
                ": 1, the whole budget, and at least one other are needed, as in 0.25,0.5,1,2");
  return share_levels(others);
}

bool tunes(const Study& study) {
  return !study.tune.empty() || std::any_of(study.arms.begin(), study.arms.end(),
                                            [](const Level& arm) { return !arm.grid.empty(); });
}

std::vector<Level> share_levels(const std::vector<double>& others) {
  std::vector<Level> levels = {{"", {}}};
  for (const double share : others)
    levels.push_back(level_of(kShare, fmt::format("{}", share), ""));
  return levels;
}

std::vector<Level> epoch_cells(const Settings& first_arm, const std::vector<Level>& each,
                               const std::vector<std::int64_t>& epochs,
                               const std::function<double(const Settings&)>& flops_per_token) {
  if (epochs.empty()) return each;
  std::vector<Level> cells;
  for (const Level& cell : each) {
    const Settings s = with(first_arm, cell);
    const Budget budget = train::run_budget(s);
    base::require(budget.kind != Budget::Kind::kSeconds && budget.kind != Budget::Kind::kEpochs,
                  "--epochs with --budget ", budget.to_string(),
                  ": the unique data is sized by the tokens of the budget, which ",
                  budget.kind == Budget::Kind::kSeconds ? "seconds" : "epochs",
                  " do not fix; give the budget in flops, tokens or steps");
    const double step = static_cast<double>(s.batch) * static_cast<double>(s.block_size);
    const double flops = budget.kind == Budget::Kind::kFlops ? step * flops_per_token(s) : 0;
    const double tokens = static_cast<double>(budget.steps_for(step, flops, 1)) * step;
    std::vector<Level> levels;
    for (const std::int64_t n : epochs) {
      base::require(std::count(epochs.begin(), epochs.end(), n) == 1, "--epochs ", n,
                    ": given twice");
      const auto unique = static_cast<std::int64_t>(tokens / static_cast<double>(n));
      base::require(unique > s.block_size, "--epochs ", n, ": leaves ", unique,
                    unique == 1 ? " unique token" : " unique tokens", " of a budget of ",
                    static_cast<std::int64_t>(tokens), ", less than one window of ",
                    s.block_size + 1, "; ask for fewer epochs or a larger budget");
      levels.push_back(
          {fmt::format("epochs={}", n), {{"unique_tokens", std::to_string(unique)}}, n});
    }
    for (Level& level : product({cell}, levels)) cells.push_back(std::move(level));
  }
  return cells;
}

Settings with(Settings settings, const Level& level) {
  for (const auto& [name, value] : level.set) train::set(settings, name, value, level.name);
  return settings;
}

Settings settings_at(const Study& study, const Point& p) {
  Settings s = with(with(study.base, study.cells[p.cell]), study.arms[p.arm]);
  for (const Tuned& tuned : study.tuned)
    if (tuned.cell == p.cell && tuned.arm == p.arm)
      s = with(s, {study.arms[p.arm].name, tuned.set()});
  const Level& share = study.shares[p.share];
  if (!share.set.empty()) {
    Settings part = with(study.base, share);
    s.budget_share *= part.budget_share;
  }
  s.seed = p.seed;
  return s;
}

std::vector<Point> points(const Study& study) {
  const auto seeds_of = [&](const Level& arm) {
    return static_cast<std::uint64_t>(arm.seeds > 0 ? arm.seeds : study.seeds);
  };
  std::uint64_t count = 1;
  for (const Level& arm : study.arms) count = std::max(count, seeds_of(arm));
  const std::uint64_t first = study.base.seed;
  base::require(count - 1 <= std::numeric_limits<std::uint64_t>::max() - first, "--seeds ", count,
                " from --seed ", first, " on: beyond the largest seed; give a smaller --seed");
  double runs = 0;
  for (std::size_t arm = 0; arm < study.arms.size(); ++arm) {
    const Level& level = study.arms[arm];
    const std::size_t shares = arm == 0 || study.all_at_shares ? study.shares.size() : 1,
                      cells = level.only_cell ? 1 : study.cells.size();
    runs += static_cast<double>(seeds_of(level)) * static_cast<double>(shares) *
            static_cast<double>(cells);
  }
  require_few(runs, "runs", kMostRuns);
  std::vector<Point> out;
  for (std::uint64_t s = 0; s < count; ++s)
    for (std::size_t cell = 0; cell < study.cells.size(); ++cell) {
      for (std::size_t share = 0; share < study.shares.size(); ++share)
        for (std::size_t arm = 0; arm < study.arms.size(); ++arm) {
          const Level& level = study.arms[arm];
          if (share > 0 && arm > 0 && !study.all_at_shares) continue;
          if (s < seeds_of(level) && level.only_cell.value_or(cell) == cell)
            out.push_back({cell, arm, share, first + s});
        }
    }
  return out;
}

std::string label(const Study& study, const Point& p) {
  const std::string& cell = study.cells[p.cell].name;
  std::string text = cell.empty() ? "" : cell + " · ";
  text += fmt::format("{} · seed {}", study.arms[p.arm].name, p.seed);
  if (p.share > 0) text += fmt::format(" · {} × budget", study.shares[p.share].set.front().second);
  return text;
}

std::string title(const Settings& base, const Level& cell) {
  std::string text;
  for (const auto& [name, value] : cell.set)
    if (name != "unique_tokens")
      text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, value);
  if (!text.empty()) text += ": ";
  const std::int64_t unique = with(base, cell).unique_tokens;
  if (unique == 0)
    return text + (base.task == train::Settings{}.task ? "random crops of the whole training split"
                   : base.csv.empty()                  ? "rows that are all new"
                                                       : "all of the training data");
  text += base::grouped(static_cast<std::uint64_t>(unique)) + " unique tokens";
  if (cell.epochs == 0) return text;
  return text + (cell.epochs == 1 ? ", seen once" : fmt::format(", seen {} times", cell.epochs));
}

Json identity(const Study& study, const std::vector<std::string>& data) {
  const Json base = train::to_json(study.base);
  Json settings = Json::object();
  for (const train::Row& row : train::settings_table()) {
    const std::string name(row.name);
    // Threads decide nothing but where the budget is time.
    const bool timed = !train::run_budget(study.base).fixed_steps() && name == "threads";
    if ((decides_results(row) || timed) && name != "seed") settings[name] = base[name];
  }
  Json json = {{"isodrop", ISODROP_VERSION},
               {"numerics", study.numerics},
               {"data", data},
               {"settings", settings},
               {"arms", levels_json(study.arms)},
               {"cells", levels_json(study.cells)}};
  if (!study.file.empty()) json["file"] = study.file;
  if (tunes(study))
    json["tuning"] = {{"tune", grid_json(study.tune)},
                      {"trials", study.trials},
                      {"seeds", study.tuning_seeds},
                      {"from", base::exact(study.base.seed)}};
  return json;
}

void validate(const Study& study) {
  for (std::size_t cell = 0; cell < study.cells.size(); ++cell)
    for (std::size_t arm = 0; arm < study.arms.size(); ++arm) {
      const Level &where = study.cells[cell], &who = study.arms[arm];
      // An arm has the last word, so that the tables would be the same.
      for (const auto& [name, value] : where.set)
        for (const auto& [own, mine] : who.set)
          base::require(name != own, "arm ", base::quote(who.name), " and an axis both set ", name,
                        "; leave it out of one");
      train::validate(settings_at(study, {cell, arm, 0, 0}),
                      fmt::format("arm {}{}", base::quote(who.name),
                                  where.name.empty() ? "" : " in " + where.name));
    }
}

}  // namespace lab
