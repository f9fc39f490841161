#include "lab/report/study_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "base/text_table.h"
#include "lab/stats/stats.h"

namespace lab {
namespace {

constexpr double kSame = 1 + 1e-3;  // a whole number of steps never spends a budget to the FLOP

struct Trained {
  FrontPoint point;
  const ShareReport* at;
};

std::string name_of(const CellReport& cell, const FrontPoint& p) {
  return fmt::format("{} at {:g} ×", cell.arms[p.arm].name, p.share);
}

/// As a person reads it: "off: b at 1 × has a lower loss for no more compute".
std::string in_words(const FrontPoint& p) {
  std::string text(to_string(p.place));
  return p.by.empty() ? text : text + ": " + p.by + " has a lower loss for no more compute";
}

/// The one-sided p of "a's mean loss is above b's" over the seeds of both; 1 where it is not above.
double above(const ShareReport& a, const ShareReport& b) {
  std::vector<double> diffs;
  for (const auto& [seed, loss] : a.losses)
    if (const auto other = b.losses.find(seed); other != b.losses.end())
      diffs.push_back(loss - other->second);
  const auto sample = summarize(diffs);
  if (!sample || sample->mean <= 0) return 1;
  return t_test(*sample) / 2;
}

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

std::string_view to_string(FrontPlace place) {
  switch (place) {
    case FrontPlace::kOn:
      return "on";
    case FrontPlace::kUntold:
      return "inconclusive";
    case FrontPlace::kOff:
      return "off";
  }
  return "?";
}

std::vector<FrontPoint> front(const CellReport& cell, double alpha) {
  std::vector<Trained> all;
  for (std::size_t arm = 0; arm < cell.arms.size(); ++arm) {
    if (cell.arms[arm].shares.size() < 2) return {};
    for (const ShareReport& at : cell.arms[arm].shares)
      all.push_back({{arm, at.share, at.flops, at.loss.mean.value_or(0), {}, ""}, &at});
  }
  std::sort(all.begin(), all.end(), [](const Trained& a, const Trained& b) {
    return std::pair(a.point.flops, a.point.loss) < std::pair(b.point.flops, b.point.loss);
  });
  const auto n = static_cast<double>(all.size());
  std::vector<FrontPoint> out;
  for (const Trained& mine : all) {
    FrontPoint p = mine.point;
    double best = p.loss, surest = 1;
    for (const Trained& other : all) {
      if (&other == &mine || other.point.flops > kSame * p.flops || other.point.loss >= p.loss)
        continue;
      const double chance = above(*mine.at, *other.at);
      const bool told = chance < alpha / (n * (n - 1));
      if (told ? chance < surest || p.place != FrontPlace::kOff
               : p.place != FrontPlace::kOff && other.point.loss < best) {
        p.by = name_of(cell, other.point);
        p.place = told ? FrontPlace::kOff : FrontPlace::kUntold;
        best = other.point.loss;
        if (told) surest = chance;
      }
    }
    out.push_back(std::move(p));
  }
  return out;
}

std::string front_note(const CellReport& cell, const FrontPoint& p) {
  return fmt::format("{}, Pareto front: {}", name_of(cell, p), in_words(p));
}

base::Lines front_lines(const Report& report) {
  base::Lines lines = {
      {"arm", "budget", "FLOP", "loss", "on the Pareto front of loss and compute"}};
  const bool several = report.cells.size() > 1;
  if (several) lines.front().insert(lines.front().begin(), "cell");
  for (const CellReport& cell : report.cells)
    for (const FrontPoint& p : front(cell, report.rules.alpha)) {
      lines.push_back({cell.arms[p.arm].name, fmt::format("{:g} ×", p.share),
                       fmt::format("{:.3g}", p.flops), base::decimals(p.loss, 4), in_words(p)});
      if (several) lines.back().insert(lines.back().begin(), cell.name);
    }
  return lines.size() > 1 ? lines : base::Lines{};
}

Json front_json(const Report& report) {
  Json out = Json::array();
  for (const CellReport& cell : report.cells)
    for (const FrontPoint& p : front(cell, report.rules.alpha))
      out.push_back({{"cell", cell.name},
                     {"arm", cell.arms[p.arm].name},
                     {"share", p.share},
                     {"flops", p.flops},
                     {"loss", p.loss},
                     {"front", to_string(p.place)},
                     {"by", p.by}});
  return out;
}

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
                   const std::string& said, bool verbose) {
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
  return out + render(r.report, format, color, width, verbose);
}

}  // namespace lab
