#include "lab/inspect/profile_html.h"

#include <fmt/format.h>

#include <algorithm>

#include "lab/report/html/page.h"

namespace lab {
namespace {

std::string number(const std::optional<double>& x) { return x ? fmt::format("{:.3g}", *x) : "–"; }

std::string pass_note(const ProfilePart& p) {
  return p.calls > 0 ? fmt::format("{:.3f}", p.ms) : "–";
}

std::string percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

/// "+0.66 % (95 % interval [-0.67 %, +2.05 %])", and whether that differs from 0.
std::string change(const PairedRatio& r) {
  std::string text = fmt::format("{:+.2f} %", 100 * (r.ratio - 1));
  if (r.ci95)
    text += fmt::format(" (95 % interval [{:+.2f} %, {:+.2f} %])", 100 * (r.ci95->lo - 1),
                        100 * (r.ci95->hi - 1));
  if (r.ci95 && r.ci95->lo <= 1 && r.ci95->hi >= 1) text += ", which may be 0";
  return text;
}

PageSection section_of(const ProfileTable& t) {
  PageSection section{
      fmt::format("{}: {:.3f} ms per step, {:.0f} tokens/s", t.arm, t.plain_ms,
                  t.tokens_per_second),
      {{"part of the step", "total ms", "share of step", "% of roofline", "forward ms",
        "backward ms", "quartiles ms", "calls", "GFLOP/s", "GB/s", "FLOP/byte"}}};
  section.key = 4;
  for (const ProfileRow& r : t.rows) {
    const auto roof = r.total.of_roof();
    section.table.push_back(
        {r.name, fmt::format("{:.3f}", r.total.ms), fmt::format("{:.1f} %", 100 * r.share),
         roof ? percent(*roof) : "–", pass_note(r.forward), pass_note(r.backward),
         fmt::format("{:.3f} to {:.3f}", r.quartiles.lo, r.quartiles.hi),
         r.total.calls > 0 ? fmt::format("{}", r.total.calls) : "–", number(r.total.gflops()),
         number(r.total.gbps()), number(r.total.intensity())});
  }
  section.table.push_back(
      {"step", fmt::format("{:.3f}", t.step_ms), "100.0 %", "–", "–", "–",
       fmt::format("{:.3f} to {:.3f}", t.step_quartiles.lo, t.step_quartiles.hi), "–", "–", "–",
       "–"});
  section.notes = {"Profiling changes the time of a step by " + change(t.overhead) + "."};
  return section;
}

/// The implementation of every matrix product.
PageSection products(const ProfileTable& t) {
  PageSection section{
      t.arm + ": matrix products",
      {{"product", "pass", "total ms", "% of FMA peak", "calls", "GFLOP/s", "implementation"}}};
  section.key = 4;
  for (const HowRow& r : t.how)
    section.table.push_back({r.name, r.pass, fmt::format("{:.3f}", r.part.ms), percent(r.of_peak),
                             fmt::format("{}", r.part.calls), number(r.part.gflops()), r.how});
  section.notes = {
      "h.* stands for the same product in several layers. dx and dw are the gradients of a "
      "product's input and weights."};
  return section;
}

/// Where the second arm's step takes longer than the first's.
PageSection overhead(const Profile& profile, const std::vector<ProfileTable>& tables) {
  const ProfileTable &first = tables[0], &second = tables[1];
  PageSection section{fmt::format("Overhead of {} over {}", second.arm, first.arm),
                      {{"part of the step", "overhead ms", "% of a step of " + first.arm,
                        first.arm + " ms", second.arm + " ms"}}};
  section.key = 3;
  double sum = 0;
  for (const TaxRow& r : tax_rows(first, second)) {
    sum += r.tax_ms();
    section.table.push_back({r.name, fmt::format("{:+.3f}", r.tax_ms()),
                             fmt::format("{:+.2f} %", 100 * r.tax_ms() / first.step_ms),
                             fmt::format("{:.3f}", r.first_ms),
                             fmt::format("{:.3f}", r.second_ms)});
  }
  section.table.push_back(
      {"step", fmt::format("{:+.3f}", sum), fmt::format("{:+.2f} %", 100 * sum / first.step_ms),
       fmt::format("{:.3f}", first.step_ms), fmt::format("{:.3f}", second.step_ms)});
  section.notes = {
      fmt::format("The step time of {} differs from that of {} by {}, measured in turns without "
                  "the profiler.",
                  second.arm, first.arm, change(step_tax(profile.arms[0], profile.arms[1])))};
  return section;
}

/// What is known of a row, for a pointer over it.
std::vector<std::string> note_of(const ProfileRow& row, const ProfilePart& part) {
  std::vector<std::string> note = {
      fmt::format("{:.3f} ms, {:.1f} % of the step in total", part.ms, 100 * row.share)};
  if (const auto roof = part.of_roof()) note.push_back(percent(*roof) + " of the roofline");
  return note;
}

/// The bound of both limits, over the intensities that there are.
Series roof_series(const Roof& roof, double low, double high) {
  Series s{"roofline", Drawn::kLine, 0};
  const double ridge = roof.gflops / roof.gbps;
  low = std::min(low, ridge) / 2;
  high = std::max(high, ridge) * 2;
  s.marks = {{low, low * roof.gbps, {}, {}, {fmt::format("memory: {:.1f} GB/s", roof.gbps)}},
             {ridge, roof.gflops, {}, {}, {fmt::format("ridge point: {:.1f} FLOP/byte", ridge)}},
             {high, roof.gflops, {}, {}, {fmt::format("FMA: {:.0f} GFLOP/s", roof.gflops)}}};
  return s;
}

Picture roofline(const Profile& profile, const std::vector<ProfileTable>& tables) {
  Picture p{"roofline", "Roofline",
            "Each point is a part of the step in one pass. The line is what this machine can do: "
            "memory bandwidth limits on the left, the FMA units on the right. Points above the "
            "line read their data from the caches."};
  p.at = {"FLOP per byte", true};
  p.value = {"GFLOP/s", true};
  double low = INFINITY, high = 0;
  int colour = 1;
  for (const ProfileTable& t : tables)
    for (const bool backward : {false, true}) {
      Series s{fmt::format("{}, {}", t.arm, backward ? "backward" : "forward or other"),
               Drawn::kPoints, colour++};
      s.named = true;
      for (const ProfileRow& r : t.rows) {
        const ProfilePart& part = backward ? r.backward : r.forward.calls > 0 ? r.forward : r.total;
        const auto x = part.intensity(), y = part.gflops();
        if (!x || !y || *x <= 0 || *y <= 0) continue;
        low = std::min(low, *x), high = std::max(high, *x);
        s.marks.push_back({*x, y, {}, {}, note_of(r, part)});
        s.marks.back().note.insert(s.marks.back().note.begin(), r.name);
      }
      if (!s.marks.empty()) p.series.push_back(std::move(s));
    }
  if (high > 0) p.series.insert(p.series.begin(), roof_series(profile.roof, low, high));
  return p;
}

/// Of one arm forward, backward and the rest on each other; of two their totals beside each other.
Picture bars(const std::vector<ProfileTable>& tables) {
  Picture p{"bars", "Where a step's time goes",
            "Means over the middle half of the steps. The bars add up to the step."};
  p.value.label = "milliseconds per step";
  p.horizontal = true;
  const auto place = [&](const std::string& name) {
    for (const auto& [at, there] : p.at.ticks)
      if (there == name) return at;
    p.at.ticks.emplace_back(p.at.ticks.size(), name);
    return p.at.ticks.back().first;
  };
  if (tables.size() > 1) {
    for (std::size_t i = 0; i < tables.size(); ++i) {
      Series s{tables[i].arm, Drawn::kBars, static_cast<int>(i)};
      for (const ProfileRow& r : tables[i].rows)
        s.marks.push_back({place(r.name), r.total.ms, {}, {}, note_of(r, r.total)});
      p.series.push_back(std::move(s));
    }
    return p;
  }
  Series forward{"forward", Drawn::kBars, 1}, backward{"backward", Drawn::kBars, 2},
      other{"outside the passes", Drawn::kBars, 0};
  for (const ProfileRow& r : tables.front().rows) {
    const double at = place(r.name);
    const bool passes = r.forward.calls > 0 || r.backward.calls > 0;
    if (r.forward.calls > 0)
      forward.marks.push_back({at, r.forward.ms, {}, {}, note_of(r, r.forward)});
    if (r.backward.calls > 0)
      backward.marks.push_back({at, r.backward.ms, {}, {}, note_of(r, r.backward)});
    if (!passes) other.marks.push_back({at, r.total.ms, {}, {}, note_of(r, r.total)});
  }
  for (Series* s : {&forward, &backward, &other}) {
    s->stack = "step";
    if (!s->marks.empty()) p.series.push_back(std::move(*s));
  }
  return p;
}

}  // namespace

std::string render_html(const ProfileHead& head, const Profile& profile,
                        const std::vector<ProfileTable>& tables) {
  Page page;
  page.title = "profile of " + head.what;
  const ProfileTable& first = tables.front();
  const auto longest = std::max_element(
      first.rows.begin(), first.rows.end(),
      [](const ProfileRow& a, const ProfileRow& b) { return a.total.ms < b.total.ms; });
  page.answer = fmt::format("A step of {} takes {:.3f} ms, {:.0f} % of the FMA peak", first.arm,
                            first.plain_ms, 100 * first.gflops / profile.roof.gflops);
  if (longest != first.rows.end())
    page.answer +=
        fmt::format("; {} takes the most, {:.0f} %", longest->name, 100 * longest->share);
  page.answer += ".";
  page.facts = profile_header(head, profile);
  page.sections.push_back({"Charts", {}, {bars(tables), roofline(profile, tables)}});
  if (tables.size() == 2) page.sections.push_back(overhead(profile, tables));
  for (const ProfileTable& t : tables) page.sections.push_back(section_of(t));
  for (const ProfileTable& t : tables)
    if (!t.how.empty()) page.sections.push_back(products(t));
  page.footnotes = {profile_footnote(head)};
  return to_html(page);
}

}  // namespace lab
