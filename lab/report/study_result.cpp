#include "lab/report/study_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "base/text_table.h"
#include "lab/report/front.h"

namespace lab {
namespace {

bool holds(const Condition& c, const std::vector<Figure>& figures) {
  for (const Figure& f : figures)
    if (f.name == c.figure) return f.ci && (c.above ? f.ci->lo > c.bound : f.ci->hi < c.bound);
  return false;
}

std::string joined(const std::vector<Condition>& conditions, const std::string& word) {
  std::string text;
  for (const Condition& c : conditions) text += (text.empty() ? "" : word) + to_string(c);
  return text;
}

std::string value_text(const Figure& f) {
  return f.value ? fmt::format("{:.4g}", *f.value) : f.missing;
}

std::string interval_text(const Figure& f) {
  return f.ci ? fmt::format("[{:.4g}, {:.4g}]", f.ci->lo, f.ci->hi) : "–";
}

double level(const StudyResult& r) {
  return 1 - (1 - ci_level(r.report.rules)) / static_cast<double>(r.figures.size());
}

}  // namespace

std::string rule_text(const StudyFile& file) {
  return fmt::format("supported if {}; contradicted if {}; else open",
                     joined(file.supported, " and "), joined(file.contradicted, " or "));
}

base::Lines figure_lines(const StudyResult& r) {
  base::Lines lines = {
      {"estimate", "value", fmt::format("{:.6g} % interval", 100 * level(r)), "unit"}};
  for (const Figure& f : r.figures)
    lines.push_back(
        {f.name, value_text(f), interval_text(f), f.unit + (f.note.empty() ? "" : ", " + f.note)});
  return lines;
}

std::string_view to_string(StudyVerdict verdict) {
  switch (verdict) {
    case StudyVerdict::kSupported:
      return "supported";
    case StudyVerdict::kContradicted:
      return "contradicted";
    case StudyVerdict::kOpen:
      return "open";
    case StudyVerdict::kNone:
      return "none (quick)";
  }
  return "?";
}

StudyVerdict decide(const StudyFile& file, const std::vector<Figure>& figures,
                    const Report& report) {
  if (file.quick) return StudyVerdict::kNone;
  const auto is = [&](const Condition& c) { return holds(c, figures); };
  const bool for_it = std::all_of(file.supported.begin(), file.supported.end(), is),
             against = std::any_of(file.contradicted.begin(), file.contradicted.end(), is);
  if (!report.final || report.seeds < report.rules.min_seeds || for_it == against)
    return StudyVerdict::kOpen;
  return for_it ? StudyVerdict::kSupported : StudyVerdict::kContradicted;
}

StudyResult make_result(StudyFile file, Report report) {
  StudyResult r{std::move(file), std::move(report), {}, StudyVerdict::kOpen};
  r.figures = make_figures(r.file, r.report);
  r.verdict = decide(r.file, r.figures, r.report);
  return r;
}

std::string headline(const StudyResult& r) {
  std::string text = fmt::format("“{}”: {}", r.file.title, to_string(r.verdict));
  std::string said;
  for (const Figure& f : r.figures)
    said += fmt::format("{}{} {} {}", said.empty() ? "" : "; ", f.name, value_text(f),
                        interval_text(f));
  return text + ". " + said + ".";
}

Json to_json(const StudyResult& r) {
  Json figures = Json::array();
  const auto bound = [](double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); };
  for (const Figure& f : r.figures) {
    Json ci = nullptr;
    if (f.ci) ci = {{"level", level(r)}, {"low", bound(f.ci->lo)}, {"high", bound(f.ci->hi)}};
    figures.push_back({{"name", f.name},
                       {"unit", f.unit},
                       {"value", base::or_null(f.value)},
                       {"ci", ci},
                       {"missing", f.missing},
                       {"note", f.note}});
  }
  std::size_t runs = 0;
  for (const CellReport& cell : r.report.cells)
    for (const ArmReport& arm : cell.arms) runs += arm.runs.size();
  return {{"file", r.file.path.filename().string()},
          {"hash", r.file.hash},
          {"claim", r.file.claim},
          {"title", r.file.title},
          {"question", r.file.question},
          {"quick", r.file.quick},
          {"rule", rule_text(r.file)},
          {"verdict", r.file.quick ? Json(nullptr) : Json(to_string(r.verdict))},
          {"figures", figures},
          {"front", front_json(r.report)},
          {"runs", runs},
          {"builds", to_json(r.report.builds)}};
}

Json to_json(const StudyResult& r, Json report) {
  Json json = to_json(r);
  base::append(json, "report", std::move(report));  // large: a list in braces would copy it
  return json;
}

std::string render(const StudyResult& r, const std::string& format, bool color, std::size_t width,
                   const std::string& said) {
  const bool md = format == "md";
  const std::string bold = color ? std::string(base::kBold)
                           : md  ? "**"
                                 : "",
                    plain = color ? "\033[0m"
                            : md  ? "**"
                                  : "",
                    end = md ? "  \n" : "\n";
  const auto shown = [&](const std::string& text) {
    return md ? base::markdown_text(text) : base::printable(text);
  };
  const std::string title = shown(r.file.title);
  std::string out =
      (r.file.claim > 0 ? fmt::format("{}Claim {}: {}{}", bold, r.file.claim, title, plain)
                        : bold + title + plain) +
      end + shown(r.file.question) + end +
      fmt::format("{}Verdict: {}{}", bold, to_string(r.verdict), plain) +
      (r.file.quick ? ": too small for one; without --quick the study has its real size" : "") +
      "\n\n" + said;
  const base::Lines lines = figure_lines(r);
  out += (md ? base::markdown_table(lines) : base::text_table(lines, nullptr)) + "\n";
  if (const base::Lines places = front_lines(r.report); !places.empty())
    out += (md ? base::markdown_table(places) : base::text_table(places, nullptr)) + "\n";
  out += "Rule: " + shown(rule_text(r.file)) + end;
  out += fmt::format("File: {}, hash {}", shown(r.file.path.filename().string()),
                     r.file.hash.substr(0, 12)) +
         end + "\n";
  return out + render(r.report, format, color, width);
}

}  // namespace lab
