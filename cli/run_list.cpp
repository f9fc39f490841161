#include <fmt/format.h>

#include <cstdio>

#include "base/error.h"
#include "base/parallel.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/session_view.h"
#include "cli/study_command.h"
#include "cli/terminal.h"
#include "lab/batch/spec_list.h"
#include "lab/runs/executor.h"
#include "lab/runs/make.h"
#include "lab/runs/processes.h"

namespace cli {
namespace {

/// What came of the list.
struct Tally {
  std::size_t runs = 0, were_there = 0, made = 0, diverged = 0, failed = 0;
  std::string failure;  // the first

  void count(const lab::RunRecord& record) {
    if (record.status == lab::Status::kFailed) {
      if (failed++ == 0) failure = fmt::format("run {}: {}", record.id, record.error);
      return;
    }
    if (record.status == lab::Status::kDiverged) ++diverged;
    ++made;
  }
  std::size_t left() const { return runs - were_there - made - failed; }
  int code() const { return failed > 0 ? kNoRun : left() > 0 ? lab::kRunBusy : 0; }
  lab::Json json() const {
    return {{"event", "list"},
            {"runs", runs},
            {"were_there", were_there},
            {"made", made},
            {"diverged", diverged},
            {"failed", failed},
            {"left_to_others", left()},
            {"failure", failure.empty() ? lab::Json(nullptr) : lab::Json(failure)}};
  }
  std::string text() const {
    std::string out = fmt::format("{}: {} made since, {} {} there", base::counted(runs, "run"),
                                  made, were_there, were_there == 1 ? "was" : "were");
    if (diverged > 0) out += fmt::format("; {} of those made diverged", diverged);
    if (left() > 0)
      out += fmt::format("; {} {} being made by others", left(), left() == 1 ? "is" : "are");
    if (failed > 0)
      out += fmt::format("; {} could not be made, the first: {}; the same command makes them again",
                         failed, failure);
    return out;
  }
};

std::string label_of(const lab::ListedSpec& spec) {
  return fmt::format("{} · seed {}", spec.id.substr(0, 12), spec.spec.settings.seed);
}

}  // namespace

int run_list(const Parsed& args) {
  const auto specs = lab::read_spec_list(args.text("list"));
  const auto rank = args.has("part") ? std::nullopt : lab::part_of_environment();
  const lab::Part part =
      args.has("part") ? lab::parse_part(args.text("part"), "--part") : rank.value_or(lab::Part{});
  if (args.has("threads")) base::use_threads(args.integer("threads", 0, 4096));
  lab::Workers workers{lab::this_program(), args.integer("jobs", 1, 4096), base::max_threads()};
  workers.other_builds = args.has("other-builds");
  workers.keep_weights = args.has("keep-weights");
  workers.wait = !args.has("no-wait");
  const lab::Store store(store_path(args));
  const bool json = args.text("format") == "json";

  Tally tally;
  std::vector<lab::RunRequest> requests;
  for (const std::size_t i : lab::places(specs.size(), part, !args.has("part"))) {
    const lab::ListedSpec& spec = specs[i];
    ++tally.runs;
    if (lab::find_made(store, spec.id, {true, workers.other_builds, workers.keep_weights}))
      ++tally.were_there;
    else
      requests.push_back({spec.id, tally.runs, label_of(spec), spec.file});
  }
  ProgressLine line;
  lab::RunEvents events;
  events.note = [&](const std::string& text) { line.note(text); };
  events.done = [&](const lab::RunRecord& record) {
    tally.count(record);
    if (json)
      fmt::print("{}\n", base::json_compact(
                             lab::Json{{"event", "record"}, {"record", lab::to_json(record)}}));
  };
  events.progress = [&](std::span<const lab::LiveRun> running) {
    if (!line.due() || running.empty()) return;
    line.update(fmt::format("{} of {} there · {} · {}", tally.were_there + tally.made,
                            base::counted(tally.runs, "run"), running[0].request.label,
                            progress_text(running[0].progress)));
  };
  try {
    lab::execute(requests, store, workers, events);
  } catch (const lab::Interrupted& e) {
    end_interrupted(e, line, false);
  }
  line.finish();
  if (json)
    fmt::print("{}\n", base::json_compact(tally.json()));
  else
    fmt::print("{}{}\n",
               part.count > 1
                   ? fmt::format("{} {}/{}: ", rank ? "rank" : "part", part.index, part.count)
                   : "",
               tally.text());
  return tally.code();
}

}  // namespace cli
