// The table of a cell, and what its columns are.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "lab/report/render.h"
#include "train/config/budget.h"

namespace lab {
namespace {

constexpr std::size_t kBar = 17;  // characters of an interval bar

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

constexpr std::size_t kBriefColumns = 6;

/// A column: what it says of each arm, and how readily it is left out (0: never).
struct Column {
  std::string head;
  int readily;
  std::vector<std::string> fields;
};

/// A column: its heading, how a page spells it, and what it is in one line.
struct ColumnWords {
  std::string_view head, spelled, what;
};
constexpr ColumnWords kColumns[] = {
    {"chosen", "chosen", "the settings that tuning chose"},
    {"test loss", "test loss", "mean ± standard deviation over seeds, in nats per token"},
    {"val loss", "validation loss", "mean ± standard deviation over seeds, in nats per token"},
    {"val", "validation loss", "mean over seeds, at the end of training"},
    {"best*", "lowest validation loss", "during training; picked afterwards, so it is optimistic"},
    {"train", "training loss", "on a fixed part of the training data at the end, regularizers off"},
    {"gap", "validation − training", "the loss on new data minus that on training data"},
    {"budget", "budget", "the most that a run of the arm may train"},
    {"epochs", "epochs", "passes over the training data"},
    {"excess (window)", "above best possible (with this context)",
     "loss minus the lowest possible one, and minus the lowest with this context"},
    {"excess", "above best possible", "loss minus the lowest possible one"},
    {"difference", "difference", "loss of the arm minus loss of the first arm; below 0 is better"},
    {"interval", "interval", "of the difference"},
    {"p (Holm)", "p (Holm)", "of the difference, corrected for all arms of all tables"},
    {"step time", "step time", "relative to the first arm, measured in turns, with quartiles"},
    {"worth", "worth in compute",
     "the share of its budget with which the first arm is as good as this arm"}};

/// "97.5 % interval" is an "interval".
std::string_view kind_of(std::string_view head) {
  return head.ends_with(" interval") ? "interval" : head;
}

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
  add("arm", 0, [](const ArmReport& a) { return a.name; });
  add(
      "chosen", 4, [](const ArmReport& a) { return a.tuned ? to_text(a.tuned->set()) : "–"; },
      any([](const ArmReport& a) { return a.tuned.has_value(); }));
  add(test ? "test loss" : "val loss", 0,
      [&](const ArmReport& a) { return mean_sd_of(a, report.judged); });
  add("val", 8, mean("val_loss"), test);
  add("best*", 9, mean("best_val_loss"));
  add("train", 6, mean("train_loss"));
  add("gap", 10, mean("gap"));
  add(
      "budget", 7, [](const ArmReport& a) { return budget_words(a.budget); },
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
  add("difference", 0,
      [](const ArmReport& a) { return loss_text(a.versus ? a.versus->diff : std::nullopt, true); });
  add(fmt::format("{:.6g} % interval", 100 * ci_level(report.rules, family_of(report))), 5,
      [](const ArmReport& a) {
        return a.versus && a.versus->ci ? fmt::format("[{}, {}]", loss_text(a.versus->ci->lo, true),
                                                      loss_text(a.versus->ci->hi, true))
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
  add("step time", 13, [&](const ArmReport& a) {
    if (!a.speed) return std::string("–");
    if (&a == &first) return std::string("×1");
    return fmt::format("×{:.3f} [{:.3f}, {:.3f}]", a.speed->step_time_ratio, a.speed->ratio_low,
                       a.speed->ratio_high);
  });
  add("worth", 1, worth_text, any([](const ArmReport& a) { return a.equivalent.has_value(); }));
  add("verdict", 0,
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

/// ", 97.5 % each and 95 % for all 2 at once (Bonferroni); …": what they cover.
std::string interval_note(const Report& r) {
  const std::size_t family = family_of(r);
  std::string text;
  if (family > 1)
    text = fmt::format(", each at {:.6g} % so that all {} together hold at {:.6g} % (Bonferroni)",
                       100 * ci_level(r.rules, family), family, 100 * ci_level(r.rules));
  bool tested = false, windows = false;
  for (const CellReport& cell : r.cells)
    for (const ArmReport& arm : cell.arms)
      if (arm.versus && arm.versus->ci) {
        tested = true;
        windows = windows || arm.versus->se_windows;
      }
  if (!tested) return text;
  return text + (r.own_exams ? "; t over seeds, and each seed has its own held-out text"
                 : windows
                     ? "; t over seeds crossed with windows of the text they share"
                     : "; t over seeds, which share one text: it says nothing about other text");
}

}  // namespace

std::string budget_words(const std::string& budget) {
  using Kind = train::Budget::Kind;
  const train::Budget b = train::Budget::parse(budget);
  const auto whole = [&] { return static_cast<std::uint64_t>(b.amount); };
  switch (b.kind) {
    case Kind::kFlops:
      return fmt::format("{:g} FLOP", b.amount);
    case Kind::kTokens:
      return base::grouped(whole()) + (b.amount == 1 ? " token" : " tokens");
    case Kind::kSteps:
      return base::counted(whole(), "step");
    case Kind::kEpochs:
      return fmt::format("{:g} epoch{}", b.amount, b.amount == 1 ? "" : "s");
    case Kind::kSeconds:
      break;
  }
  return fmt::format("{:g} s", b.amount);
}

const std::string& most_budget(const CellReport& cell) {
  const auto amount = [](const ArmReport& arm) { return train::Budget::parse(arm.budget).amount; };
  return std::max_element(
             cell.arms.begin(), cell.arms.end(),
             [&](const ArmReport& a, const ArmReport& b) { return amount(a) < amount(b); })
      ->budget;
}

bool only_tuning_stops(const Report& report) {
  for (const CellReport& cell : report.cells)
    for (const ArmReport& arm : cell.arms)
      if (arm.budget != most_budget(cell) && !arm.tuned) return false;
  return true;
}

std::string loss_text(const std::optional<double>& x, bool sign) {
  return x ? base::decimals(*x, 4, sign) : "–";
}

std::string p_text(const std::optional<double>& p) {
  return p && *p < 0.0001 ? "<0.0001" : loss_text(p);
}

const Spread& spread(const ArmReport& arm, std::string_view name) {
  return arm.metrics.find(name)->second;
}

base::Lines cell_table(const Report& report, const CellReport& cell, const TableSize& size) {
  std::vector<Column> columns = columns_of(report, cell, size.bars);
  if (size.brief)  // without the interval nobody can judge a difference
    for (Column& column : columns)
      if (kind_of(column.head) == "interval") column.readily = 0;
  while ((size.width > 0 && width_of(columns) > size.width) ||
         (size.brief && columns.size() > kBriefColumns)) {
    const auto least =
        std::max_element(columns.begin(), columns.end(),
                         [](const Column& a, const Column& b) { return a.readily < b.readily; });
    if (least->readily == 0) break;
    columns.erase(least);
  }
  // On a narrow terminal the interval stays beside its verdict: the loss goes, its spread first.
  const auto loss = std::find_if(columns.begin(), columns.end(),
                                 [](const Column& c) { return c.head.ends_with(" loss"); });
  if (size.brief && loss != columns.end() && size.width > 0 && width_of(columns) > size.width) {
    for (std::string& field : loss->fields) field.resize(std::min(field.find(" ±"), field.size()));
    if (width_of(columns) > size.width) columns.erase(loss);
  }
  base::Lines lines(1 + cell.arms.size());
  for (const Column& column : columns) {
    lines[0].push_back(column.head);
    for (std::size_t i = 0; i < column.fields.size(); ++i) lines[i + 1].push_back(column.fields[i]);
  }
  return lines;
}

std::vector<std::string> column_notes(const Report& report, const std::vector<std::string>& heads) {
  const std::string_view other = report.judged == "test_loss" ? "val loss" : "val";
  std::vector<std::string> notes;
  for (const ColumnWords& column : kColumns)
    for (const std::string& head : heads) {
      const std::string_view kind = kind_of(head);
      if (column.head == other || (kind != column.head && kind != column.spelled)) continue;
      const bool short_form = kind == column.head && column.spelled != column.head;
      notes.push_back(fmt::format("{}: {}{}{}.", head,
                                  short_form ? std::string(column.spelled) + ", " : "", column.what,
                                  kind == "interval" ? interval_note(report) : ""));
      break;
    }
  return notes;
}

std::string spelled_out(const std::string& head) {
  for (const ColumnWords& column : kColumns)
    if (column.head == head) return std::string(column.spelled);
  return head;
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
