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
                " from --seed ", first, " on: goes beyond the largest seed; give a smaller --seed");
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
    return text + (base.task == train::Settings{}.task ? "all training text, randomly sampled"
                   : base.csv.empty()                  ? "new rows at every step"
                                                       : "all training data");
  text += base::grouped(static_cast<std::uint64_t>(unique)) + " unique tokens";
  if (cell.epochs == 0) return text;
  return text + (cell.epochs == 1 ? ", seen once" : fmt::format(", seen {} times", cell.epochs));
}

Json identity(const Study& study, const std::vector<std::string>& data) {
  const Json base = train::to_json(study.base);
  Json settings = Json::object();
  for (const train::Row& row : train::settings_table()) {
    const std::string name(row.name);
    // Threads matter only if the budget is time.
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
      // The arm would win, and the tables would be the same.
      for (const auto& [name, value] : where.set)
        for (const auto& [own, mine] : who.set)
          base::require(name != own, "arm ", base::quote(who.name), " and an axis both set ", name,
                        "; leave it out of one");
      train::validate(settings_at(study, {cell, arm, 0, 0}),
                      fmt::format("arm {}{}", base::quote(who.name),
                                  where.name.empty() ? "" : " in " + where.name));
    }
}

Json to_json(const Trial& trial) {
  return {{"set", to_json(trial.set)},
          {"runs", trial.runs},
          {"lost", trial.lost},
          {"val_loss", base::or_null(trial.val_loss)}};
}

Json to_json(const std::vector<Tuned>& tuned, const Study& study, const Json& identity) {
  Json choices = Json::array();
  for (const Tuned& of : tuned) {
    Json trials = Json::array();
    for (const Trial& trial : of.trials) trials.push_back(to_json(trial));
    choices.push_back({{"cell", of.cell},
                       {"arm", study.arms[of.arm].name},
                       {"chosen", of.chosen},
                       {"extended", of.extended},
                       {"edge", of.edge},
                       {"flops", of.flops},
                       {"trials", trials}});
  }
  return {{"choices", choices}, {"hash", fingerprint({identity, choices})}};
}

std::vector<Tuned> tuned_from_json(const Json& json, const Study& study, const Json& identity,
                                   const std::string& source) {
  const std::string out = "; it was edited by hand: remove it to choose again";
  base::require(json.is_object() && json.contains("choices") && json.contains("hash") &&
                    json["hash"] == fingerprint({identity, json["choices"]}),
                source, ": is not the choice that this comparison wrote", out);
  std::vector<Tuned> tuned;
  try {
    for (const Json& c : json["choices"]) {
      Tuned of;
      of.cell = c.at("cell");
      const std::string name = c.at("arm");
      while (of.arm < study.arms.size() && study.arms[of.arm].name != name) ++of.arm;
      of.chosen = c.at("chosen");
      of.extended = c.at("extended");
      of.edge = c.at("edge");
      of.flops = c.at("flops");
      for (const Json& t : c.at("trials")) {
        Trial trial;
        for (const auto& [setting, value] : t.at("set").items())
          trial.set.emplace_back(setting, value.get<std::string>());
        trial.runs = t.at("runs");
        trial.lost = t.at("lost");
        if (!t.at("val_loss").is_null()) trial.val_loss = t.at("val_loss").get<double>();
        of.trials.push_back(std::move(trial));
      }
      base::require(of.cell < study.cells.size() && of.arm < study.arms.size() &&
                        of.chosen < of.trials.size(),
                    source, ": names a cell, arm or choice that does not exist", out);
      tuned.push_back(std::move(of));
    }
  } catch (const Json::exception&) {
    throw base::Error(source + ": is not the choice that this comparison wrote" + out);
  }
  return tuned;
}

}  // namespace lab
