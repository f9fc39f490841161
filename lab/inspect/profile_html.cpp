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

std::vector<std::vector<std::string>> table_of(const ProfileTable& t) {
  std::vector<std::vector<std::string>> lines = {{"", "calls", "forward ms", "backward ms",
                                                  "total ms", "quartiles", "share", "GFLOP/s",
                                                  "GB/s", "FLOP/B", "of roof"}};
  for (const ProfileRow& r : t.rows) {
    const auto roof = r.total.of_roof();
    lines.push_back({r.name, r.total.calls > 0 ? fmt::format("{}", r.total.calls) : "–",
                     pass_note(r.forward), pass_note(r.backward), fmt::format("{:.3f}", r.total.ms),
                     fmt::format("{:.3f} to {:.3f}", r.quartiles.lo, r.quartiles.hi),
                     fmt::format("{:.1f} %", 100 * r.share), number(r.total.gflops()),
                     number(r.total.gbps()), number(r.total.intensity()),
                     roof ? fmt::format("{:.0f} %", 100 * *roof) : "–"});
  }
  return lines;
}

/// What is known of a row, for a pointer over it.
std::vector<std::string> note_of(const ProfileRow& row, const ProfilePart& part) {
  std::vector<std::string> note = {
      fmt::format("{:.3f} ms, {:.1f} % of the step in all", part.ms, 100 * row.share)};
  if (const auto roof = part.of_roof())
    note.push_back(fmt::format("{:.0f} % of the roof", 100 * *roof));
  return note;
}

/// The bound of both limits, over the intensities that there are.
Series roof_series(const Roof& roof, double low, double high) {
  Series s{"roof", Drawn::kLine, 0};
  const double ridge = roof.gflops / roof.gbps;
  low = std::min(low, ridge) / 2;
  high = std::max(high, ridge) * 2;
  s.marks = {{low, low * roof.gbps, {}, {}, {fmt::format("memory: {:.1f} GB/s", roof.gbps)}},
             {ridge, roof.gflops, {}, {}, {"both bind"}},
             {high, roof.gflops, {}, {}, {fmt::format("FMA: {:.0f} GFLOP/s", roof.gflops)}}};
  return s;
}

Picture roofline(const Profile& profile, const std::vector<ProfileTable>& tables) {
  Picture p{"roofline", "Roofline",
            "Each point is a row of the table in one pass. The line is what the machine can do: "
            "memory's rate on the left, the FMA units' on the right. Points above it found their "
            "data in the caches."};
  p.at = {"FLOP per byte", true};
  p.value = {"GFLOP/s", true};
  double low = INFINITY, high = 0;
  int colour = 1;
  for (const ProfileTable& t : tables)
    for (const bool backward : {false, true}) {
      Series s{fmt::format("{}, {}", t.arm, backward ? "backward" : "forward and others"),
               Drawn::kPoints, colour++};
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
            "Means over the middle half of the steps, so that the bars add up to the step."};
  p.value.label = "milliseconds a step";
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
      other{"neither", Drawn::kBars, 0};
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
        fmt::format("; most of it, {:.0f} %, is {}", 100 * longest->share, longest->name);
  page.answer += ".";
  page.facts = profile_header(head, profile);
  page.sections.push_back({"", {}, {bars(tables), roofline(profile, tables)}});
  for (const ProfileTable& t : tables)
    page.sections.push_back({fmt::format("{}: {:.3f} ms a step, {:.0f} tokens/s", t.arm, t.plain_ms,
                                         t.tokens_per_second),
                             table_of(t),
                             {}});
  page.footnotes = {profile_footnote(head)};
  return to_html(page);
}

}  // namespace lab
