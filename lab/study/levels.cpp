#include "lab/study/levels.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "train/tasks/task.h"

namespace lab {
namespace {

using train::Budget;
using train::Settings;

/// Widths of about 50 to 90 % that the heads divide.
std::string smaller(const train::Settings& base) {
  std::set<std::int64_t> widths;
  for (const double share : {0.5, 0.6, 0.7, 0.8, 0.9}) {
    const auto heads = static_cast<double>(base.n_embd) * share / static_cast<double>(base.n_head);
    const auto width = static_cast<std::int64_t>(heads + 0.5) * base.n_head;
    if (width > 0 && width < base.n_embd) widths.insert(width);
  }
  base::require(!widths.empty(), "arm 'smaller': no width below n_embd=", base.n_embd,
                " that n_head=", base.n_head, " divides; use fewer heads");
  return fmt::format("none,n_embd={}", fmt::join(widths, "|"));
}

constexpr Rival kRivals[] = {
    {"none", "no regularizer, the whole budget", "none"},
    {"early_stop", "no regularizer, the best share of the budget",
     "none,budget_share=0.0625|0.125|0.25|0.5|1"},
    // The usual decay is 0.1; on repeated data the best is about 30 times that (Kim et al. 2025,
    // arXiv:2509.14786).
    {"weight_decay", "the best decay, from the usual 0.1 to 100 times that",
     "none,weight_decay=0.1|0.3|1|3|10"},
    {"smaller", "a narrower model on the same budget", ""},
    {"dropout", "the best rate", "dropout=0.05|0.1|0.2|0.3|0.4"},
    {"dropout+weight_decay", "the best of both together",
     "dropout=0.1|0.2|0.4,weight_decay=0.3|1|3"},
};

Arm named(std::string_view name, const std::string& text, const train::Settings& base) {
  Arm arm = parse_arm(text, base);
  arm.name = std::string(name);
  return arm;
}

std::vector<Level> levels(const std::vector<Arm>& arms) {
  std::vector<Level> out;
  for (const Arm& arm : arms) out.push_back({arm.name, arm.overrides, 0, arm.grid});
  return out;
}

std::vector<Level> levels_of(const Axis& axis, train::Budget::Kind kind) {
  require_of_cells(axis.setting, axis.source);
  std::vector<Level> levels;
  for (const std::string& value : axis.values) {
    levels.push_back(level_of(axis.setting, value, axis.source));
    base::require(std::count_if(levels.begin(), levels.end(),
                                [&](const Level& l) { return l.set == levels.back().set; }) == 1,
                  axis.source, ": ", base::quote(value), " is given twice; give it once");
  }
  for (const Level& level : levels)
    base::require(
        axis.setting != "budget" || train::Budget::parse(level.set[0].second).kind == kind,
        axis.source, ": ", base::quote(level.set[0].second),
        " is another kind of budget than --budget; give both in the same unit");
  base::require(!levels.empty(), axis.source, ": has no value; give some, as in n_embd=64,128");
  return levels;
}

}  // namespace

std::span<const Rival> rivals() { return kRivals; }

std::string Rival::arm(const Settings& base) const {
  return text.empty() ? smaller(base) : std::string(text);
}

std::vector<std::string> rival_names() {
  std::vector<std::string> names;
  for (const Rival& rival : kRivals) names.emplace_back(rival.name);
  return names;
}

std::vector<Level> arm_levels(std::span<const std::string> texts, const train::Settings& base) {
  std::vector<Arm> arms;
  for (const std::string& text : texts) {
    const auto rival = std::find_if(std::begin(kRivals), std::end(kRivals),
                                    [&](const Rival& r) { return r.name == base::trim(text); });
    arms.push_back(rival == std::end(kRivals) ? parse_arm(text, base)
                                              : named(rival->name, rival->arm(base), base));
  }
  require_own_names(arms);
  return levels(arms);
}

std::vector<Level> default_arms(const train::Settings& base) {
  return levels({named("none", "none,budget_share=0.25|0.5|1", base),
                 named("dropout", "dropout=0.05|0.1|0.2", base)});
}

std::vector<Level> product(const std::vector<Level>& a, const std::vector<Level>& b) {
  require_few(static_cast<double>(a.size()) * static_cast<double>(b.size()),
              "cells of all axes together", kMostRuns);
  std::vector<Level> out;
  for (const Level& x : a)
    for (const Level& y : b) {
      Level both{x.name.empty() || y.name.empty() ? x.name + y.name : x.name + "," + y.name, x.set,
                 std::max(x.epochs, y.epochs)};
      for (const auto& item : y.set) {
        base::require(std::none_of(x.set.begin(), x.set.end(),
                                   [&](const auto& i) { return i.first == item.first; }),
                      "two axes set ", item.first, "; give it once");
        both.set.push_back(item);
      }
      out.push_back(std::move(both));
    }
  return out;
}

std::vector<Level> epoch_cells(const Settings& first_arm, const std::vector<Level>& each,
                               const std::vector<std::int64_t>& epochs,
                               const std::function<double(const Settings&)>& flops_per_token) {
  if (epochs.empty()) return each;
  std::vector<Level> cells;
  for (const Level& cell : each) {
    const Settings s = with(first_arm, cell);
    const Budget budget = train::run_budget(s);
    base::require(budget.kind != Budget::Kind::kSeconds && budget.kind != Budget::Kind::kEpochs,
                  "--epochs with --budget ", budget.to_string(),
                  ": the unique data is sized by the tokens of the budget, which ",
                  budget.kind == Budget::Kind::kSeconds ? "seconds" : "epochs",
                  " do not fix; give the budget in flops, tokens or steps");
    const double step = static_cast<double>(s.batch) * static_cast<double>(s.block_size);
    const double flops = budget.kind == Budget::Kind::kFlops ? step * flops_per_token(s) : 0;
    const double tokens = static_cast<double>(budget.steps_for(step, flops, 1)) * step;
    std::vector<Level> levels;
    for (const std::int64_t n : epochs) {
      base::require(std::count(epochs.begin(), epochs.end(), n) == 1, "--epochs ", n,
                    ": given twice");
      const auto unique = static_cast<std::int64_t>(tokens / static_cast<double>(n));
      base::require(unique > s.block_size, "--epochs ", n, ": leaves ", unique,
                    unique == 1 ? " unique token" : " unique tokens", " of a budget of ",
                    static_cast<std::int64_t>(tokens), ", less than one window of ",
                    s.block_size + 1, "; ask for fewer epochs or a larger budget");
      levels.push_back(
          {fmt::format("epochs={}", n), {{"unique_tokens", std::to_string(unique)}}, n});
    }
    for (Level& level : product({cell}, levels)) cells.push_back(std::move(level));
  }
  return cells;
}

std::vector<Level> cells_of(const train::Settings& base, const Level& first_arm,
                            std::vector<Level> cells, const std::vector<Axis>& axes,
                            const std::vector<std::int64_t>& epochs) {
  for (const Axis& axis : axes)
    cells = product(cells, levels_of(axis, train::Budget::parse(base.budget).kind));
  if (epochs.empty()) return cells;
  return epoch_cells(with(base, first_arm), cells, epochs,
                     [task = std::shared_ptr<train::Task>()](const train::Settings& s) mutable {
                       if (!task) task = train::load_task(s);
                       return models::flops_per_token(task->model(s));
                     });
}

std::vector<Level> given_shares(const std::vector<double>& shares, const std::string& source) {
  for (const double share : shares) {
    base::require(share > 0 && share <= 1024, source, ": share ", share,
                  " is not in (0, 1024]; give some, as in 0.25,0.5,1,2");
    base::require(std::count(shares.begin(), shares.end(), share) == 1, source, ": share ", share,
                  " is given twice; give it once");
  }
  std::vector<double> others = shares;
  base::require(std::erase(others, 1.0) == 1 && !others.empty(), source,
                ": 1, the whole budget, and at least one other are needed, as in 0.25,0.5,1,2");
  return share_levels(others);
}

}  // namespace lab
