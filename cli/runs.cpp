#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "base/text_table.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "lab/runs/metrics.h"
#include "lab/runs/survey.h"

namespace cli {
namespace {

using base::require;
using lab::Json;
using lab::SurveyedRun;

constexpr std::size_t kShortId = 12;

std::string size_text(std::uintmax_t bytes) {
  const auto n = static_cast<double>(bytes);
  return n >= 1e9   ? fmt::format("{:.1f} GB", n / 1e9)
         : n >= 1e6 ? fmt::format("{:.1f} MB", n / 1e6)
                    : fmt::format("{:.0f} kB", std::ceil(n / 1e3));
}

std::string regime_text(const SurveyedRun& run) {
  if (!run.spec) return run.broken;
  std::string out;
  for (const auto& [name, value] : lab::regime(run.spec->settings))
    out += fmt::format("{}{}={}", out.empty() ? "" : " ", name, value);
  return out.empty() ? "all as by default" : out;
}

std::string value_text(const SurveyedRun& run, const char* metric) {
  const auto value = run.record ? run.record->value(metric) : std::nullopt;
  return value ? lab::text(lab::metric(metric), value) : "–";
}

std::string state_text(const SurveyedRun& run) {
  const std::string state(to_string(run.state));
  return run.record && !run.record->ok()
             ? fmt::format("{}, {}", state, lab::to_string(run.record->status))
             : state;
}

Json to_json(const SurveyedRun& run) {
  Json json = {{"id", run.id},
               {"state", to_string(run.state)},
               {"status", run.record ? Json(lab::to_string(run.record->status)) : Json(nullptr)},
               {"task", nullptr},
               {"seed", nullptr},
               {"budget", nullptr},
               {"regime", nullptr},
               {"step", base::or_null(run.step)},
               {"bytes", run.bytes},
               {"weights", run.weights},
               {"broken", run.broken.empty() ? Json(nullptr) : Json(run.broken)}};
  if (run.spec) {
    json["task"] = run.spec->settings.task;
    json["seed"] = base::exact(run.spec->settings.seed);
    json["budget"] = run.spec->settings.budget;
    json["regime"] = Json::object();
    for (const auto& [name, value] : lab::regime(run.spec->settings)) json["regime"][name] = value;
  }
  for (const char* metric : {"val_loss", "test_loss"})
    json[metric] = base::or_null(run.record ? run.record->value(metric) : std::nullopt);
  return json;
}

void print_json(const Json& json) { fmt::print("{}", base::json_text(json)); }

int list_runs(const lab::Store& store, const Parsed& args) {
  const std::vector<SurveyedRun> runs = lab::survey(store);
  if (args.text("format") == "json") {
    Json all = Json::array();
    for (const SurveyedRun& run : runs) all.push_back(to_json(run));
    print_json({{"store", store.root().string()}, {"runs", all}});
    return 0;
  }
  base::Lines lines = {{"id", "state", "step", "val loss", "test loss", "size", "seed", "regime"}};
  std::uintmax_t bytes = 0;
  for (const SurveyedRun& run : runs) {
    bytes += run.bytes;
    lines.push_back({run.id.substr(0, kShortId), state_text(run),
                     run.step ? fmt::format("{:.0f}", *run.step) : "–", value_text(run, "val_loss"),
                     value_text(run, "test_loss"), size_text(run.bytes),
                     run.spec ? std::to_string(run.spec->settings.seed) : "–", regime_text(run)});
  }
  if (!runs.empty()) fmt::print("{}", base::text_table(lines, nullptr));
  fmt::print("{}, {}, in {}\n", base::counted(runs.size(), "run"), size_text(bytes),
             store.root().string());
  return 0;
}

int show(const lab::Store& store, const Parsed& args, const std::string& id) {
  const SurveyedRun run = lab::find_run(store, id);
  if (args.text("format") == "json") {
    Json json = to_json(run);
    json["spec"] = run.spec ? lab::to_json(*run.spec) : Json(nullptr);
    json["record"] = run.record ? lab::to_json(*run.record) : Json(nullptr);
    print_json(json);
    return 0;
  }
  const auto line = [](std::string_view label, const std::string& text) {
    fmt::print("{:<20} {}\n", label, base::printable(text));
  };
  line("run", run.id);
  line("state", state_text(run));
  if (!run.broken.empty()) line("broken", run.broken);
  line("folder", store.folder(run.id).string());
  line("size", size_text(run.bytes) + (run.weights ? ", with its weights" : ""));
  if (run.step) line("step", fmt::format("{:.0f}", *run.step));
  if (run.spec) {
    line("task", run.spec->settings.task);
    line("budget", run.spec->settings.budget);
    line("seed", std::to_string(run.spec->settings.seed));
    line("regime", regime_text(run));
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
                       part == &settings ? "setting" : "came of it"});
  if (lines.size() == 1)
    fmt::print("nothing differs\n");
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
      fmt::print("removed {} ({}): {}\n", base::printable(r.path.string()), size_text(r.bytes),
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
      "What there is in the store. ls: every run, with its state (done, being made, planned: not "
      "begun, stopped: files half written, broken), how far, how big; show ID: one; diff ID ID: "
      "what two were told and what came of it, where that differs; rm ID...: remove them, without "
      "asking; gc: remove what killed processes left, never what is being made. An ID may be its "
      "beginning.";
  c.settings = false;
  c.argument = "[ls|show|rm|gc|diff] [ID]...";
  c.argument_choices = {"ls", "show", "rm", "gc", "diff"};
  c.extras = {store_flag(),
              {"planned", "", "",
               "of gc: also runs that were planned and never begun; not while a comparison is "
               "running"},
              {"format", "FORMAT", "text", "of what it says", false, {"text", "json"}}};
  c.examples = {"isodrop runs", "isodrop runs diff 0a1b 2c3d", "isodrop runs gc"};
  c.run = runs;
  return c;
}

}  // namespace cli
