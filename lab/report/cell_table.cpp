// The table of a cell and the notes below it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "lab/report/render.h"

namespace lab {
namespace {

constexpr std::size_t kBar = 17;  // characters of an interval bar
// How readily a column is left out, where one is named elsewhere.
constexpr int kNever = 0, kWorth = 1, kChosen = 4, kInterval = 5, kStepTime = 13;

std::string loss_text(const std::optional<double>& x, bool sign = false) {
  return x ? base::decimals(*x, 4, sign) : "–";
}

std::string signed_number(const std::optional<double>& x) { return loss_text(x, true); }

const Spread& spread(const ArmReport& arm, std::string_view name) {
  return arm.metrics.find(name)->second;
}

/// Mean over the seeds, in the metric's format.
std::string mean_of(const ArmReport& arm, std::string_view name) {
  return text(metric(name), spread(arm, name).mean);
}

std::string mean_sd_of(const ArmReport& arm, std::string_view name) {
  const Spread& s = spread(arm, name);
  return text(metric(name), s.mean) + (s.sd ? " ± " + text(metric(name), s.sd) : "");
}

std::string verdict_text(const ArmReport& arm, bool first, bool final) {
  if (first) return "baseline";
  if (!arm.versus) return final ? "–" : "not final";
  if (arm.versus->verdict == Outcome::kNoDifference && arm.versus->negligible) return "negligible";
  return std::string(to_string(arm.versus->verdict));
}

std::string p_text(const std::optional<double>& p) {
  return p && *p < 0.0001 ? "<0.0001" : loss_text(p);
}

/// A column: what it says of each arm, and how readily it is left out (kNever: not at all).
struct Column {
  std::string head;
  int readily;
  std::vector<std::string> fields;
};

/// Half the width of the bars: the farthest end of any interval or margin.
double reach_of(const CellReport& cell) {
  double reach = 0;
  for (const ArmReport& arm : cell.arms)
    if (arm.versus && arm.versus->ci)
      reach = std::max(
          {reach, std::abs(arm.versus->ci->lo), std::abs(arm.versus->ci->hi), arm.versus->margin});
  return reach;
}

std::vector<Column> columns_of(const Report& report, const CellReport& cell, bool bars) {
  std::vector<Column> out;
  const ArmReport& first = cell.arms.front();
  const auto add = [&](std::string head, int readily, auto field, bool wanted = true) {
    if (!wanted) return;
    Column column{std::move(head), readily, {}};
    for (const ArmReport& arm : cell.arms) column.fields.push_back(field(arm));
    out.push_back(std::move(column));
  };
  const auto any = [&](auto has) { return std::any_of(cell.arms.begin(), cell.arms.end(), has); };
  const auto differ = [&](std::string_view name) {
    return any(
        [&](const ArmReport& a) { return spread(a, name).mean != spread(first, name).mean; });
  };
  const auto mean = [](std::string_view name) {
    return [name](const ArmReport& arm) { return mean_of(arm, name); };
  };
  const double reach = reach_of(cell);
  const bool test = report.judged == "test_loss";
  add("arm", kNever, [](const ArmReport& a) { return a.name; });
  add(
      "chosen", kChosen, [](const ArmReport& a) { return a.tuned ? to_text(a.tuned->set()) : "–"; },
      any([](const ArmReport& a) { return a.tuned.has_value(); }));
  add(test ? "test loss" : "val loss", kNever,
      [&](const ArmReport& a) { return mean_sd_of(a, report.judged); });
  add("val", 8, mean("val_loss"), test);
  add("best*", 9, mean("best_val_loss"));
  add("train", 6, mean("train_loss"));
  add("gap", 10, mean("gap"));
  add(
      "budget", 7, [](const ArmReport& a) { return a.budget; },
      any([&](const ArmReport& a) { return a.budget != first.budget; }));
  add("epochs", 11, mean("epochs"), differ("epochs"));
  add(
      "excess (window)", 12,
      [](const ArmReport& a) {
        return fmt::format("{} ({})", mean_of(a, "excess"), mean_of(a, "excess_window"));
      },
      any([](const ArmReport& a) { return spread(a, "excess_window").mean.has_value(); }));
  add("excess", 12, mean("excess"), any([](const ArmReport& a) {
        return spread(a, "excess").mean.has_value() && !spread(a, "excess_window").mean.has_value();
      }));
  add("difference", kNever,
      [](const ArmReport& a) { return signed_number(a.versus ? a.versus->diff : std::nullopt); });
  add(fmt::format("{:.6g} % interval", 100 * ci_level(report.rules, family_of(report))), kInterval,
      [](const ArmReport& a) {
        return a.versus && a.versus->ci ? fmt::format("[{}, {}]", signed_number(a.versus->ci->lo),
                                                      signed_number(a.versus->ci->hi))
                                        : "–";
      });
  add(
      "", 3,
      [&](const ArmReport& a) {
        return a.versus && a.versus->ci
                   ? interval_bar(a.versus->ci->lo, *a.versus->diff, a.versus->ci->hi,
                                  a.versus->margin, reach, kBar)
                   : std::string(kBar, ' ');
      },
      bars && reach > 0);
  add("p (Holm)", 2,
      [](const ArmReport& a) { return p_text(a.versus ? a.versus->p_holm : std::nullopt); });
  add("step time", kStepTime, [&](const ArmReport& a) {
    if (!a.speed) return std::string("–");
    if (&a == &first) return std::string("×1");
    return fmt::format("×{:.3f} [{:.3f}, {:.3f}]", a.speed->step_time_ratio, a.speed->ratio_low,
                       a.speed->ratio_high);
  });
  add(
      "worth", kWorth,
      [](const ArmReport& a) {
        if (!a.equivalent) return std::string("–");
        std::string text = to_string(*a.equivalent);
        if (a.equivalent_ci)
          text += fmt::format(" [{}, {}]", to_string(a.equivalent_ci->lo),
                              to_string(a.equivalent_ci->hi));
        return text;
      },
      any([](const ArmReport& a) { return a.equivalent.has_value(); }));
  add("verdict", kNever,
      [&](const ArmReport& a) { return verdict_text(a, &a == &first, report.final); });
  return out;
}

std::size_t width_of(const std::vector<Column>& columns) {
  std::size_t sum = 2 * (columns.size() - 1);
  for (const Column& c : columns) {
    std::size_t widest = base::text_width(c.head);
    for (const std::string& field : c.fields) widest = std::max(widest, base::text_width(field));
    sum += widest;
  }
  return sum;
}

base::Lines lines_of(const std::vector<Column>& columns) {
  base::Lines lines(1 + columns.front().fields.size());
  for (const Column& column : columns) {
    lines[0].push_back(column.head);
    for (std::size_t i = 0; i < column.fields.size(); ++i) lines[i + 1].push_back(column.fields[i]);
  }
  return lines;
}

std::string estimate_text(const Estimate& e, double alpha) {
  const Interval ci = t_interval(e, alpha);
  return fmt::format("{} [{}, {}]", signed_number(e.mean), signed_number(ci.lo),
                     signed_number(ci.hi));
}

void note_tuning(std::vector<std::string>& notes, const ArmReport& arm) {
  if (!arm.tuned) return;
  const Tuned& t = *arm.tuned;
  std::int64_t runs = 0;
  for (const Trial& trial : t.trials) runs += trial.runs;
  std::string text =
      fmt::format("{}: {} is the best of {} ({}, {:.3g} TFLOP)", arm.name, to_text(t.set()),
                  base::counted(t.trials.size(), "setting"),
                  base::counted(static_cast<std::uint64_t>(runs), "run"), t.flops / 1e12);
  if (t.extended > 0) text += fmt::format("; {} of them beyond the grid's edge", t.extended);
  if (t.edge)
    text += "; a value at the edge of the grid won, so a wider grid may hold a better one";
  notes.push_back(text);
}

/// Runs that spent less than the budget that all are compared at.
void note_patience(std::vector<std::string>& notes, const ArmReport& arm) {
  std::size_t early = 0;
  double spent = 0;
  for (const RecordPtr& run : arm.runs)
    if (const auto share = run->value("budget_spent")) ++early, spent += *share;
  if (early > 0)
    notes.push_back(fmt::format(
        "{}: NOT AT EQUAL COMPUTE: patience ended {} of {} runs, on average after {:.0f} % of the "
        "budget",
        arm.name, early, arm.runs.size(), 100 * spent / static_cast<double>(early)));
}

void note_shares(std::vector<std::string>& notes, const ArmReport& arm, double alpha) {
  std::string at;
  for (const ShareReport& share : arm.shares)
    if (share.diff)
      at += fmt::format("{}× {}: {}", at.empty() ? "" : ", ", share.share,
                        estimate_text(*share.diff, alpha));
  if (!at.empty()) notes.push_back(fmt::format("{} at shares of the budget: {}", arm.name, at));
  if (arm.trend) {
    const Interval ci = t_interval(*arm.trend, alpha);
    notes.push_back(
        fmt::format("{}: the difference changes by {} nats per doubling of the budget: {}",
                    arm.name, estimate_text(*arm.trend, alpha),
                    ci.hi < 0   ? "it gains with compute"
                    : ci.lo > 0 ? "it loses with compute"
                                : "no clear trend"));
  }
  if (arm.at_equal_seconds)
    notes.push_back(fmt::format("{}: at equal seconds instead of equal FLOPs {}", arm.name,
                                estimate_text(*arm.at_equal_seconds, alpha)));
}

/// "20 to 55 %"
std::string power_text(const EffectPlan& plan) {
  return fmt::format("{:.0f} to {:.0f} %", 100 * plan.power.lo, 100 * plan.power.hi);
}

}  // namespace

base::Lines cell_table(const Report& report, const CellReport& cell, std::size_t width, bool bars) {
  std::vector<Column> columns = columns_of(report, cell, bars);
  while (width > 0 && width_of(columns) > width) {
    const auto least =
        std::max_element(columns.begin(), columns.end(),
                         [](const Column& a, const Column& b) { return a.readily < b.readily; });
    if (least->readily == 0) break;
    columns.erase(least);
  }
  return lines_of(columns);
}

base::Lines brief_table(const Report& report, const CellReport& cell, std::size_t width) {
  std::vector<Column> columns = columns_of(report, cell, false);
  const auto has = [&](int readily) {
    return std::any_of(columns.begin(), columns.end(),
                       [&](const Column& c) { return c.readily == readily; });
  };
  const int sixth = has(kWorth) ? kWorth : has(kChosen) ? kChosen : kStepTime;
  std::erase_if(columns, [&](const Column& c) {
    return c.readily != kNever && c.readily != kInterval && c.readily != sixth;
  });
  const auto cut = [](Column& column, std::string_view from) {
    for (std::string& field : column.fields) field.resize(std::min(field.find(from), field.size()));
  };
  for (Column& column : columns)
    if (column.readily == kStepTime) cut(column, " [");
  const auto drop = [&](auto which) {
    if (width > 0 && width_of(columns) > width) std::erase_if(columns, which);
  };
  const auto is_loss = [](const Column& c) { return c.head.ends_with(" loss"); };
  drop([&](const Column& c) { return c.readily == sixth; });
  if (width > 0 && width_of(columns) > width)
    for (Column& column : columns)
      if (is_loss(column)) cut(column, " ±");
  drop(is_loss);
  drop([](const Column& c) { return c.readily == kInterval; });
  return lines_of(columns);
}

std::vector<std::string> cell_notes(const Report& report, const CellReport& cell) {
  std::vector<std::string> notes;
  for (const ArmReport& arm : cell.arms) {
    std::string lost;
    const auto add = [&](int count, const char* what) {
      if (count > 0) lost += fmt::format("{}{} {}", lost.empty() ? "" : ", ", count, what);
    };
    add(arm.diverged, "diverged");
    add(arm.untrained, "learned nothing (training loss above its first value or a uniform guess)");
    add(arm.failed, "failed");
    add(static_cast<int>(arm.missing.size()), "still to come");
    if (!lost.empty()) notes.push_back(fmt::format("{}: runs lost: {}", arm.name, lost));
    if (const std::size_t n = arm.broken_curves.size(); n > 0)
      notes.push_back(fmt::format("{}: {} left out of the pictures: {}", arm.name,
                                  n == 1 ? "a curve is" : fmt::format("{} curves are", n),
                                  arm.broken_curves.front()));
    note_tuning(notes, arm);
    note_patience(notes, arm);
    const auto uniform = spread(arm, "uniform_loss").mean, val = spread(arm, "val_loss").mean;
    if (uniform && val && *val > *uniform)
      notes.push_back(
          fmt::format("{}: overfitted, its validation loss {} is above a uniform guess of {}: {}",
                      arm.name, loss_text(val), loss_text(uniform),
                      &arm == cell.arms.data() ? "nobody would use such a baseline"
                                               : "stop earlier or regularize more"));
    if (arm.versus) {
      const Verdict& v = *arm.versus;
      if (v.verdict == Outcome::kWithheld)
        notes.push_back(fmt::format("{}: withheld: lost {} of the pairs", arm.name,
                                    v.diverged + v.failed + v.untrained));
      if (v.verdict == Outcome::kNoDifference)
        notes.push_back(fmt::format("{}: {}within ±{} nats", arm.name,
                                    v.negligible ? "negligible, the whole interval " : "",
                                    loss_text(v.margin)));
      if (v.verdict == Outcome::kCannotTell && v.n < report.rules.min_seeds)
        notes.push_back(fmt::format("{}: {} too few to tell: {} are needed (--seeds {})", arm.name,
                                    v.n == 1 ? "1 seed is" : fmt::format("{} seeds are", v.n),
                                    report.rules.min_seeds, report.rules.min_seeds));
      if (v.plan && v.more_seeds) {
        const bool text_limits = v.se_windows && v.se_seeds && *v.se_windows > *v.se_seeds;
        notes.push_back(fmt::format(
            "{}: detecting an effect half this size, or showing that there is none, takes {} more "
            "seed{} (power now: {} for the margin, {} for half){}",
            arm.name, to_string(*v.more_seeds), to_string(*v.more_seeds) == "1" ? "" : "s",
            power_text(v.plan->margin), power_text(v.plan->half),
            text_limits
                ? "; most of the uncertainty is in the test text, so a longer one helps more"
                : ""));
      }
      if (v.p_signs)
        notes.push_back(fmt::format(
            "{}: t test p {}, sign flips p {}{}", arm.name, p_text(v.p), p_text(v.p_signs),
            v.se_windows ? fmt::format("; standard error {:.4f} over seeds, {:.4f} "
                                       "over the text's {} windows",
                                       *v.se_seeds, *v.se_windows, v.windows)
                         : ""));
    }
    note_shares(notes, arm, report.rules.alpha);
  }
  return notes;
}

std::string interval_bar(double low, double at, double high, double margin, double reach,
                         std::size_t width) {
  const auto place = [&](double x) {
    const double t = (x / reach + 1) / 2 * static_cast<double>(width - 1);
    return static_cast<std::size_t>(std::clamp(std::lround(t), 0L, static_cast<long>(width) - 1));
  };
  std::vector<std::string> cells(width, " ");
  for (std::size_t i = place(-margin); margin > 0 && i <= place(margin); ++i) cells[i] = "·";
  cells[place(0)] = "┊";
  for (std::size_t i = place(low); i <= place(high); ++i) cells[i] = "─";
  cells[place(low)] = "├";
  cells[place(high)] = "┤";
  cells[place(at)] = "●";
  std::string out;
  for (const std::string& c : cells) out += c;
  return out;
}

}  // namespace lab
