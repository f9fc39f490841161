#include "cli/study_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/study_progress.h"
#include "lab/batch/engines.h"
#include "lab/runs/make.h"
#include "lab/runs/processes.h"
#include "lab/runs/take_up.h"

namespace cli {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMostNamed = 10;  // of what is missing

fs::path full_path(const fs::path& path) { return fs::absolute(path).lexically_normal(); }

/// Of a list with these lines: another plan's list has another, so that what is still in a queue
/// finds the one that it was submitted with.
std::string list_name(const std::vector<std::string>& lines) {
  return "specs-" + lab::fingerprint(lines).substr(0, 12) + ".txt";
}

void write_script(const lab::StudyRuns& runs, const StudyOptions& options,
                  const lab::GridSearch* tuning, const std::vector<std::string>& specs) {
  const lab::Engine& engine = lab::engine_of(options.engine);
  base::require(
      train::run_budget(runs.study().base).fixed_steps(), "--engine ", options.engine,
      " with a budget in seconds: such runs belong to the machine that is asked; give the budget "
      "in flops, tokens, steps or epochs");
  const lab::StudyRuns& first = tuning != nullptr ? tuning->runs() : runs;
  lab::EngineWork work;
  std::error_code code;
  work.program = fs::read_symlink(lab::this_program(), code).string();
  base::require(!code, "cannot tell where isodrop is: ", code.message());
  work.folder = full_path(options.plan);
  work.store = full_path(options.store);
  if (options.other_builds) work.flags += " --other-builds";
  if (first.needs_weights()) work.flags += " --keep-weights";
  work.runs = std::ssize(specs);
  lab::add_needs(work, lab::dry_run(runs, planned_jobs(first, options), tuning));
  std::string text;
  for (const std::string& spec : specs) text += spec + "\n";
  work.list = list_name(specs);
  base::write_atomically(options.plan / work.list, text);
  base::write_atomically(options.plan / engine.file, engine.script(work));
}

std::string what_of(bool tuning) { return tuning ? "runs of the tuning" : "runs"; }

}  // namespace

int write_plan(const lab::StudyRuns& judged, const StudyOptions& options,
               const lab::GridSearch* tuning) {
  const lab::StudyRuns& runs = tuning != nullptr ? tuning->runs() : judged;
  base::make_folder(options.plan);
  std::vector<std::string> specs;
  for (const lab::Point& point : runs.missing()) {
    const std::string& id = runs.id(point);
    specs.push_back(id + ".json");
    base::write_json(options.plan / specs.back(), lab::to_json(runs.spec(id)));
  }
  if (!options.engine.empty() && !specs.empty()) write_script(judged, options, tuning, specs);
  if (options.submit) return 0;
  fmt::print(
      "{}{} of {} runs are missing; their specs are in {}; 'isodrop run SPEC.json' makes one\n",
      tuning != nullptr ? "tuning comes first; when it is made, the same command writes the rest. "
                        : "",
      specs.size(), runs.count(), options.plan.string());
  if (!options.engine.empty() && !specs.empty()) {
    const lab::Engine& engine = lab::engine_of(options.engine);
    fmt::print("To make them: {}{}; then the same command with --collect instead of --plan\n",
               engine.start, base::shell_word((options.plan / engine.file).string()));
  }
  return 0;
}

void take_up_stores(const StudyOptions& options) {
  for (const fs::path& from : options.collect_from) {
    const lab::TakenUp all = lab::take_up(lab::Store(options.store), from);
    fmt::print(stderr, "isodrop: {}: {} taken up, {} {} here\n", from.string(),
               base::counted(all.taken, "run"), all.there, all.there == 1 ? "was" : "were");
    if (all.other_build > 0)
      fmt::print(stderr, "isodrop: note: {}: {} by another build not taken: what is here stays\n",
                 from.string(), base::counted(all.other_build, "run"));
    for (const std::string& why : all.refused)
      fmt::print(stderr, "isodrop: note: {}: not taken: {}\n", from.string(), base::printable(why));
  }
}

int say_missing(const lab::StudyRuns& runs, const StudyOptions& options, bool tuning) {
  const std::vector<lab::Point> missing = runs.missing();
  std::map<std::string, std::size_t> builds;  // by which the others were made
  for (const lab::Point& point : missing)
    if (const auto record = runs.store().find(runs.id(point));
        record && !lab::usable(*record, false))
      ++builds[lab::to_string(record->build)];
  if (options.format == "json") {
    lab::Json json = {{"runs", runs.count()},
                      {"tuning", tuning},
                      {"missing", lab::Json::array()},
                      {"other_builds", lab::Json::object()}};
    for (const lab::Point& point : missing)
      json["missing"].push_back({{"id", runs.id(point)}, {"label", runs.label(point)}});
    for (const auto& [build, count] : builds) json["other_builds"][build] = count;
    fmt::print("{}", base::json_text(json));
    return kNoRun;
  }
  fmt::print("{} of {} {} are there, {} are missing\n", runs.count() - missing.size(), runs.count(),
             what_of(tuning), missing.size());
  for (std::size_t i = 0; i < std::min(kMostNamed, missing.size()); ++i)
    fmt::print("  {}  {}\n", runs.id(missing[i]), runs.label(missing[i]));
  if (missing.size() > kMostNamed) fmt::print("  and {} more\n", missing.size() - kMostNamed);
  for (const auto& [build, count] : builds)
    fmt::print("{} of the missing were made by another build ({}); --other-builds takes them\n",
               count, build);
  fmt::print("Next: --plan DIR, with --engine for a script, writes what is missing{}\n",
             tuning ? "; the judged runs come after the tuning" : "");
  return kNoRun;
}

}  // namespace cli
