#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "base/text_table.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "lab/inspect/run_table.h"
#include "lab/runs/metrics.h"

namespace cli {
namespace {

using base::require;
using lab::Json;
using lab::SurveyedRun;

constexpr std::size_t kShortId = 12;

void print_json(const Json& json) { fmt::print("{}", base::json_text(json)); }

/// "COLUMN=TEXT"
std::pair<std::string, std::string> parse_filter(const std::string& text) {
  const std::size_t equals = text.find('=');
  require(equals != text.npos && equals > 0, "--filter ", base::quote(text),
          ": give COLUMN=TEXT, such as text=shakespeare");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

int list_runs(const lab::Store& store, const Parsed& args) {
  std::vector<std::pair<std::string, std::string>> filters;
  for (const std::string& text : args.all("filter")) filters.push_back(parse_filter(text));
  std::vector<lab::ListedRun> runs = lab::listed_runs(store, args.text("out"));
  lab::filter_runs(runs, filters);
  lab::sort_runs(runs, args.text("sort"));
  std::uintmax_t bytes = 0;
  for (const lab::ListedRun& run : runs) bytes += run.run.bytes;
  const std::size_t count = runs.size();
  if (args.has("limit"))
    runs.resize(std::min<std::size_t>(
        count, static_cast<std::size_t>(args.integer("limit", 1, 1'000'000))));
  if (args.text("format") == "json") {
    Json all = Json::array();
    for (const lab::ListedRun& run : runs) all.push_back(to_json(run));
    print_json({{"store", store.root().string()}, {"runs", all}});
    return 0;
  }
  if (!runs.empty()) fmt::print("{}", lab::runs_text(runs, table_width(stdout)));
  fmt::print(
      "{}{}, {}, in {} and {}\n", runs.size() < count ? fmt::format("{} of ", runs.size()) : "",
      base::counted(count, "run"), lab::size_text(bytes), store.root().string(), args.text("out"));
  return 0;
}

int show(const lab::Store& store, const Parsed& args, const std::string& id) {
  const SurveyedRun run = lab::find_run(store, id);
  if (args.text("format") == "json") {
    Json json = lab::to_json(run);
    json["spec"] = run.spec ? lab::to_json(*run.spec) : Json(nullptr);
    json["record"] = run.record ? lab::to_json(*run.record) : Json(nullptr);
    print_json(json);
    return 0;
  }
  const auto line = [](std::string_view label, const std::string& text) {
    fmt::print("{:<20} {}\n", label, base::printable(text));
  };
  line("run", run.id);
  line("state", lab::state_text(run));
  if (!run.broken.empty()) line("broken", run.broken);
  line("folder", store.folder(run.id).string());
  line("size", lab::size_text(run.bytes) + (run.weights ? ", with its weights" : ""));
  if (run.step) line("step", fmt::format("{:.0f}", *run.step));
  if (run.spec) {
    line("task", run.spec->settings.task);
    line("budget", run.spec->settings.budget);
    line("seed", std::to_string(run.spec->settings.seed));
    line("settings", lab::settings_text(run));
    line("data", run.spec->data);
  }
  if (run.record) {
    for (const lab::Metric& m : lab::metrics())
      if (const auto value = run.record->value(m.name))
        line(m.name, lab::text(m, value) + (m.unit.empty() ? "" : " " + std::string(m.unit)));
    line("build", lab::to_string(run.record->build));
    line("machine",
         fmt::format(
             "{}, {}", run.record->machine.cpu,
             base::counted(static_cast<std::uint64_t>(run.record->machine.threads), "thread")));
  }
  return 0;
}

int diff(const lab::Store& store, const Parsed& args, const std::string& a, const std::string& b) {
  const SurveyedRun first = lab::find_run(store, a), second = lab::find_run(store, b);
  const auto settings = lab::settings_that_differ(first, second),
             values = lab::values_that_differ(first, second);
  if (args.text("format") == "json") {
    const auto object = [](const std::vector<lab::Difference>& all) {
      Json json = Json::object();
      for (const lab::Difference& d : all) json[d.name] = {d.first, d.second};
      return json;
    };
    print_json({{"runs", {first.id, second.id}},
                {"settings", object(settings)},
                {"values", object(values)}});
    return 0;
  }
  base::Lines lines = {{"", first.id.substr(0, kShortId), second.id.substr(0, kShortId), ""}};
  for (const auto* part : {&settings, &values})
    for (const lab::Difference& d : *part)
      lines.push_back({d.name, d.first.empty() ? "–" : d.first, d.second.empty() ? "–" : d.second,
                       part == &settings ? "setting" : "result"});
  if (lines.size() == 1)
    fmt::print("no differences\n");
  else
    fmt::print("{}", base::text_table(lines, nullptr));
  return 0;
}

int say_removed(const std::vector<lab::Removed>& gone, const Parsed& args) {
  std::uintmax_t bytes = 0;
  Json all = Json::array();
  for (const lab::Removed& r : gone) {
    bytes += r.bytes;
    all.push_back({{"path", r.path.string()}, {"bytes", r.bytes}, {"why", r.why}});
    if (args.text("format") == "text")
      fmt::print("removed {} ({}): {}\n", base::printable(r.path.string()), lab::size_text(r.bytes),
                 r.why);
  }
  if (args.text("format") == "json")
    print_json({{"removed", all}, {"bytes", bytes}});
  else if (gone.empty())
    fmt::print("nothing to remove\n");
  return 0;
}

int runs(const Parsed& args) {
  const std::vector<std::string>& words = args.arguments;
  static const std::vector<std::string_view> kActions = {"ls", "show", "rm", "gc", "diff"};
  const std::string action = words.empty() ? "ls" : words.front();
  if (std::find(kActions.begin(), kActions.end(), action) == kActions.end())
    throw base::Error(
        fmt::format("no action {}; {}", base::quote(action), base::suggest(action, kActions)));
  const std::vector<std::string> ids(words.begin() + (words.empty() ? 0 : 1), words.end());
  for (const char* flag : {"sort", "filter", "limit", "out"})
    require(!args.has(flag) || action == "ls", "--", flag, " does nothing with ", action,
            "; leave it out");
  require(!args.has("planned") || action == "gc", "--planned does nothing with ", action,
          "; leave it out");
  const auto takes = [&](std::size_t least, std::size_t most, const char* what) {
    require(ids.size() >= least && ids.size() <= most, "runs ", action, " takes ", what, ", and ",
            ids.size(), " are given");
  };
  const lab::Store store(store_path(args));
  if (action == "show") return takes(1, 1, "the id of one run"), show(store, args, ids[0]);
  if (action == "diff")
    return takes(2, 2, "the ids of two runs"), diff(store, args, ids[0], ids[1]);
  if (action == "rm") {
    takes(1, 1'000'000, "the ids of runs, or what they begin with");
    std::vector<std::string> found;  // all of them before one is removed
    for (const std::string& id : ids) found.push_back(lab::find_run(store, id).id);
    std::vector<lab::Removed> gone;
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    for (const std::string& id : found) gone.push_back(lab::remove_run(store, id));
    return say_removed(gone, args);
  }
  takes(0, 0, "no id");
  if (action == "gc") return say_removed(lab::collect_garbage(store, args.has("planned")), args);
  return list_runs(store, args);
}

}  // namespace

// `isodrop runs`: what the store holds.
Command runs_command() {
  Command c;
  c.summary =
      "List, show, compare and remove stored runs. Without an action, or with ls: list the runs of "
      "the store and those that 'isodrop train' made in folders below --out. show ID: one run with "
      "all its values. diff ID ID: settings and values that differ. rm ID...: remove runs, without "
      "asking. gc: remove what killed processes left, never a run that is being made. An ID may be "
      "shortened to its beginning.";
  c.settings = false;
  c.argument = "[ls|show|rm|gc|diff] [ID]...";
  c.argument_choices = {"ls", "show", "rm", "gc", "diff"};
  c.extras = {
      {.flag = "sort",
       .hint = "COLUMN",
       .fallback = "date",
       .help = "sort the list by this column, the newest or lowest first",
       .choices = lab::run_columns()},
      {.flag = "filter",
       .hint = "COLUMN=TEXT",
       .help = "list only runs with this text in a column, such as text=shakespeare or "
               "settings=dropout",
       .repeatable = true},
      {.flag = "limit", .hint = "N", .help = "list at most N runs"},
      {.flag = "out",
       .hint = "DIR",
       .fallback = "out",
       .help = "folder below which the list looks for runs of 'isodrop train'"},
      store_flag(),
      {.flag = "planned",
       .help = "gc: also remove runs that were planned and never begun; not while a comparison is "
               "running"},
      format_flag({"text", "json"})};
  c.examples = {"isodrop runs", "isodrop runs diff 0a1b 2c3d", "isodrop runs gc"};
  c.run = runs;
  return c;
}

}  // namespace cli
