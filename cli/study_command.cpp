#include "cli/study_command.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/session_view.h"
#include "cli/terminal.h"
#include "isodrop_version.h"
#include "lab/report/pages.h"
#include "lab/report/render.h"
#include "lab/runs/processes.h"
#include "lab/runs/verify.h"

namespace cli {
namespace fs = std::filesystem;
namespace {

int say_planned(const lab::PlanWritten& plan, const StudyOptions& options) {
  fmt::print(
      "{}{} of {} {} missing; the specs are in {}; 'isodrop run SPEC.json' makes one\n",
      plan.tuning ? "Tuning comes first; run the same command again after it for the rest. " : "",
      plan.specs, base::counted(plan.runs, "run"), base::are(plan.runs == 1 ? 1 : plan.specs),
      options.plan.folder.string());
  if (!plan.script.empty())
    fmt::print("To make them: {}{}; then the same command with --collect instead of --plan\n",
               plan.start, base::shell_word(plan.script.string()));
  return 0;
}

int say_missing(const lab::MissingRuns& missing, const StudyOptions& options) {
  fmt::print("{}", options.format == "json" ? base::json_text(lab::to_json(missing))
                                            : lab::render_text(missing));
  return kNoRun;
}

/// Makes the runs, or has others make them. Exit code if that ends the command.
std::optional<int> make_all(lab::Session& session, const StudyOptions& options, SessionView& view) {
  session.choose();
  if (options.submit) {
    lab::submit_all(session, options.plan, view);
  } else if (!options.plan.folder.empty()) {
    return say_planned(lab::write_plan(session, options.plan), options);
  } else if (options.collect) {
    if (session.judged().outdated() > 0)
      view.note(fmt::format(
          "{} in {} by another build: not taken; --other-builds takes what is there",
          base::counted(session.judged().outdated(), "run"), options.session.store.string()));
    if (session.tuning() || !session.next().missing().empty())
      return say_missing(lab::missing_runs(session), options);
  }
  session.tune();
  session.run();
  return {};
}

}  // namespace

int show_dry_run(const lab::DryRun& plan, const std::string& format) {
  fmt::print("{}", format == "json" ? base::json_text(lab::to_json(plan)) : lab::render_text(plan));
  lab::require_fits(plan);
  return 0;
}

void print_page(const fs::path& page, const StudyOptions& options) {
  fmt::print("Report: {}{}\n", page.string(), options.verbose ? "" : " (--verbose shows more)");
}

std::filesystem::path page_path(const std::filesystem::path& folder, const StudyOptions& options) {
  return options.html.empty() ? folder / "report.html" : options.html;
}

void take_up_stores(const StudyOptions& options) {
  for (const std::filesystem::path& from : options.collect_from) {
    const lab::TakenUp all = lab::take_up(lab::Store(options.session.store), from);
    fmt::print(stderr, "isodrop: {}: {} taken, {} {} here already\n", from.string(),
               base::counted(all.taken, "run"), all.there, all.there == 1 ? "was" : "were");
    if (all.other_build > 0)
      fmt::print(stderr, "isodrop: note: {}: {} from another build not taken; what is here stays\n",
                 from.string(), base::counted(all.other_build, "run"));
    for (const std::string& why : all.refused)
      fmt::print(stderr, "isodrop: note: {}: not taken: {}\n", from.string(), base::printable(why));
  }
}

int run_study(lab::Study study, const StudyOptions& options, const Judged& judged) {
  // Signals that mean "stop" are blocked before a thread exists that would take them: a dry run
  // starts threads.
  std::optional<lab::Processes> blocking;
  if (options.submit || options.time_limit) blocking.emplace();
  SessionView view;
  lab::Observers observers;
  observers.add(view);
  lab::Session session(std::move(study), options.session, observers);
  const std::filesystem::path page = page_path(session.folder().path(), options);
  lab::PageWriter writer(page, view);
  observers.add(writer);
  for (const std::string& note : session.notes()) fmt::print(stderr, "isodrop: note: {}\n", note);
  return in_session(view, options.dry, [&] {
    if (options.dry || options.time_limit) {
      const lab::DryRun plan = session.plan();
      const int code = options.dry ? show_dry_run(plan, options.format) : 0;
      if (options.time_limit)
        lab::require_in_time(plan, session.judged().study(), *options.time_limit);
      if (options.dry) return code;
    }
    if (const auto code = make_all(session, options, view)) return *code;
    blocking.reset();
    auto [report, json] = session.report();
    return judged(std::move(report), std::move(json), page);
  });
}

int run_study(lab::Study study, const StudyOptions& options) {
  return run_study(std::move(study), options,
                   [&](const lab::Report& report, const lab::Json&, const auto& page) {
                     // The verdicts first: a page that cannot be written does not cost them.
                     fmt::print("{}", lab::render(report, options.format, color(stdout),
                                                  table_width(stdout), options.verbose));
                     base::write_atomically(page, lab::render_html(report));
                     if (options.format == "text") print_page(page, options);
                     return 0;
                   });
}

fs::path studies_folder() {
  if (const char* given = std::getenv("ISODROP_STUDIES"); given != nullptr && *given != '\0')
    return given;
  std::error_code code;  // what cannot be looked at is not there
  const fs::path program = fs::read_symlink(lab::this_program(), code);
  const fs::path installed = (program.parent_path() / ISODROP_SHARE / "studies").lexically_normal();
  return !code && fs::is_directory(installed, code) ? installed : fs::path(ISODROP_STUDIES);
}

fs::path study_file(const std::string& given) {
  const fs::path path = given;
  std::error_code code;
  if (path.has_parent_path() || fs::exists(path, code)) return path;
  for (const fs::path& folder : {studies_folder(), studies_folder() / "more"})
    for (const std::string& name : {given, given + ".toml"})
      if (fs::is_regular_file(folder / name, code)) return folder / name;
  return path;
}

}  // namespace cli
