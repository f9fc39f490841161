#include "lab/report/report.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/parallel.h"
#include "lab/runs/make.h"

namespace lab {
namespace {

/// The records of an arm in a cell at a share of the budget, and the seeds that have none.
struct Runs {
  std::vector<RecordPtr> there;
  std::vector<std::uint64_t> missing;

  std::vector<double> values(const Metric& metric) const {
    std::vector<double> out;
    for (const RecordPtr& r : there)
      if (const auto v = r->ok() ? r->value(metric) : std::nullopt) out.push_back(*v);
    return out;
  }
  int count(Status status) const {
    return static_cast<int>(std::count_if(there.begin(), there.end(),
                                          [&](const RecordPtr& r) { return r->status == status; }));
  }
};

Runs runs_at(const StudyRuns& runs, std::size_t cell, std::size_t arm, std::size_t share) {
  Runs out;
  for (const Point& p : runs.points()) {
    if (p.cell != cell || p.arm != arm || p.share != share) continue;
    if (RecordPtr record = runs.record(p))
      out.there.push_back(std::move(record));
    else
      out.missing.push_back(p.seed);
  }
  return out;
}

/// The metric that verdicts are on: of the test split, or where there is none of what was also
/// chosen on.
std::string judged_metric(const StudyRuns& runs) {
  return runs.task(0).exam(settings_at(runs.study(), {}), train::Split::kTest) ? "test_loss"
                                                                               : "val_loss";
}

/// Text that is next to each other is alike: windows are joined until they hold this many tokens,
/// as long as enough are left to tell how they vary.
constexpr std::int64_t kTokensTogether = 1024;
constexpr std::size_t kFewestWindows = 16;

std::vector<double> joined(const std::vector<float>& windows, std::int64_t block_size) {
  auto together = static_cast<std::size_t>(
      std::max<std::int64_t>(1, kTokensTogether / std::max<std::int64_t>(1, block_size)));
  while (together > 1 && windows.size() / together < kFewestWindows) --together;
  std::vector<double> out;
  // The last, shorter window and what does not fill a joint one are in the mean alone.
  for (std::size_t i = 0; i + together <= windows.size(); i += together) {
    double sum = 0;
    for (std::size_t k = 0; k < together; ++k) sum += static_cast<double>(windows[i + k]);
    out.push_back(sum / static_cast<double>(together));
  }
  return out;
}

struct Judged {
  std::string metric;
  bool own_exams = false;
  std::int64_t block_size = 1;
  const std::vector<float>& windows(const RunRecord& r) const {
    return metric == "test_loss" ? r.test_windows : r.val_windows;
  }
};

PairedCell pair_up(const Runs& first, const Runs& arm, bool is_first, const Judged& judged) {
  PairedCell pairs;
  pairs.first = is_first;
  std::map<std::uint64_t, const RunRecord*> firsts;
  for (const RecordPtr& b : first.there) firsts.emplace(b->seed, b.get());
  for (const RecordPtr& a : arm.there)
    if (const auto found = firsts.find(a->seed); found != firsts.end()) {
      const RunRecord* b = found->second;
      const auto either = [&](Status s) { return a->status == s || b->status == s; };
      const auto mine = a->value(judged.metric), theirs = b->value(judged.metric);
      if (either(Status::kDiverged)) {
        ++pairs.diverged;
      } else if (either(Status::kUntrained)) {
        ++pairs.untrained;
      } else if (!a->ok() || !b->ok()) {
        ++pairs.failed;
      } else if (mine && theirs) {
        pairs.arm_loss.push_back(*mine);
        pairs.baseline.push_back(*theirs);
        if (judged.own_exams) continue;
        const auto x = joined(judged.windows(*a), judged.block_size);
        const auto y = joined(judged.windows(*b), judged.block_size);
        for (std::size_t w = 0; w < std::min(x.size(), y.size()); ++w)
          pairs.windows.push_back(x[w] - y[w]);
      }
    }
  // A record that was written by hand may have others, or none.
  if (pairs.arm_loss.size() < 2 || pairs.windows.size() % pairs.arm_loss.size() != 0)
    pairs.windows.clear();
  return pairs;
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

/// A log that cannot be read costs its curve and nothing else.
void add_curves(ArmReport& arm, const Store& store) {
  std::vector<RunCurve> all(arm.runs.size());
  std::vector<std::string> why(arm.runs.size());
  base::for_each_at_once(arm.runs.size(), [&](std::size_t i) {
    try {
      all[i] = {arm.runs[i]->seed, curve_of(store, *arm.runs[i])};
    } catch (const base::Error& e) {
      why[i] = e.what();
    }
  });
  std::erase_if(all, [](const RunCurve& curve) { return curve.points.empty(); });
  std::erase_if(why, [](const std::string& error) { return error.empty(); });
  arm.curves = std::move(all);
  arm.broken_curves = std::move(why);
}

ArmReport describe(const StudyRuns& runs, std::size_t cell, std::size_t arm, const Runs& at,
                   bool curves) {
  ArmReport out;
  out.name = runs.study().arms[arm].name;
  out.set = runs.study().arms[arm].set;
  out.budget = train::run_budget(settings_at(runs.study(), {cell, arm, 0, 0})).to_string();
  out.runs = at.there;
  if (curves) add_curves(out, runs.store());
  out.missing = at.missing;
  out.diverged = at.count(Status::kDiverged);
  out.failed = at.count(Status::kFailed);
  out.untrained = at.count(Status::kUntrained);
  for (const Tuned& tuned : runs.study().tuned)
    if (tuned.cell == cell && tuned.arm == arm) out.tuned = tuned;
  for (const Metric& m : metrics()) {
    const std::vector<double> values = at.values(m);
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
                   const std::string& folder, bool curves) {
  const Study& study = runs.study();
  Report report;
  report.final = runs.missing().empty();
  report.budget = train::run_budget(study.base).to_string();
  report.data = runs.task(0).describe(settings_at(study, {}));
  report.rules.margin = study.margin.value_or(0);
  report.own_margin = study.margin.has_value();
  report.rules.min_seeds = study.min_seeds;
  report.rules.looks = looks;
  report.judged = judged_metric(runs);
  report.own_exams = runs.task(0).own_exams();
  if (!study.tuned.empty()) report.tuning_seeds = study.tuning_seeds;
  report.seeds = study.seeds;
  report.folder = folder;
  report.store = runs.store().root().string();
  report.study = fingerprint(runs.identity());
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
    out.shares = losses_by_share(runs, cell, report.judged);
    const Runs first = runs_at(runs, cell, 0, 0);
    const Judged judged{report.judged, report.own_exams,
                        settings_at(study, {cell, 0, 0, 0}).block_size};
    const auto margin = study.margin ? study.margin : sd(first.values(metric(report.judged)));
    out.margin = margin.value_or(0);
    for (std::size_t arm = 0; arm < study.arms.size(); ++arm) {
      const Runs at = runs_at(runs, cell, arm, 0);
      ArmReport& mine = out.arms.emplace_back(describe(runs, cell, arm, at, curves));
      if (cell < speeds.size()) mine.speed = speeds[cell][arm];
      add_shares(mine, runs, cell, arm, report.judged);
      table.push_back(pair_up(first, at, arm == 0, judged));
      table.back().margin = margin;
    }
  }
  for (const Point& point : runs.points())
    if (const RecordPtr record = runs.record(point)) note_origin(report, *record);
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

std::size_t family_of(const Report& report) {
  std::size_t arms = 0;
  for (const CellReport& cell : report.cells) arms += cell.arms.size() - 1;
  return arms;
}

}  // namespace lab
