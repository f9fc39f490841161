// The report as JSON. Its schema is in docs/schema.md.
#include "lab/report/report.h"

namespace lab {
namespace {

constexpr int kSchema = 2;

Json set_json(const Assignments& set) {
  Json json = Json::object();
  for (const auto& [name, value] : set) json[name] = value;
  return json;
}

Json seed_range(const std::optional<SeedRange>& range) {
  if (!range) return nullptr;
  return {range->lo ? Json(*range->lo) : Json(nullptr),
          range->hi ? Json(*range->hi) : Json(nullptr)};
}

Json versus_json(const Verdict& v, const Rules& rules) {
  Json ci = nullptr;
  if (v.ci95)
    ci = {{"level", ci_level(rules)},
          {"low", v.ci95->lo},
          {"high", v.ci95->hi},
          {"method", "paired t over seeds"}};
  return {{"n", v.n},
          {"diff", train::or_null(v.diff)},
          {"ci", ci},
          {"p", train::or_null(v.p)},
          {"p_holm", train::or_null(v.p_holm)},
          {"p_equivalent", train::or_null(v.p_equivalent)},
          {"verdict", to_string(v.verdict)},
          {"more_seeds", seed_range(v.more_seeds)}};
}

Json equivalent_json(const ComputeEquivalent& e) {
  using Relation = ComputeEquivalent::Relation;
  const char* relation = e.relation == Relation::kEqual   ? "equal"
                         : e.relation == Relation::kBelow ? "below"
                                                          : "above";
  return {{"share", e.share}, {"relation", relation}, {"text", to_string(e)}, {"rises", e.rises}};
}

Json arm_json(const ArmReport& arm, const Rules& rules) {
  Json json = {{"name", arm.name}, {"overrides", set_json(arm.set)}, {"budget", arm.budget}};
  Json runs = Json::array(), missing = Json::array();
  for (const RunRecord& run : arm.runs) runs.push_back(to_json(run));
  for (const std::uint64_t seed : arm.missing) missing.push_back(train::exact(seed));
  json["runs"] = runs;
  json["missing_seeds"] = missing;
  for (const Metric& m : metrics()) {
    const Spread& s = arm.metrics.at(std::string(m.name));
    json[std::string(m.name)] = {{"mean", train::or_null(s.mean)}, {"sd", train::or_null(s.sd)}};
  }
  json["diverged"] = arm.diverged;
  json["failed"] = arm.failed;
  json["vs_baseline"] = arm.versus ? versus_json(*arm.versus, rules) : Json(nullptr);
  json["compute_equivalent"] = arm.equivalent ? equivalent_json(*arm.equivalent) : Json(nullptr);
  json["tokens_per_second"] = arm.speed ? Json(arm.speed->tokens_per_second) : Json(nullptr);
  json["step_time_ratio"] = arm.speed ? Json(arm.speed->step_time_ratio) : Json(nullptr);
  json["step_time_quartiles"] =
      arm.speed ? Json{arm.speed->ratio_low, arm.speed->ratio_high} : Json(nullptr);
  return json;
}

}  // namespace

Json to_json(const Report& r) {
  Json builds = Json::array(), machines = Json::array(), cells = Json::array();
  for (const Build& build : r.builds) builds.push_back(to_json(build));
  for (const Machine& m : r.machines) machines.push_back({{"cpu", m.cpu}, {"threads", m.threads}});
  for (const CellReport& cell : r.cells) {
    Json arms = Json::array();
    for (const ArmReport& arm : cell.arms) arms.push_back(arm_json(arm, r.rules));
    cells.push_back(
        {{"name", cell.name},
         {"settings", set_json(cell.set)},
         {"epochs", cell.epochs > 0 ? Json(cell.epochs) : Json(nullptr)},
         {"unique_tokens", cell.unique_tokens ? Json(*cell.unique_tokens) : Json(nullptr)},
         {"arms", arms}});
  }
  return {{"schema", kSchema},
          {"final", r.final},
          {"budget", r.budget},
          {"corpus", r.data.facts},
          {"builds", builds},
          {"machines", machines},
          {"model", train::to_json(r.base)},
          {"rules",
           {{"margin", r.rules.margin},
            {"alpha", r.rules.alpha},
            {"looks", r.rules.looks},
            {"note", looks_note(r.rules)}}},
          {"seeds", r.seeds},
          {"folder", r.folder},
          {"store", r.store},
          {"cells", cells}};
}

}  // namespace lab
