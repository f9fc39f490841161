#include "lab/inspect/probe_html.h"

#include <fmt/format.h>

#include <algorithm>

#include "lab/report/html/page.h"

namespace lab {
namespace {

std::string name_of(const ProbePoint& p) { return p.behind() ? "→ " + p.value : p.site; }

/// The hooks below each other, in the order of the model; a row of every picture.
PlotAxis hooks(const Probe& probe) {
  PlotAxis axis;
  for (std::size_t i = 0; i < probe.points.size(); ++i)
    axis.ticks.emplace_back(i, name_of(probe.points[i]));
  return axis;
}

/// With its standard error on both sides.
Mark mark_of(double at, const MaskMean& e, const ProbePoint& p) {
  Mark mark{at, e.value, e.value - e.se, e.value + e.se};
  mark.note.push_back(fmt::format("± {:.2g}", e.se));
  if (!p.acting.empty()) mark.note.push_back(p.acting);
  return mark;
}

using Figure = std::optional<MaskMean> ProbePoint::*;

Picture one_figure(const Probe& probe, const char* id, const char* title, const char* caption,
                   const char* label, Figure figure, double rule) {
  Picture p{id, title, caption};
  p.at = hooks(probe);
  p.value.label = label;
  p.horizontal = true;
  p.rule = rule;
  Series at_hooks{"at the hook", Drawn::kPoints, 1}, behind{"behind it", Drawn::kPoints, 2};
  for (std::size_t i = 0; i < probe.points.size(); ++i) {
    const ProbePoint& point = probe.points[i];
    if (const auto& e = point.*figure)
      (point.behind() ? behind : at_hooks)
          .marks.push_back(mark_of(static_cast<double>(i), *e, point));
  }
  for (Series* s : {&at_hooks, &behind})
    if (!s->marks.empty()) p.series.push_back(std::move(*s));
  return p;
}

Picture moment_picture(const Probe& probe, std::size_t statistic) {
  const std::string name(kStatisticNames[statistic]);
  Picture p{name, name + ", training and evaluation",
            "Of all values under one mask, averaged over the masks; bars: one standard error. "
            "Evaluation draws none."};
  p.at = hooks(probe);
  p.value.label = name;
  p.horizontal = true;
  Series evaluation{"evaluation", Drawn::kPoints, 0}, training{"training", Drawn::kPoints, 1};
  for (std::size_t i = 0; i < probe.points.size(); ++i) {
    const ProbePoint& point = probe.points[i];
    const auto at = static_cast<double>(i);
    if (const auto& x = point.evaluation[statistic]) evaluation.marks.push_back({at - 0.14, x});
    if (const auto& e = point.training[statistic])
      training.marks.push_back(mark_of(at + 0.14, *e, point));
    for (Series* s : {&evaluation, &training})
      if (!s->marks.empty() && std::abs(s->marks.back().at - at) < 0.5)
        s->marks.back().note.insert(s->marks.back().note.begin(), name_of(point));
  }
  p.series = {std::move(evaluation), std::move(training)};
  return p;
}

/// The hook whose variance differs most between the modes.
std::string answer(const Probe& probe) {
  const ProbePoint* most = nullptr;
  for (const ProbePoint& p : probe.points)
    if (p.variance_ratio && (most == nullptr || std::abs(p.variance_ratio->value - 1) >
                                                    std::abs(most->variance_ratio->value - 1)))
      most = &p;
  if (most == nullptr) return "No variance ratio is known: evaluation's values do not vary.";
  return fmt::format(
      "Between training and evaluation the variance differs most at {}: {:.4f} × in training.",
      name_of(*most), most->variance_ratio->value);
}

}  // namespace

std::string render_html(const ProbeHead& head, const Probe& probe) {
  Page page;
  page.title = fmt::format("probe of {}; {}", head.model, head.regularizers);
  page.answer = answer(probe);
  page.facts = probe_header(head, probe);
  PageSection section;
  section.pictures.push_back(
      one_figure(probe, "variance-ratio", "Variance ratio, training / evaluation",
                 "1: the variance is the same in both modes. Bars: one standard error over masks.",
                 "variance ratio", &ProbePoint::variance_ratio, 1));
  section.pictures.push_back(one_figure(
      probe, "w1", "Distance between training and evaluation",
      "1-Wasserstein distance between the distributions, in standard deviations of evaluation.",
      "W1 (standard deviations)", &ProbePoint::w1, 0));
  for (std::size_t i = 0; i < kStatisticNames.size(); ++i)
    section.pictures.push_back(moment_picture(probe, i));
  page.sections = {std::move(section), {"Every figure", probe_table(probe), {}}};
  page.footnotes = probe_footnotes(probe);
  page.csv = render(head, probe, "csv", false);
  return to_html(page);
}

}  // namespace lab
