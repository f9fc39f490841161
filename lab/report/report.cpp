#include "lab/report/report.h"

#include <algorithm>
#include <cmath>

#include "lab/runs/make.h"

namespace lab {
namespace {

/// The records of an arm in a cell at a share of the budget, and the seeds that have none.
struct Runs {
  std::vector<const RunRecord*> there;
  std::vector<std::uint64_t> missing;

  std::vector<double> values(std::string_view metric) const {
    std::vector<double> out;
    for (const RunRecord* r : there)
      if (const auto v = r->ok() ? r->value(metric) : std::nullopt) out.push_back(*v);
    return out;
  }
  int count(Status status) const {
    return static_cast<int>(std::count_if(there.begin(), there.end(),
                                          [&](const RunRecord* r) { return r->status == status; }));
  }
};

Runs runs_at(const StudyRuns& runs, std::size_t cell, std::size_t arm, std::size_t share) {
  Runs out;
  for (const Point& p : runs.points()) {
    if (p.cell != cell || p.arm != arm || p.share != share) continue;
    if (const RunRecord* record = runs.record(p))
      out.there.push_back(record);
    else
      out.missing.push_back(p.seed);
  }
  return out;
}

PairedCell pair_up(const Runs& first, const Runs& arm, bool is_first) {
  PairedCell pairs;
  pairs.first = is_first;
  for (const RunRecord* a : arm.there)
    for (const RunRecord* b : first.there) {
      if (a->seed != b->seed) continue;
      const auto mine = a->value("val_loss"), theirs = b->value("val_loss");
      if (a->status == Status::kDiverged || b->status == Status::kDiverged)
        ++pairs.diverged;
      else if (!a->ok() || !b->ok())
        ++pairs.failed;
      else if (mine && theirs) {
        pairs.arm_loss.push_back(*mine);
        pairs.baseline.push_back(*theirs);
      }
    }
  return pairs;
}

std::optional<ComputeEquivalent> equivalent(const StudyRuns& runs, std::size_t cell,
                                            const Runs& arm) {
  const std::vector<Level>& shares = runs.study().shares;
  if (shares.size() < 2 || arm.count(Status::kDiverged) > 0) return {};
  std::vector<BudgetLoss> curve;
  for (std::size_t share = 0; share < shares.size(); ++share) {
    const Runs first = runs_at(runs, cell, 0, share);
    if (first.count(Status::kOk) < std::ssize(first.there) || !first.missing.empty()) return {};
    const double size = share == 0 ? 1 : with(train::Settings{}, shares[share]).budget_share;
    if (const auto loss = mean(first.values("val_loss"))) curve.push_back({size, *loss});
  }
  std::sort(curve.begin(), curve.end(),
            [](const BudgetLoss& a, const BudgetLoss& b) { return a.share < b.share; });
  const auto loss = mean(arm.values("val_loss"));
  return loss ? compute_equivalent(curve, *loss) : std::nullopt;
}

/// Nothing where the log is not that of the record: it was lost, or made by another build since.
std::vector<CurvePoint> curve_of(const Store& store, const RunRecord& record) {
  if (!record.ok()) return {};
  std::vector<CurvePoint> points = read_curve(store.folder(record.id) / "metrics.jsonl");
  std::optional<double> lowest;
  for (const CurvePoint& p : points)
    if (p.val_loss && (!lowest || *p.val_loss < *lowest)) lowest = p.val_loss;
  if (lowest != record.value("best_val_loss")) points.clear();
  return points;
}

std::vector<ShareLosses> losses_by_share(const StudyRuns& runs, std::size_t cell) {
  const std::vector<Level>& shares = runs.study().shares;
  if (shares.size() < 2) return {};
  std::vector<ShareLosses> out;
  for (std::size_t share = 0; share < shares.size(); ++share) {
    ShareLosses& at = out.emplace_back();
    if (share > 0) at.share = with(train::Settings{}, shares[share]).budget_share;
    for (const RunRecord* r : runs_at(runs, cell, 0, share).there)
      if (const auto loss = r->ok() ? r->value("val_loss") : std::nullopt)
        at.losses[r->seed] = *loss;
  }
  std::sort(out.begin(), out.end(),
            [](const ShareLosses& a, const ShareLosses& b) { return a.share < b.share; });
  return out;
}

ArmReport describe(const StudyRuns& runs, std::size_t cell, std::size_t arm, const Runs& at) {
  ArmReport out;
  out.name = runs.study().arms[arm].name;
  out.set = runs.study().arms[arm].set;
  out.budget = train::run_budget(settings_at(runs.study(), {cell, arm, 0, 0})).to_string();
  for (const RunRecord* r : at.there) {
    out.runs.push_back(*r);
    std::vector<CurvePoint> curve = curve_of(runs.store(), *r);
    if (!curve.empty()) out.curves.push_back({r->seed, std::move(curve)});
  }
  out.missing = at.missing;
  out.diverged = at.count(Status::kDiverged);
  out.failed = at.count(Status::kFailed);
  for (const Metric& m : metrics()) {
    const std::vector<double> values = at.values(m.name);
    out.metrics[std::string(m.name)] = {mean(values), sd(values)};
  }
  return out;
}

void note_origin(Report& report, const RunRecord& record) {
  if (record.status == Status::kFailed) return;  // made by nobody
  if (std::find(report.builds.begin(), report.builds.end(), record.build) == report.builds.end())
    report.builds.push_back(record.build);
  report.machines.insert(record.machine);
}

}  // namespace

Report make_report(const StudyRuns& runs, const Speeds& speeds, int looks,
                   const std::string& folder) {
  const Study& study = runs.study();
  Report report;
  report.final = runs.missing().empty();
  report.budget = train::run_budget(study.base).to_string();
  report.data = runs.task(0).describe(settings_at(study, {}));
  report.rules.margin = study.margin;
  report.rules.looks = looks;
  report.seeds = study.seeds;
  report.folder = folder;
  report.store = runs.store().root().string();
  report.base = study.base;
  std::vector<PairedCell> table;
  for (std::size_t cell = 0; cell < study.cells.size(); ++cell) {
    const Level& level = study.cells[cell];
    CellReport& out = report.cells.emplace_back();
    out.name = level.name;
    out.title = title(study.base, level);
    out.set = level.set;
    out.epochs = level.epochs;
    const std::int64_t unique = with(study.base, level).unique_tokens;
    if (unique > 0) out.unique_tokens = unique;
    out.shares = losses_by_share(runs, cell);
    const Runs first = runs_at(runs, cell, 0, 0);
    for (std::size_t arm = 0; arm < study.arms.size(); ++arm) {
      const Runs at = runs_at(runs, cell, arm, 0);
      ArmReport& mine = out.arms.emplace_back(describe(runs, cell, arm, at));
      mine.equivalent = equivalent(runs, cell, at);
      if (cell < speeds.size()) mine.speed = speeds[cell][arm];
      table.push_back(pair_up(first, at, arm == 0));
    }
  }
  for (const Point& point : runs.points())
    if (const RunRecord* record = runs.record(point)) note_origin(report, *record);
  // A verdict on some of the seeds would be a look that nobody has planned.
  if (!report.final) return report;
  const std::vector<Verdict> verdicts = judge(table, report.rules);
  std::size_t next = 0;
  for (CellReport& cell : report.cells)
    for (ArmReport& arm : cell.arms) {
      const Verdict& v = verdicts[next++];
      if (v.verdict != Outcome::kBaseline) arm.versus = v;
    }
  return report;
}

}  // namespace lab
