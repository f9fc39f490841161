#include "lab/report/report.h"

#include <fmt/format.h>

#include <cmath>

#include "lab/runs/environment.h"
#include "lab/stats/equivalent.h"
#include "lab/study/verdict.h"

namespace lab {
namespace {

Json or_null(const std::optional<double>& x) {
  return x && std::isfinite(*x) ? Json(*x) : Json(nullptr);
}

Json interval(const std::optional<Interval>& i) { return i ? Json{i->lo, i->hi} : Json(nullptr); }

Json mean_sd(const std::vector<double>& x) {
  return {{"mean", or_null(mean(x))}, {"sd", or_null(sd(x))}};
}

/// One arm of one cell over the seeds.
struct Column {
  std::vector<const RunRecord*> runs;  // one a seed
  std::vector<double> val, best, train, gap;
  int diverged = 0, failed = 0;
};

Column column(const Comparison& c, std::size_t cell, std::size_t arm, double share) {
  Column col;
  for (std::int64_t s = 0; s < c.spec().seeds; ++s) {
    const auto it = c.store().records.find({cell, arm, c.spec().base.seed + s, share});
    if (it == c.store().records.end()) continue;
    const RunRecord& r = it->second;
    col.runs.push_back(&r);
    col.diverged += r.status == "diverged" ? 1 : 0;
    col.failed += r.status == "failed" ? 1 : 0;
    if (r.status != "ok") continue;
    if (r.val_loss) col.val.push_back(*r.val_loss);
    if (r.best_val_loss) col.best.push_back(*r.best_val_loss);
    if (r.train_loss) col.train.push_back(*r.train_loss);
    if (r.val_loss && r.train_loss) col.gap.push_back(*r.val_loss - *r.train_loss);
  }
  return col;
}

PairedCell pair_up(const Column& first, const Column& arm, std::string cell, std::string name,
                   bool is_first) {
  PairedCell pairs;
  pairs.cell = std::move(cell);
  pairs.arm = std::move(name);
  pairs.first = is_first;
  for (const RunRecord* a : arm.runs) {
    for (const RunRecord* b : first.runs) {
      if (a->seed != b->seed) continue;
      if (a->status == "diverged" || b->status == "diverged")
        ++pairs.diverged;
      else if (a->val_loss && b->val_loss && a->status == "ok" && b->status == "ok") {
        pairs.arm_loss.push_back(*a->val_loss);
        pairs.baseline.push_back(*b->val_loss);
      }
    }
  }
  return pairs;
}

Json seed_range(const std::optional<SeedRange>& range) {
  if (!range) return nullptr;
  return {range->lo ? Json(*range->lo) : Json(nullptr),
          range->hi ? Json(*range->hi) : Json(nullptr)};
}

Json versus(const Verdict& v) {
  if (v.verdict == Outcome::kBaseline) return nullptr;
  return {{"n", v.n},
          {"diff", or_null(v.diff)},
          {"ci95", interval(v.ci95)},
          {"p", or_null(v.p)},
          {"p_holm", or_null(v.p_holm)},
          {"p_equivalent", or_null(v.p_equivalent)},
          {"verdict", to_string(v.verdict)},
          {"more_seeds", seed_range(v.more_seeds)}};
}

Json equivalent(const Comparison& c, std::size_t cell, const Column& arm) {
  if (!c.spec().equivalent) return nullptr;
  const auto loss = mean(arm.val);
  std::vector<BudgetLoss> curve;
  for (const double share : {0.25, 0.5, 1.0, 2.0}) {
    const Column first = column(c, cell, 0, share);
    if (first.diverged + first.failed > 0) return nullptr;
    if (const auto m = mean(first.val)) curve.push_back({share, *m});
  }
  if (!loss || arm.diverged > 0) return nullptr;
  const auto e = compute_equivalent(curve, *loss);
  if (!e) return nullptr;
  const char* relation = e->relation == ComputeEquivalent::Relation::kEqual   ? "equal"
                         : e->relation == ComputeEquivalent::Relation::kBelow ? "below"
                                                                              : "above";
  return {
      {"share", e->share}, {"relation", relation}, {"text", to_string(*e)}, {"rises", e->rises}};
}

Json excess(const std::vector<double>& val, const std::optional<double>& bayes) {
  if (!bayes) return nullptr;
  std::vector<double> x;
  for (const double v : val) x.push_back(v - *bayes);
  return mean_sd(x);
}

Json corpus_json(const Comparison& c) {
  const train::Corpus& corpus = c.corpus();
  const auto evaluated =
      c.spec().base.eval_tokens > 0
          ? std::min<std::size_t>(static_cast<std::size_t>(c.spec().base.eval_tokens),
                                  corpus.val.size() - 1)
          : corpus.val.size() - 1;
  return {{"name", corpus.name},
          {"tokenizer", corpus.tokenizer},
          {"vocab", corpus.vocab},
          {"train_tokens", corpus.train.size()},
          {"val_tokens", corpus.val.size()},
          {"val_tokens_evaluated", evaluated},
          {"val_bytes_per_token", corpus.val_bytes_per_token},
          {"hash", fmt::format("{:016x}", corpus.hash)},
          {"bayes_loss", or_null(corpus.bayes_loss)},
          {"bayes_loss_window", or_null(corpus.bayes_loss_window)}};
}

}  // namespace

Json make_report(Comparison& c, const std::vector<ArmSpeed>& speeds) {
  const ComparisonSpec& spec = c.spec();
  std::vector<PairedCell> table;
  std::vector<std::vector<Column>> columns;
  for (std::size_t cell = 0; cell < c.cells().size(); ++cell) {
    std::vector<Column>& row = columns.emplace_back();
    for (std::size_t arm = 0; arm < spec.arms.size(); ++arm) row.push_back(column(c, cell, arm, 1));
    for (std::size_t arm = 0; arm < spec.arms.size(); ++arm)
      table.push_back(
          pair_up(row[0], row[arm], std::to_string(cell), spec.arms[arm].name, arm == 0));
  }
  Rules rules;
  rules.margin = spec.margin;
  rules.looks = c.store().look(spec.seeds);
  const std::vector<Verdict> verdicts = judge(table, rules);

  Json cells = Json::array();
  std::size_t next = 0;
  for (std::size_t cell = 0; cell < c.cells().size(); ++cell) {
    Json arms = Json::array();
    for (std::size_t arm = 0; arm < spec.arms.size(); ++arm) {
      const Column& col = columns[cell][arm];
      Json overrides = Json::object();
      for (const auto& [name, value] : spec.arms[arm].overrides) overrides[name] = value;
      Json runs = Json::array();
      double epochs = 0;
      for (const RunRecord* r : col.runs) {
        runs.push_back(to_json(*r));
        epochs = std::max(epochs, r->epochs);
      }
      arms.push_back({{"name", spec.arms[arm].name},
                      {"overrides", overrides},
                      {"runs", runs},
                      {"val_loss", mean_sd(col.val)},
                      {"best_val_loss", mean_sd(col.best)},
                      {"train_loss", mean_sd(col.train)},
                      {"gap", mean_sd(col.gap)},
                      {"excess", excess(col.val, c.corpus().bayes_loss)},
                      {"excess_window", excess(col.val, c.corpus().bayes_loss_window)},
                      {"diverged", col.diverged},
                      {"failed", col.failed},
                      {"vs_baseline", versus(verdicts[next++])},
                      {"compute_equivalent", equivalent(c, cell, col)},
                      {"tokens_per_second",
                       arm < speeds.size() ? Json(speeds[arm].tokens_per_second) : Json(nullptr)},
                      {"step_time_ratio",
                       arm < speeds.size() ? Json(speeds[arm].step_time_ratio) : Json(nullptr)},
                      {"epochs", epochs}});
    }
    const Cell& where = c.cells()[cell];
    cells.push_back(
        {{"epochs", where.epochs ? Json(*where.epochs) : Json(nullptr)},
         {"unique_tokens", where.unique_tokens ? Json(*where.unique_tokens) : Json(nullptr)},
         {"arms", arms}});
  }
  return {{"schema", kReportSchema},
          {"budget", train::Budget::parse(spec.base.budget).to_string()},
          {"corpus", corpus_json(c)},
          {"environment", environment(spec.base.threads)},
          {"model", train::to_json(spec.base)},
          {"rules",
           {{"margin", rules.margin},
            {"alpha", rules.alpha},
            {"looks", rules.looks},
            {"note", looks_note(rules)}}},
          {"seeds", spec.seeds},
          {"folder", c.store().folder().string()},
          {"cells", cells}};
}

}  // namespace lab
