#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "lab/report/pages.h"
#include "lab/report/pictures.h"
#include "lab/report/render.h"
#include "lab/runs/survey.h"

namespace lab {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kShortId = 12;

void tell(CurveOfRun& run, const train::Settings& settings) {
  run.task = settings.task;
  run.budget = settings.budget;
  run.seed = std::to_string(settings.seed);
  for (const auto& [name, value] : regime(settings))
    run.regime += fmt::format("{}{}={}", run.regime.empty() ? "" : " ", name, value);
  if (run.regime.empty()) run.regime = "defaults";
}

/// A log that cannot be read costs this curve, not those of other runs.
void read_points(CurveOfRun& run, const fs::path& metrics, base::Whose whose) {
  try {
    run.points = read_curve(metrics, whose);
  } catch (const base::Error& e) {
    run.broken = e.what();
  }
}

CurveOfRun of_folder(const fs::path& folder) {
  CurveOfRun run;
  run.name = folder.lexically_normal().string();
  read_points(run, folder / "metrics.jsonl", base::Whose::kFolder);
  std::error_code code;
  if (fs::exists(folder / "config.json", code))
    tell(run, train::from_json(base::read_json(folder / "config.json"),
                               (folder / "config.json").string()));
  if (fs::exists(folder / "data.json", code)) {
    const Json data = base::read_json(folder / "data.json");
    if (data.is_object() && data.contains("hash") && data["hash"].is_string())
      run.data = data["hash"].get<std::string>();
  }
  return run;
}

CurveOfRun of_store(const Store& store, const std::string& id) {
  const SurveyedRun found = find_run(store, id);
  CurveOfRun run;
  run.name = found.id.substr(0, kShortId);
  fs::path metrics = store.folder(found.id) / "metrics.jsonl";
  if (found.state == RunState::kMade || !found.record)
    for (const fs::path& path : found.temporaries)
      if (path.filename().string().starts_with("metrics.jsonl.")) metrics = path;
  read_points(run, metrics, base::Whose::kRun);
  if (found.spec) {
    tell(run, found.spec->settings);
    run.data = found.spec->data;
  }
  return run;
}

std::string loss_text(const std::optional<double>& x) { return x ? base::decimals(*x, 4) : "–"; }

std::vector<std::string> table_row(const CurveOfRun& run) {
  std::optional<double> train, val, best;
  for (const CurvePoint& p : run.points) {
    if (p.train_loss) train = p.train_loss;
    if (p.val_loss) val = p.val_loss;
    if (p.val_loss) best = std::min(*p.val_loss, best.value_or(*p.val_loss));
  }
  return {run.name,
          run.task.empty() ? "–" : run.task,
          run.seed.empty() ? "–" : run.seed,
          run.budget.empty() ? "–" : budget_words(run.budget),
          fmt::format("{:.0f}", run.points.back().step),
          loss_text(train),
          loss_text(val),
          loss_text(best),
          run.regime.empty() ? "–" : run.regime};
}

Picture picture(const std::vector<CurveOfRun>& runs, bool compute) {
  double most = 0;
  for (const CurveOfRun& run : runs) most = std::max(most, run.points.back().flops);
  const FlopUnit unit = flop_unit(most);
  Picture p;
  p.id = compute ? "compute" : "steps";
  p.title = compute ? "Loss against compute" : "Loss against steps";
  p.caption =
      "Solid: validation loss, regularizers off. Dashed: training loss, regularizers on, averaged "
      "since the last evaluation.";
  p.at.label = compute ? fmt::format("compute spent ({})", unit.name) : "steps";
  p.value.label = "loss (nats per token)";
  p.value.trim = true;
  for (std::size_t i = 0; i < runs.size(); ++i)
    for (const bool train : {false, true}) {
      Series s{runs[i].name + (train ? ", training" : ", validation"), Drawn::kLine,
               static_cast<int>(i), train};
      for (const CurvePoint& point : runs[i].points)
        if (const auto& loss = train ? point.train_loss : point.val_loss)
          s.marks.push_back({compute ? point.flops / unit.size : point.step, loss});
      if (!s.marks.empty()) p.series.push_back(std::move(s));
    }
  return p;
}

}  // namespace

CurveOfRun curve_of_run(const std::string& given, const Store& store) {
  std::error_code code;
  const bool folder = fs::is_directory(given, code);
  if (folder && !fs::exists(fs::path(given) / "metrics.jsonl", code))
    throw base::Error(base::quote(given) +
                      ": holds no metrics.jsonl; give a folder that "
                      "'isodrop train --out DIR' wrote, or the id of a run in the store");
  base::require(folder || given.find('/') == given.npos, base::quote(given),
                ": no such folder; give one that 'isodrop train --out DIR' wrote, or the id of a "
                "run in the store");
  CurveOfRun run = folder ? of_folder(given) : of_store(store, given);
  base::require(!run.points.empty() || !run.broken.empty(), base::quote(given),
                ": has reported nothing yet; wait for its first evaluation");
  return run;
}

Page curves_page(const std::vector<CurveOfRun>& runs) {
  Page page;
  page.title = "isodrop report";
  page.answer = fmt::format("Learning curves of {}.", base::counted(runs.size(), "run"));
  std::set<std::string> tasks, data;
  for (const CurveOfRun& run : runs) tasks.insert(run.task), data.insert(run.data);
  if (tasks.size() > 1 || data.size() > 1 || data.contains(""))
    page.facts.push_back(
        data.contains("") && runs.size() > 1
            ? "The data of some runs are not known: their losses may not be comparable."
        : tasks.size() > 1 ? "These runs have different tasks: their losses cannot be compared."
        : data.size() > 1
            ? "These runs use different data (or, on the built-in corpus, different seeds): "
              "compare their losses with care."
            : "The data of this run are not known.");
  PageSection section{"Runs",
                      {{"run", "task", "seed", "budget", "steps", "training loss",
                        "validation loss", "lowest validation loss", "settings"}}};
  for (const CurveOfRun& run : runs) section.table.push_back(table_row(run));
  section.pictures = {picture(runs, false), picture(runs, true)};
  page.sections.push_back(std::move(section));
  page.footnotes = {
      "Losses are in nats per token. These are single runs, so there is no verdict: 'isodrop "
      "compare' tells differences from chance."};
  return page;
}

}  // namespace lab
