#include "lab/study/tuning.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/error.h"
#include "engine/rng.h"
#include "engine/suggest.h"
#include "lab/stats/stats.h"
#include "train/budget.h"

namespace lab {
namespace {

constexpr std::int64_t kMostSteps = 2;  // beyond an edge

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

std::string text(const Assignments& set) {
  std::string out;
  for (const auto& [name, value] : set)
    out += fmt::format("{}{}={}", out.empty() ? "" : ",", name, value);
  return out;
}

std::optional<double> number(const std::string& text) {
  double value = 0;
  return train::parse_number(text, value) == std::errc{} ? std::optional(value) : std::nullopt;
}

/// The value one step beyond the end of `values` at which `at` stands; nothing where it stands at
/// none, they are no numbers, or the setting ends there.
std::optional<std::string> beyond(const std::string& setting, std::vector<double> values,
                                  double at) {
  std::sort(values.begin(), values.end());
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
  } catch (const engine::Error&) {
    return {};  // the setting's domain ends there
  }
}

Json set_json(const Assignments& set) {
  Json json = Json::object();
  for (const auto& [name, value] : set) json[name] = value;
  return json;
}

}  // namespace

Alternatives parse_alternatives(std::string_view setting, std::string_view values, char separator,
                                const std::string& source) {
  const train::Row* row = train::find_setting(setting);
  if (row == nullptr || !row->arm_ok()) {
    std::vector<std::string_view> known;
    for (const train::Row& r : train::settings_table())
      if (r.arm_ok()) known.push_back(r.name);
    throw engine::Error(row == nullptr
                            ? fmt::format("{}: unknown setting {}; {}", source,
                                          engine::quote(setting), engine::suggest(setting, known))
                            : fmt::format("{}: {} cannot be tuned: {}; tune one of {}", source,
                                          row->name, row->shared, engine::join(known)));
  }
  Alternatives out{std::string(row->name), {}};
  for (std::size_t begin = 0; begin <= values.size();) {
    const std::size_t end = std::min(values.find(separator, begin), values.size());
    const auto value = engine::trim(values.substr(begin, end - begin));
    const std::string canonical = level_of(row->name, value, source).set.front().second;
    engine::require(std::find(out.values.begin(), out.values.end(), canonical) == out.values.end(),
                    source, ": ", engine::quote(value), " is given twice; give it once");
    engine::require(row->name != "budget_share" || number(canonical).value_or(1) <= 1, source,
                    ": a share of ", canonical,
                    " spends more than the budget; give shares of at most 1");
    out.values.push_back(canonical);
    begin = end + 1;
  }
  return out;
}

TuningStudy tuning_study(const Study& study, const std::vector<Tuned>& tuned) {
  for (const Alternatives& common : study.tune)
    engine::require(std::any_of(study.arms.begin(), study.arms.end(),
                                [&](const Level& arm) { return !sets(arm, common.setting); }),
                    "--tune ", common.setting, ": every arm sets it; leave it out of an arm, or --tune");
  TuningStudy out;
  out.study.base = study.base;
  out.study.base.seed += kTuningSeeds;
  out.study.cells = study.cells;
  out.study.shares = share_levels({});
  out.study.seeds = study.tuning_seeds;
  std::vector<std::vector<Assignments>> choices;
  std::size_t most = 0;
  for (std::size_t arm = 0; arm < study.arms.size(); ++arm) {
    const Grid grid = grid_of(study, arm);
    choices.push_back(grid.empty() ? std::vector<Assignments>{}
                                   : draw(all_choices(grid), study.trials, study.base.seed));
    most = std::max(most, choices.back().size());
  }
  const auto add = [&](std::size_t arm, const Assignments& set, std::int64_t seeds,
                       std::optional<std::size_t> cell) {
    Level level{study.arms[arm].name + ": " + text(set), study.arms[arm].set, 0, {}, seeds, cell};
    level.set.insert(level.set.end(), set.begin(), set.end());
    out.study.arms.push_back(std::move(level));
    out.choices.emplace_back(arm, set);
  };
  for (std::size_t arm = 0; arm < study.arms.size(); ++arm) {
    if (choices[arm].empty()) continue;  // nothing to choose
    const auto seeds = std::max<std::int64_t>(
        study.tuning_seeds, static_cast<std::int64_t>(most) * study.tuning_seeds /
                                std::ssize(choices[arm]));
    for (const Assignments& set : choices[arm]) add(arm, set, seeds, {});
    for (const Tuned& of : tuned) {
      if (of.arm != arm) continue;
      for (const Trial& trial : of.trials)
        if (std::find(choices[arm].begin(), choices[arm].end(), trial.set) == choices[arm].end())
          add(arm, trial.set, seeds, of.cell);
      for (const Assignments& set : beyond_the_edge(study, of)) add(arm, set, seeds, of.cell);
    }
  }
  return out;
}

