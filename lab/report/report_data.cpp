// The report as JSON (docs/schema.md), and as CSV: one line a run, what a spreadsheet or R wants.
#include <fmt/format.h>

#include "base/parallel.h"
#include "lab/report/render.h"
#include "lab/report/report.h"
#include "lab/study/tuning.h"

namespace lab {
namespace {

constexpr int kSchema = 3;

Json seed_range(const std::optional<SeedRange>& range) {
  if (!range) return nullptr;
  return {range->lo ? Json(*range->lo) : Json(nullptr),
          range->hi ? Json(*range->hi) : Json(nullptr)};
}

Json effect_json(const EffectPlan& e) {
  const auto pairs = [](const std::optional<int>& n) { return n ? Json(*n) : Json(nullptr); };
  return {{"effect", e.effect},
          {"seeds", {pairs(e.pairs.lo), pairs(e.pairs.hi)}},
          {"power", {e.power.lo, e.power.hi}}};
}

Json versus_json(const Verdict& v, const Report& r) {
  Json ci = nullptr, plan = nullptr;
  if (v.ci)
    ci = {{"level", ci_level(r.rules, family_of(r))},
          {"low", v.ci->lo},
          {"high", v.ci->hi},
          {"method", v.se_windows ? "t, seeds crossed with windows of the test text, Bonferroni"
                                  : "paired t over seeds, Bonferroni"}};
  if (v.plan)
    plan = {{"margin", effect_json(v.plan->margin)},
            {"half", effect_json(v.plan->half)},
            {"nothing", effect_json(v.plan->nothing)}};
  return {{"metric", r.judged},
          {"n", v.n},
          {"diff", base::or_null(v.diff)},
          {"sd", base::or_null(v.sd)},
          {"ci", ci},
          {"p", base::or_null(v.p)},
          {"p_holm", base::or_null(v.p_holm)},
          {"p_equivalent", base::or_null(v.p_equivalent)},
          {"p_signs", base::or_null(v.p_signs)},
          {"margin", v.margin},
          {"negligible", v.negligible},
          {"se_seeds", base::or_null(v.se_seeds)},
          {"se_windows", base::or_null(v.se_windows)},
          {"windows", v.windows},
          {"verdict", to_string(v.verdict)},
          {"more_seeds", seed_range(v.more_seeds)},
          {"plan", plan}};
}

Json estimate_json(const std::optional<Estimate>& e, double alpha) {
  if (!e) return nullptr;
  const Interval ci = t_interval(*e, alpha);
  return {{"mean", e->mean},
          {"se", e->se},
          {"dof", e->dof},
          {"ci", {{"level", 1 - alpha}, {"low", ci.lo}, {"high", ci.hi}}}};
}

Json tuned_json(const Tuned& t) {
  Json trials = Json::array();
  for (const Trial& trial : t.trials) trials.push_back(to_json(trial));
  return {{"chosen", to_json(t.set())},
          {"trials", trials},
          {"edge", t.edge},
          {"extended", t.extended},
          {"flops", t.flops}};
}

Json shares_json(const ArmReport& arm, double alpha) {
  Json shares = Json::array();
  for (const ShareReport& s : arm.shares)
    shares.push_back(
        {{"share", s.share},
         {"loss", {{"mean", base::or_null(s.loss.mean)}, {"sd", base::or_null(s.loss.sd)}}},
         {"diff", estimate_json(s.diff, alpha)}});
  return shares;
}

Json equivalent_json(const ComputeEquivalent& e) {
  using Relation = ComputeEquivalent::Relation;
  const char* relation = e.relation == Relation::kEqual   ? "equal"
                         : e.relation == Relation::kBelow ? "below"
                                                          : "above";
  return {{"share", e.share}, {"relation", relation}, {"text", to_string(e)}, {"rises", e.rises}};
}

/// Text, a line a run.
Json runs_json(const std::vector<RecordPtr>& runs) {
  std::vector<std::string> lines(runs.size());
  base::for_each_at_once(runs.size(),
                         [&](std::size_t i) { lines[i] = base::json_compact(to_json(*runs[i])); });
  std::string text = "[";
  for (std::size_t i = 0; i < lines.size(); ++i)
    text.append(i == 0 ? "\n" : ",\n").append(lines[i]);
  return base::ready(text + "]");
}

Json arm_json(const ArmReport& arm, const Report& report) {
  constexpr std::size_t kOthers = 24;  // members that are no metrics
  Json json = Json::object();
  base::reserve(json, metrics().size() + kOthers);  // the runs are large
  json.update({{"name", arm.name}, {"overrides", to_json(arm.set)}, {"budget", arm.budget}});
  json["runs"] = runs_json(arm.runs);
  Json missing = Json::array();
  for (const std::uint64_t seed : arm.missing) missing.push_back(base::exact(seed));
  json["missing_seeds"] = std::move(missing);
  for (const Metric& m : metrics()) {
    const Spread& s = arm.metrics.at(std::string(m.name));
    json[std::string(m.name)] = {{"mean", base::or_null(s.mean)}, {"sd", base::or_null(s.sd)}};
  }
  json["diverged"] = arm.diverged;
  json["untrained"] = arm.untrained;
  json["failed"] = arm.failed;
  json["tuned"] = arm.tuned ? tuned_json(*arm.tuned) : Json(nullptr);
  json["vs_baseline"] = arm.versus ? versus_json(*arm.versus, report) : Json(nullptr);
  json["compute_equivalent"] = arm.equivalent ? equivalent_json(*arm.equivalent) : Json(nullptr);
  if (arm.equivalent && arm.equivalent_ci)
    json["compute_equivalent"]["ci"] = {{"level", 1 - report.rules.alpha},
                                        {"low", equivalent_json(arm.equivalent_ci->lo)},
                                        {"high", equivalent_json(arm.equivalent_ci->hi)}};
  json["shares"] = shares_json(arm, report.rules.alpha);
  json["trend"] = estimate_json(arm.trend, report.rules.alpha);
  json["at_equal_seconds"] = estimate_json(arm.at_equal_seconds, report.rules.alpha);
  json["tokens_per_second"] = arm.speed ? Json(arm.speed->tokens_per_second) : Json(nullptr);
  json["step_time_ratio"] = arm.speed ? Json(arm.speed->step_time_ratio) : Json(nullptr);
  json["step_time_quartiles"] =
      arm.speed ? Json{arm.speed->ratio_low, arm.speed->ratio_high} : Json(nullptr);
  return json;
}

/// Every metric of the table, one after the other.
std::string metric_fields(const RunRecord& run) {
  Json values = Json::array();
  for (const Metric& m : metrics()) values.push_back(base::or_null(run.value(m)));
  std::string text = base::json_compact(values),
              fields;  // all at once: of numbers JSON and CSV are the same
  for (std::size_t i = 1; i + 1 < text.size(); ++i)
    if (text[i] != 'n')
      fields += text[i];
    else
      i += 3;  // null
  return fields;
}

}  // namespace

Json to_json(const Report& r) {
  Json machines = Json::array(), cells = Json::array();
  for (const Machine& m : r.machines) machines.push_back({{"cpu", m.cpu}, {"threads", m.threads}});
  for (const CellReport& cell : r.cells) {
    Json arms = Json::array();
    for (const ArmReport& arm : cell.arms) arms.push_back(arm_json(arm, r));
    Json& json = cells.emplace_back(
        Json{{"name", cell.name},
             {"settings", to_json(cell.set)},
             {"epochs", cell.epochs > 0 ? Json(cell.epochs) : Json(nullptr)},
             {"unique_tokens", cell.unique_tokens ? Json(*cell.unique_tokens) : Json(nullptr)}});
    base::append(json, "arms", std::move(arms));  // large: a list in braces would copy it
  }
  Json json = {{"schema", kSchema},
               {"final", r.final},
               {"budget", r.budget},
               {"corpus", r.data.facts},
               {"builds", to_json(r.builds)},
               {"machines", machines},
               {"model", train::to_json(r.base)},
               {"rules",
                {{"metric", r.judged},
                 {"margin", r.own_margin ? Json(r.rules.margin) : Json(nullptr)},
                 {"margin_is", r.own_margin ? "as given, nats" : "sd of the first arm over seeds"},
                 {"min_seeds", r.rules.min_seeds},
                 {"alpha", r.rules.alpha},
                 {"looks", r.rules.looks},
                 {"note", looks_note(r.rules)}}},
               {"seeds", r.seeds},
               {"study", r.study},
               {"folder", r.folder},
               {"store", r.store}};
  base::append(json, "cells", std::move(cells));
  return json;
}

std::string render_csv(const Report& r) {
  std::string out = "cell,epochs,unique_tokens,arm,seed,id,status";
  for (const Metric& m : metrics())
    out.append(1, ',').append(m.name == "epochs" ? "run_epochs" : m.name);
  out += "\n";
  for (const CellReport& cell : r.cells)
    for (const ArmReport& arm : cell.arms) {
      std::string front;
      for (const Json& field :
           {Json(cell.name), cell.epochs > 0 ? Json(cell.epochs) : Json(nullptr),
            cell.unique_tokens ? Json(*cell.unique_tokens) : Json(nullptr), Json(arm.name)})
        front += base::csv_field(field) + ",";
      std::vector<std::string> lines(arm.runs.size());
      base::for_each_at_once(arm.runs.size(), [&](std::size_t i) {
        const RunRecord& run = *arm.runs[i];
        lines[i] = fmt::format("{}{},{},{},{}\n", front, run.seed, run.id, to_string(run.status),
                               metric_fields(run));
      });
      for (const std::string& line : lines) out += line;
    }
  return out;
}

}  // namespace lab
