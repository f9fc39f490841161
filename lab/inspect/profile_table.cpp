// Sums and quartiles of the samples.
#include "lab/inspect/profile_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/measure.h"

namespace lab {
namespace {

std::optional<double> over(double x, double y) {
  return x > 0 && y > 0 ? std::optional(x / y) : std::nullopt;
}

/// Indices of the middle half of the samples by wall time.
std::vector<std::size_t> typical_steps(const std::vector<StepSample>& samples) {
  std::vector<std::size_t> order(samples.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return samples[a].wall < samples[b].wall; });
  const auto quarter = static_cast<std::ptrdiff_t>(samples.size() / 4);
  return {order.begin() + quarter, order.end() - quarter};
}

Interval quartiles(const std::vector<double>& values) {
  return {base::quantile(values, 0.25), base::quantile(values, 0.75)};
}

using Seconds = std::function<double(const StepSample&)>;

class Table {
 public:
  Table(const ArmProfile& arm, const Roof& roof)
      : arm_(arm), roof_(roof), typical_(typical_steps(arm.samples)) {}

  double typical_ms(const Seconds& f) const {
    double sum = 0;
    for (const std::size_t i : typical_) sum += f(arm_.samples[i]);
    return 1e3 * sum / static_cast<double>(typical_.size());
  }

  std::vector<double> all_ms(const Seconds& f) const {
    std::vector<double> ms;
    for (const StepSample& s : arm_.samples) ms.push_back(1e3 * f(s));
    return ms;
  }

  Interval quartiles_ms(const Seconds& f) const { return quartiles(all_ms(f)); }

  ProfilePart part(const std::vector<std::size_t>& events) const {
    ProfilePart p;
    const auto micro = static_cast<double>(arm_.micro_steps);
    for (const std::size_t e : events) {
      const engine::Cost& cost = arm_.events[e].cost;
      p.calls += micro;
      p.cost.flops += micro * cost.flops;
      p.cost.bytes += micro * cost.bytes;
      p.least_ms += 1e3 * micro * roof_.least_seconds(cost);
    }
    p.ms = typical_ms(sum(events));
    return p;
  }

  ProfileRow row(std::string name, const std::vector<std::size_t>& events) const {
    std::vector<std::size_t> forward, backward;
    for (const std::size_t e : events)
      (arm_.events[e].kind == engine::Event::Kind::kForward ? forward : backward).push_back(e);
    ProfileRow r;
    r.name = std::move(name);
    r.forward = part(forward);
    r.backward = part(backward);
    r.total = r.forward;
    r.total += r.backward;
    r.samples = all_ms(sum(events));
    r.quartiles = quartiles(r.samples);
    return r;
  }

  ProfileRow row(std::string name, const Seconds& f, double calls, const engine::Cost& cost) const {
    ProfileRow r;
    r.name = std::move(name);
    r.total = {calls, typical_ms(f), cost, 1e3 * roof_.least_seconds(cost)};
    r.samples = all_ms(f);
    r.quartiles = quartiles(r.samples);
    return r;
  }

 private:
  static Seconds sum(const std::vector<std::size_t>& events) {
    return [&events](const StepSample& s) {
      double seconds = 0;
      for (const std::size_t e : events) seconds += s.events[e];
      return seconds;
    };
  }

  const ArmProfile& arm_;
  const Roof& roof_;
  std::vector<std::size_t> typical_;
};

std::string group(const ArmProfile::Node& node, By by) {
  switch (by) {
    case By::kOp:
      return node.op;
    case By::kLayer:
      return node.layer < 0 ? node.name : fmt::format("h.{}", node.layer);
    case By::kNode:
      break;
  }
  return node.name;
}

/// "h.3.mlp.c_fc" → "h.*.mlp.c_fc": what layers have in common.
std::string in_any_layer(const ArmProfile::Node& node) {
  const std::string layer = fmt::format("h.{}.", node.layer);
  return node.layer >= 0 && node.name.starts_with(layer) ? "h.*." + node.name.substr(layer.size())
                                                         : node.name;
}

std::vector<HowRow> how_rows(const ArmProfile& arm, const Roof& roof, const Table& table) {
  std::vector<HowRow> rows;
  std::vector<std::vector<std::size_t>> events;
  for (std::size_t e = 0; e < arm.events.size(); ++e) {
    const ArmProfile::Call& call = arm.events[e];
    if (call.how.empty()) continue;
    HowRow row{in_any_layer(arm.nodes[static_cast<std::size_t>(call.node)]),
               std::string(to_string(call.kind)),
               call.how,
               {}};
    const auto at =
        std::find_if(rows.begin(), rows.end(),
                     [&](const HowRow& r) {
                       return r.name == row.name && r.pass == row.pass && r.how == row.how;
                     }) -
        rows.begin();
    if (at == std::ssize(rows)) rows.push_back(std::move(row)), events.emplace_back();
    events[static_cast<std::size_t>(at)].push_back(e);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].part = table.part(events[i]);
    rows[i].of_peak = rows[i].part.gflops().value_or(0) / roof.gflops;
  }
  return rows;
}