std::vector<Tuned> choose(const Study& study, const TuningStudy& tuning, const StudyRuns& runs) {
  std::vector<Tuned> out;
  for (std::size_t cell = 0; cell < study.cells.size(); ++cell)
    for (std::size_t arm = 0; arm < study.arms.size(); ++arm) {
      Tuned of;
      of.cell = cell;
      of.arm = arm;
      const std::size_t grid = draw(all_choices(grid_of(study, arm)), study.trials, study.base.seed).size();
      for (std::size_t i = 0; i < tuning.choices.size(); ++i) {
        if (tuning.choices[i].first != arm) continue;
        if (tuning.study.arms[i].only_cell.value_or(cell) != cell) continue;
        Trial trial{tuning.choices[i].second, 0, 0, {}};
        std::vector<double> losses;
        for (const Point& p : runs.points()) {
          if (p.cell != cell || p.arm != i) continue;
          const RunRecord* record = runs.record(p);
          ++trial.runs;
          of.flops += record->value("flops").value_or(0);
          if (record->ok())
            losses.push_back(record->value("val_loss").value());
          else
            ++trial.lost;
        }
        if (trial.lost == 0) trial.val_loss = mean(losses);
        of.trials.push_back(std::move(trial));
      }
      if (of.trials.empty()) continue;
      of.extended = std::ssize(of.trials) - static_cast<std::int64_t>(grid);
      const auto loss = [](const Trial& t) { return t.val_loss.value_or(INFINITY); };
      const auto best = std::min_element(of.trials.begin(), of.trials.end(),
                                         [&](const Trial& a, const Trial& b) { return loss(a) < loss(b); });
      engine::require(best->val_loss.has_value(), "tuning of arm ",
                      engine::quote(study.arms[arm].name),
                      ": every choice diverged, learned nothing or failed; give it another grid");
      of.chosen = static_cast<std::size_t>(best - of.trials.begin());
      of.edge = !beyond_the_edge(study, of).empty() || of.extended >= kMostSteps;
      if (of.extended > 0) {  // whether the last step is the one that was chosen
        Tuned unbounded = of;
        unbounded.extended = 0;
        of.edge = !beyond_the_edge(study, unbounded).empty();
      }
      out.push_back(std::move(of));
    }
  return out;
}

std::vector<Assignments> beyond_the_edge(const Study& study, const Tuned& tuned) {
  std::vector<Assignments> out;
  if (tuned.extended >= kMostSteps) return out;
  for (const Alternatives& of : grid_of(study, tuned.arm)) {
    std::set<double> values;  // tried so far
    double at = NAN;
    bool numeric = true;
    for (const Trial& trial : tuned.trials)
      for (const auto& [name, value] : trial.set) {
        if (name != of.setting) continue;
        const auto v = number(value);
        numeric = numeric && v;
        if (v) values.insert(*v);
        if (v && &trial == &tuned.trials[tuned.chosen]) at = *v;
      }
    if (!numeric) continue;
    const auto next = beyond(of.setting, {values.begin(), values.end()}, at);
    if (!next) continue;
    out.push_back(tuned.set());
    for (auto& [name, value] : out.back())
      if (name == of.setting) value = *next;
  }
  return out;
}

Json to_json(const std::vector<Tuned>& tuned, const Study& study, const Json& identity) {
  Json choices = Json::array();
  for (const Tuned& of : tuned) {
    Json trials = Json::array();
    for (const Trial& t : of.trials)
      trials.push_back({{"set", set_json(t.set)},
                        {"runs", t.runs},
                        {"lost", t.lost},
                        {"val_loss", train::or_null(t.val_loss)}});
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
  const std::string out = "; it was edited by hand: remove it, and the choice is made anew";
  engine::require(json.is_object() && json.contains("choices") && json.contains("hash") &&
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
      engine::require(of.cell < study.cells.size() && of.arm < study.arms.size() &&
                          of.chosen < of.trials.size(),
                      source, ": names what is not there", out);
      tuned.push_back(std::move(of));
    }
  } catch (const Json::exception&) {
    throw engine::Error(source + ": is not the choice that this comparison wrote" + out);
  }
  return tuned;
}

}  // namespace lab
