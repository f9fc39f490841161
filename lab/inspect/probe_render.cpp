// The probe's table, CSV and JSON.
#include "lab/inspect/probe_render.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "base/text.h"
#include "base/text_table.h"

namespace lab {
namespace {

using base::Json;
using base::or_null;

Json known(const std::optional<MaskMean>& e) {
  return e ? Json{{"value", e->value}, {"se", e->se}} : Json(nullptr);
}

Json histogram_json(const ProbeHistogram& h) {
  return {{"lo", h.lo}, {"hi", h.hi}, {"evaluation", h.evaluation}, {"training", h.training}};
}

Json point_json(const ProbePoint& p) {
  Json evaluation, training;
  for (std::size_t i = 0; i < kStatisticNames.size(); ++i) {
    const std::string name(kStatisticNames[i]);
    evaluation[name] = or_null(p.evaluation[i]);
    training[name] = known(p.training[i]);
  }
  return {{"site", p.site},
          {"value", p.behind() ? Json(p.value) : Json(nullptr)},
          {"layer", p.layer >= 0 ? Json(p.layer) : Json(nullptr)},
          {"acting", p.acting},
          {"values", p.values},
          {"sampled", p.sampled},
          {"evaluation", evaluation},
          {"training", training},
          {"variance_ratio", known(p.variance_ratio)},
          {"w1", known(p.w1)},
          {"histogram", histogram_json(p.histogram)}};
}

Json to_json(const ProbeHead& head, const Probe& probe) {
  Json points = Json::array();
  for (const ProbePoint& p : probe.points) points.push_back(point_json(p));
  return {{"schema", "isodrop-probe-1"}, {"model", head.model}, {"regularizers", head.regularizers},
          {"corpus", head.corpus},       {"seed", head.seed},   {"masks", probe.masks},
          {"batches", probe.batches},    {"rows", probe.rows},  {"time", probe.time},
          {"progress", probe.progress},  {"points", points}};
}

std::string rounded(const std::optional<double>& x) { return x ? fmt::format("{:.4g}", *x) : "–"; }

/// To the first digit of the standard error.
std::string rounded(const std::optional<MaskMean>& e) {
  constexpr int kMost = 7;  // decimals that a table has room for
  if (!e) return "–";
  if (e->se == 0) return rounded(std::optional(e->value));
  const int decimals = -static_cast<int>(std::floor(std::log10(e->se)));
  if (decimals > kMost) return fmt::format("{:.3g} ± {:.1g}", e->value, e->se);
  return fmt::format("{:.{}f} ± {:.{}f}", e->value, std::max(0, decimals), e->se,
                     std::max(0, decimals));
}

}  // namespace

base::Lines probe_table(const Probe& probe) {
  base::Lines lines = {{"value", "mode", "mean", "variance", "skewness", "kurtosis",
                        "variance ratio", "W1", "acting"}};
  for (const ProbePoint& p : probe.points) {
    std::vector<std::string> evaluation = {p.behind() ? "  → " + p.value : p.site, "eval"},
                             training = {"", "train"};
    for (const auto& x : p.evaluation) evaluation.push_back(rounded(x));
    for (const auto& e : p.training) training.push_back(rounded(e));
    evaluation.insert(evaluation.end(), {"", "", ""});
    training.insert(training.end(), {rounded(p.variance_ratio), rounded(p.w1), p.acting});
    lines.push_back(std::move(evaluation));
    lines.push_back(std::move(training));
  }
  return lines;
}

std::vector<std::string> probe_header(const ProbeHead& head, const Probe& probe) {
  return {
      fmt::format("{}; {}", head.model, head.regularizers),
      fmt::format("{} tokens of {} ({} × {} windows of {}), the same in both modes; "
                  "{}, seed {}; rates as at {:g} of the budget",
                  probe.batches * probe.rows * probe.time, head.corpus, probe.batches, probe.rows,
                  probe.time, base::counted(static_cast<std::uint64_t>(probe.masks), "mask"),
                  head.seed, probe.progress)};
}

std::vector<std::string> probe_footnotes(const Probe& probe) {
  std::vector<std::string> lines = {
      "A row is what a hook returns; → the product behind it, before any activation. attn_weights: "
      "of the keys a query may see.",
      "train: mean over the masks ± its standard error; evaluation draws none. Kurtosis is the "
      "excess over a normal's. Variance ratio: training / evaluation.",
      "W1: 1-Wasserstein distance between the two distributions, in standard deviations of "
      "evaluation."};
  std::uint64_t sampled = 0;
  for (const ProbePoint& p : probe.points)
    if (p.sampled < p.values) sampled = p.sampled;
  if (sampled > 0)
    lines.back() += fmt::format(
        " Where there are more values, of {} at positions that both modes "
        "have in common.",
        sampled);
  return lines;
}

namespace {

std::string csv(const Json& probe) {
  std::string out = "site,value,layer,acting,values,sampled";
  for (const std::string_view name : kStatisticNames)
    out += fmt::format(",evaluation_{0},training_{0},training_{0}_se", name);
  out += ",variance_ratio,variance_ratio_se,w1,w1_se\n";
  const auto estimate = [&](const Json& e) {
    for (const char* part : {"value", "se"})
      out.append(1, ',').append(base::csv_field(e.is_null() ? e : e[part]));
  };
  for (const Json& p : probe["points"]) {
    out += base::csv_field(p["site"]);
    for (const char* key : {"value", "layer", "acting", "values", "sampled"})
      out.append(1, ',').append(base::csv_field(p[key]));
    for (const std::string_view name : kStatisticNames) {
      out.append(1, ',').append(base::csv_field(p["evaluation"][std::string(name)]));
      estimate(p["training"][std::string(name)]);
    }
    estimate(p["variance_ratio"]);
    estimate(p["w1"]);
    out += '\n';
  }
  return out;
}

std::string_view bold_heading(const std::vector<std::string>&, bool heading) {
  return heading ? base::kBold : "";
}

}  // namespace

std::string render(const ProbeHead& head, const Probe& probe, const std::string& format,
                   bool color) {
  if (format == "json") return base::json_text(to_json(head, probe));
  if (format == "csv") return csv(to_json(head, probe));
  const bool markdown = format == "md";
  const char* end = markdown ? "  \n" : "\n";
  std::string out;
  for (const std::string& line : probe_header(head, probe))
    out += (markdown ? base::markdown_text(line) : base::printable(line)) + end;
  out += '\n';
  out += markdown ? base::markdown_table(probe_table(probe))
                  : base::text_table(probe_table(probe), color ? bold_heading : nullptr);
  out += '\n';
  for (const std::string& line : probe_footnotes(probe)) out += line + end;
  return out;
}

}  // namespace lab