double untracked(const StepSample& s) {
  return s.wall - s.data - s.optimizer - std::accumulate(s.events.begin(), s.events.end(), 0.0);
}

}  // namespace

std::optional<double> ProfilePart::gflops() const { return over(cost.flops * 1e-6, ms); }
std::optional<double> ProfilePart::gbps() const { return over(cost.bytes * 1e-6, ms); }
std::optional<double> ProfilePart::intensity() const { return over(cost.flops, cost.bytes); }
std::optional<double> ProfilePart::of_roof() const { return over(least_ms, ms); }

ProfilePart& ProfilePart::operator+=(const ProfilePart& other) {
  calls += other.calls;
  ms += other.ms;
  cost.flops += other.cost.flops;
  cost.bytes += other.cost.bytes;
  least_ms += other.least_ms;
  return *this;
}

std::string_view to_string(engine::Event::Kind kind) {
  switch (kind) {
    case engine::Event::Kind::kForward:
      return "forward";
    case engine::Event::Kind::kReplay:
      return "replay";
    case engine::Event::Kind::kBackward:
      break;
  }
  return "backward";
}

ProfileTable profile_table(const ArmProfile& arm, const Roof& roof, By by) {
  const Table table(arm, roof);
  ProfileTable result;
  result.arm = arm.name;
  std::vector<std::string> names;
  std::vector<std::vector<std::size_t>> events;
  for (std::size_t n = 0; n < arm.nodes.size(); ++n) {
    const std::string name = group(arm.nodes[n], by);
    const auto at = std::find(names.begin(), names.end(), name) - names.begin();
    if (at == std::ssize(names)) names.push_back(name), events.emplace_back();
    for (std::size_t e = 0; e < arm.events.size(); ++e)
      if (static_cast<std::size_t>(arm.events[e].node) == n)
        events[static_cast<std::size_t>(at)].push_back(e);
  }
  for (std::size_t i = 0; i < names.size(); ++i)
    result.rows.push_back(table.row(names[i], events[i]));
  result.rows.push_back(table.row(
      kOptimizerRow, [](const StepSample& s) { return s.optimizer; }, 1, arm.optimizer));
  result.rows.push_back(table.row(kDataRow, [](const StepSample& s) { return s.data; },
                                  static_cast<double>(arm.micro_steps), {}));
  result.rows.push_back(table.row(kUntrackedRow, untracked, 0, {}));
  result.how = how_rows(arm, roof, table);
  const auto wall = [](const StepSample& s) { return s.wall; };
  result.step_ms = table.typical_ms(wall);
  result.step_quartiles = table.quartiles_ms(wall);
  for (ProfileRow& r : result.rows) r.share = r.total.ms / result.step_ms;

  const double plain = base::median(arm.plain);
  result.plain_ms = 1e3 * plain;
  result.tokens_per_second = arm.tokens / plain;
  result.gflops = arm.flops / plain / 1e9;
  std::vector<double> walls;
  for (const StepSample& s : arm.samples) walls.push_back(s.wall);
  result.overhead = paired_ratio(walls, arm.plain);
  return result;
}

std::vector<TaxRow> tax_rows(const ProfileTable& first, const ProfileTable& second) {
  const auto named = [](const ProfileTable& table, const std::string& name) {
    const auto at = std::find_if(table.rows.begin(), table.rows.end(),
                                 [&](const ProfileRow& r) { return r.name == name; });
    return at == table.rows.end() ? nullptr : &*at;
  };
  std::vector<TaxRow> rows;
  for (const ProfileRow& r : first.rows) rows.push_back({r.name, 0, 0, {}});
  // What only the second arm has goes before the three rows that are no op's.
  for (const ProfileRow& r : second.rows)
    if (named(first, r.name) == nullptr) rows.insert(rows.end() - 3, {r.name, 0, 0, {}});
  for (TaxRow& row : rows) {
    const ProfileRow *a = named(first, row.name), *b = named(second, row.name);
    if (a != nullptr) row.first_ms = a->total.ms;
    if (b != nullptr) row.second_ms = b->total.ms;
    // Steps of both arms were made in turns.
    const std::vector<double> none((a != nullptr ? a : b)->samples.size(), 0.0);
    const std::vector<double>&x = b != nullptr ? b->samples : none,
          &y = a != nullptr ? a->samples : none;
    if (x.empty() || x.size() != y.size()) continue;
    if (const PairedDifference d = paired_difference(x, y); d.ci95) row.paired = d;
  }
  return rows;
}

double unrest(const ProfileTable& table) {
  return (table.step_quartiles.hi - table.step_quartiles.lo) / table.step_ms;
}

PairedRatio step_tax(const ArmProfile& first, const ArmProfile& second) {
  return paired_ratio(second.plain, first.plain);
}

}  // namespace lab
