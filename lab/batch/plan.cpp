#include "lab/batch/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "lab/batch/batch_system.h"
#include "lab/runs/make.h"
#include "lab/runs/processes.h"

namespace lab {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMostNamed = 10;  // of the missing runs, in text

fs::path full_path(const fs::path& path) { return fs::absolute(path).lexically_normal(); }

/// Named after its lines, so that a job in a queue finds the list it was submitted with.
std::string list_name(const std::vector<std::string>& lines) {
  return "specs-" + fingerprint(lines).substr(0, 12) + ".txt";
}

void write_script(const Session& session, const PlanOptions& options, const BatchSystem& system,
                  const std::vector<std::string>& specs) {
  const StudyRuns& runs = session.next();
  base::require(
      train::run_budget(runs.study().base).fixed_steps(), "--engine ", options.system,
      " with a budget in seconds: such runs depend on the machine they run on; give the budget in "
      "flops, tokens, steps or epochs");
  BatchWork work;
  std::error_code code;
  work.program = fs::read_symlink(this_program(), code).string();
  base::require(!code, "cannot find the program isodrop: ", code.message());
  work.folder = full_path(options.folder);
  work.store = full_path(session.options().store);
  if (session.options().other_builds) work.flags += " --other-builds";
  if (runs.needs_weights()) work.flags += " --keep-weights";
  work.runs = std::ssize(specs);
  add_needs(work,
            dry_run(session.judged(), planned_jobs(runs, session.options()), session.search()));
  std::string text;
  for (const std::string& spec : specs) text += spec + "\n";
  work.list = list_name(specs);
  base::write_atomically(options.folder / work.list, text);
  base::write_atomically(options.folder / system.file, system.script(work));
}

}  // namespace

PlanWritten write_plan(const Session& session, const PlanOptions& options) {
  const StudyRuns& runs = session.next();
  base::make_folder(options.folder);
  PlanWritten written{.tuning = session.tuning(), .runs = runs.count()};
  std::vector<std::string> specs;
  for (const Point& point : runs.missing()) {
    const std::string& id = runs.id(point);
    specs.push_back(id + ".json");
    base::write_json(options.folder / specs.back(), to_json(runs.spec(id)));
  }
  written.specs = specs.size();
  if (options.system.empty() || specs.empty()) return written;
  const BatchSystem& system = batch_system(options.system);
  write_script(session, options, system, specs);
  written.start = system.start;
  written.script = options.folder / system.file;
  return written;
}

MissingRuns missing_runs(const Session& session) {
  const StudyRuns& runs = session.next();
  MissingRuns out{.runs = runs.count(), .tuning = session.tuning()};
  for (const Point& point : runs.missing()) {
    const std::string& id = runs.id(point);
    out.missing.emplace_back(id, runs.label(point));
    if (const auto record = runs.store().find(id); record && !usable(*record, false))
      ++out.other_builds[to_string(record->build)];
  }
  return out;
}

Json to_json(const MissingRuns& m) {
  Json json = {{"runs", m.runs},
               {"tuning", m.tuning},
               {"missing", Json::array()},
               {"other_builds", Json::object()}};
  for (const auto& [id, label] : m.missing)
    json["missing"].push_back({{"id", id}, {"label", label}});
  for (const auto& [build, count] : m.other_builds) json["other_builds"][build] = count;
  return json;
}

std::string render_text(const MissingRuns& m) {
  std::string out =
      fmt::format("{} of {} {} done, {} missing\n", m.runs - m.missing.size(),
                  base::counted(m.runs, m.tuning ? "tuning run" : "run"),
                  base::are(m.runs == 1 ? 1 : m.runs - m.missing.size()), m.missing.size());
  for (std::size_t i = 0; i < std::min(kMostNamed, m.missing.size()); ++i)
    out += fmt::format("  {}  {}\n", m.missing[i].first, m.missing[i].second);
  if (m.missing.size() > kMostNamed)
    out += fmt::format("  and {} more\n", m.missing.size() - kMostNamed);
  for (const auto& [build, count] : m.other_builds)
    out += fmt::format(
        "{} of the missing runs {} there from another build ({}); --other-builds "
        "takes them\n",
        count, base::are(static_cast<std::uint64_t>(count)), build);
  return out + fmt::format(
                   "Next: --plan DIR writes the missing runs as specs, and with --engine "
                   "a script{}\n",
                   m.tuning ? "; the judged runs come after the tuning" : "");
}

}  // namespace lab
