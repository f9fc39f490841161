// The profile's tables and JSON.
#include "lab/inspect/profile_render.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "base/text_table.h"

namespace lab {
namespace {

using base::Json;
using base::or_null;

Json known(const std::optional<Interval>& x) { return x ? Json{x->lo, x->hi} : Json(nullptr); }

Json part_json(const ProfilePart& p) {
  return {{"calls", p.calls},
          {"ms", p.ms},
          {"flops", p.cost.flops},
          {"bytes", p.cost.bytes},
          {"gflops", or_null(p.gflops())},
          {"gbps", or_null(p.gbps())},
          {"intensity", or_null(p.intensity())},
          {"of_roof", or_null(p.of_roof())}};
}

Json row_json(const ProfileRow& r) {
  Json json = {{"name", r.name}};
  json.update(part_json(r.total));
  json["quartiles"] = {r.quartiles.lo, r.quartiles.hi};
  json["share"] = r.share;
  json["forward"] = r.forward.calls > 0 ? part_json(r.forward) : Json(nullptr);
  json["backward"] = r.backward.calls > 0 ? part_json(r.backward) : Json(nullptr);
  return json;
}

Json how_json(const HowRow& r) {
  return {{"name", r.name},        {"pass", r.pass},  {"how", r.how},
          {"calls", r.part.calls}, {"ms", r.part.ms}, {"gflops", or_null(r.part.gflops())},
          {"of_peak", r.of_peak}};
}

Json table_json(const ProfileTable& t) {
  Json how = Json::array();
  for (const HowRow& r : t.how) how.push_back(how_json(r));
  Json rows = Json::array();
  for (const ProfileRow& r : t.rows) rows.push_back(row_json(r));
  return {{"name", t.arm},
          {"step_ms", t.step_ms},
          {"step_quartiles", {t.step_quartiles.lo, t.step_quartiles.hi}},
          {"unobserved_ms", t.plain_ms},
          {"overhead", {{"ratio", t.overhead.ratio}, {"ci95", known(t.overhead.ci95)}}},
          {"tokens_per_second", t.tokens_per_second},
          {"gflops", t.gflops},
          {"rows", rows},
          {"how", how}};
}

constexpr std::size_t kColumns = 80, kLeastHow = 20;  // of a terminal; of how a product is made

std::string number(const std::optional<double>& x, int width) {
  if (!x) return fmt::format("{:>{}}", "-", width);
  return fmt::format("{:>{}.{}f}", *x, width, *x < 9.95 ? 2 : *x < 99.5 ? 1 : 0);
}

std::string milliseconds(double ms, int width) { return fmt::format("{:>{}.3f}", ms, width); }

std::string pass_ms(const ProfilePart& p) {
  return p.calls > 0 ? milliseconds(p.ms, 10) : fmt::format("{:>10}", "-");
}

std::size_t name_width(const std::vector<ProfileTable>& tables) {
  std::size_t width = 10;
  for (const ProfileTable& t : tables)
    for (const ProfileRow& r : t.rows) width = std::max(width, r.name.size());
  return width;
}

std::string percent(const PairedRatio& r) {
  std::string text = fmt::format("{:+.2f} %", 100 * (r.ratio - 1));
  if (r.ci95)
    text += fmt::format(" (95 % interval {:+.2f} to {:+.2f})", 100 * (r.ci95->lo - 1),
                        100 * (r.ci95->hi - 1));
  return text;
}

std::string table_text(const ProfileTable& t, std::size_t width) {
  std::string out =
      fmt::format("{:<{}}{:>10} {:>11} {:>8} {:>6} {:>7} {:>13}\n", "", width, "forward ms",
                  "backward ms", "total ms", "share", "GFLOP/s", "% of roofline");
  for (const ProfileRow& r : t.rows) {
    const auto roof = r.total.of_roof();
    out +=
        fmt::format("{:<{}}{} {:>11} {} {:>4.1f} % {} {:>13}\n", r.name, width, pass_ms(r.forward),
                    r.backward.calls > 0 ? milliseconds(r.backward.ms, 0) : "-",
                    milliseconds(r.total.ms, 8), 100 * r.share, number(r.total.gflops(), 7),
                    roof ? fmt::format("{:.0f}", 100 * *roof) : "-");
  }
  out += fmt::format("{:<{}}{:>10} {:>11} {}  quartiles {:.3f} to {:.3f}\n", "step", width, "", "",
                     milliseconds(t.step_ms, 8), t.step_quartiles.lo, t.step_quartiles.hi);
  return out;
}

std::string how_text(const ProfileTable& t) {
  if (t.how.empty()) return "";
  std::size_t width = 0;
  for (const HowRow& r : t.how) width = std::max(width, r.name.size());
  std::string out = fmt::format("\n{:<{}} {:<8} {:>9} {:>7} {:>9}  {}\n", "matmul", width, "pass",
                                "ms", "GFLOP/s", "% of peak", "how");
  for (const HowRow& r : t.how) {
    const std::string line =
        fmt::format("{:<{}} {:<8} {} {} {:>9.0f}  ", r.name, width, r.pass,
                    milliseconds(r.part.ms, 9), number(r.part.gflops(), 7), 100 * r.of_peak);
    const std::size_t room = std::max(kColumns, line.size() + kLeastHow) - line.size();
    out += line;
    for (const char c : base::wrapped(r.how, room))
      out += c == '\n' ? "\n" + std::string(line.size(), ' ') : std::string(1, c);
    out += '\n';
  }
  return out;
}

std::string tax_text(const Profile& profile, const std::vector<ProfileTable>& tables,
                     std::size_t width) {
  std::string out = fmt::format("\noverhead of {} over {}\n{:<{}}{:>9} {:>9} {:>11}  {:<16} {}\n",
                                tables[1].arm, tables[0].arm, "", width, "first ms", "second ms",
                                "overhead ms", "95 % interval", "% of step");
  for (const TaxRow& r : tax_rows(tables[0], tables[1]))
    out += fmt::format(
        "{:<{}}{} {} {:>+11.3f}  {:<16} {:>+9.2f}\n", r.name, width, milliseconds(r.first_ms, 9),
        milliseconds(r.second_ms, 9), r.tax_ms(),
        r.paired ? fmt::format("[{:+.3f}, {:+.3f}]", r.paired->ci95->lo, r.paired->ci95->hi) : "-",
        100 * r.tax_ms() / tables[0].step_ms);
  out += fmt::format("step time, steps of both in turns: {}\n",
                     percent(step_tax(profile.arms[0], profile.arms[1])));
  return out;
}

/// Empty on a machine that is quiet enough.
std::string unrest_text(const std::vector<ProfileTable>& tables) {
  double most = 0;
  for (const ProfileTable& t : tables) most = std::max(most, unrest(t));
  if (most < kRestless) return "";
  return fmt::format(
      "Warning: this machine is busy: the middle half of the steps differ by {:.0f} %. Trust the "
      "intervals, not single times, or run it again when the machine is idle.",
      100 * most);
}

}  // namespace

std::vector<std::string> profile_header(const ProfileHead& head, const Profile& profile) {
  const Roof& roof = profile.roof;
  return {
      fmt::format("{}, rates at {:g} of the budget; {}, {}, {}", head.what, profile.progress,
                  head.environment["cpu"].get<std::string>(),
                  head.environment["isa"].get<std::string>(),
                  base::counted(head.environment["threads"].get<std::uint64_t>(), "thread")),
      fmt::format("measured here: {:.0f} GFLOP/s (FMA), {:.1f} GB/s (copy in memory); ridge point: "
                  "{:.1f} FLOP/byte",
                  roof.gflops, roof.gbps, roof.gflops / roof.gbps)};
}

std::string profile_footnote(const ProfileHead& head) {
  return fmt::format(
      "Times are means over the middle half of {} steps, so rows add up to the step. % of "
      "roofline: the shortest time possible at the measured peaks, with all bytes from memory, over "
      "the time taken; above 100 if the caches held the data.",
      head.steps);
}

std::string render_text(const ProfileHead& head, const Profile& profile,
                        const std::vector<ProfileTable>& tables) {
  std::string out;
  for (const std::string& line : profile_header(head, profile))
    out += base::wrapped(base::printable(line), kColumns) + "\n";
  const std::string warning = unrest_text(tables);
  if (!warning.empty()) out += base::wrapped(warning, kColumns) + "\n";
  const std::size_t width = name_width(tables);
  for (const ProfileTable& t : tables) {
    out += "\n" +
           base::wrapped(fmt::format("{}: {:.3f} ms a step, {:.0f} tokens/s, {:.0f} GFLOP/s "
                                     "= {:.0f} % of peak",
                                     t.arm, t.plain_ms, t.tokens_per_second, t.gflops,
                                     100 * t.gflops / profile.roof.gflops),
                         kColumns) +
           "\n";
    out += table_text(t, width);
    out += how_text(t);
    out += fmt::format("overhead of profiling: {}\n", percent(t.overhead));
  }
  if (tables.size() == 2) out += tax_text(profile, tables, width);
  out += "\n" + base::wrapped(profile_footnote(head), kColumns) + "\n";
  return out;
}

Json to_json(const ProfileHead& head, const Profile& profile,
             const std::vector<ProfileTable>& tables) {
  Json arms = Json::array();
  for (const ProfileTable& t : tables) arms.push_back(table_json(t));
  Json json = {{"schema", "isodrop-profile-1"},
               {"what", head.what},
               {"steps", head.steps},
               {"progress", profile.progress},
               {"environment", head.environment},
               {"peak", {{"gflops", profile.roof.gflops}, {"gbps", profile.roof.gbps}}},
               {"arms", arms},
               {"tax", nullptr}};
  if (tables.size() != 2) return json;
  const PairedRatio step = step_tax(profile.arms[0], profile.arms[1]);
  Json rows = Json::array();
  for (const TaxRow& r : tax_rows(tables[0], tables[1]))
    rows.push_back({{"name", r.name},
                    {"first_ms", r.first_ms},
                    {"second_ms", r.second_ms},
                    {"tax_ms", r.tax_ms()},
                    {"of_step", r.tax_ms() / tables[0].step_ms}});
  json["tax"] = {{"step_ratio", step.ratio}, {"ci95", known(step.ci95)}, {"rows", rows}};
  return json;
}

}  // namespace lab
