#include "lab/runs/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <random>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "lab/runs/survey.h"

namespace cli {
namespace {

namespace fs = std::filesystem;
using lab::Json;

constexpr int kNotEqual = 1;  // exit code

struct Asked {
  fs::path store;
  std::vector<Json> runs;  // as the report has them; of an id alone {id}
};

Asked asked(const Parsed& args) {
  const fs::path folder = args.argument;
  const fs::path report = folder / "report.json";
  if (!fs::exists(report)) {
    base::require(!fs::exists(folder), args.argument,
                  ": holds no report.json; give the folder of a comparison, or the id of a run");
    return {store_path(args), {{{"id", args.argument}}}};
  }
  const Json json = base::read_json(report);
  Asked out;
  try {
    out.store =
        args.has("store") ? store_path(args) : fs::path(json.at("store").get<std::string>());
    for (const Json& cell : json.at("cells"))
      for (const Json& arm : cell.at("arms"))
        for (const Json& run : arm.at("runs"))
          if (run.at("status") != "failed") out.runs.push_back(run);
  } catch (const Json::exception&) {
    throw base::Error(report.string() + ": is no report of this isodrop; run the comparison again");
  }
  base::require(!out.runs.empty(), report.string(), ": has no run that was made");
  for (const Json& run : out.runs)
    base::require(run.contains("id") && run["id"].is_string() &&
                      lab::is_id(run["id"].get_ref<const std::string&>()),
                  report.string(), ": a run has no id; run the comparison again");
  return out;
}

Json to_json(const lab::Verified& v) {
  Json differences = Json::object();
  for (const auto& [name, value] : v.differences) differences[name] = base::or_null(value);
  return {{"id", v.id},
          {"seed", base::exact(v.seed)},
          {"equal", v.equal()},
          {"same_build", v.same_build},
          {"differences", differences},
          {"windows_equal", v.windows},
          {"weights_equal", v.weights ? Json(*v.weights) : Json(nullptr)}};
}

int verify(const Parsed& args) {
  base::require(!args.argument.empty(),
                "verify what? Give the folder of a comparison or the id of a run");
  Asked all = asked(args);
  const lab::Store store(all.store);
  // What the report says of every run is what the store has.
  std::vector<std::string> changed;
  for (const Json& run : all.runs) {
    const auto id = run["id"].get<std::string>();
    lab::stored_spec(store, id);
    const Json kept = lab::to_json(lab::stored_record(store, id));
    if (run.size() > 1 && nlohmann::json(kept) != nlohmann::json(run)) changed.push_back(id);
  }
  std::shuffle(all.runs.begin(), all.runs.end(), std::random_device());
  const auto count =
      std::min<std::int64_t>(args.integer("runs", 1, 1'000'000), std::ssize(all.runs));
  const Scratch scratch;
  ProgressLine line;
  lab::MakeEvents events;
  std::vector<lab::Verified> verified;
  events.progress = [&](const train::Progress& p) {
    if (line.due())
      line.update(fmt::format("run {}/{} · {}", verified.size() + 1, count, progress_text(p)));
  };
  for (std::int64_t i = 0; i < count; ++i)
    verified.push_back(lab::verify_run(store, all.runs[static_cast<std::size_t>(i)]["id"],
                                       scratch.path(), events));
  line.finish();
  const bool equal = changed.empty() && std::all_of(verified.begin(), verified.end(),
                                                    [](const auto& v) { return v.equal(); });
  if (args.text("format") == "json") {
    Json runs = Json::array();
    for (const lab::Verified& v : verified) runs.push_back(to_json(v));
    fmt::print("{}", base::json_text({{"equal", equal},
                                      {"recorded", all.runs.size()},
                                      {"changed", changed},
                                      {"runs", runs}}));
    return equal ? 0 : kNotEqual;
  }
  for (const std::string& id : changed)
    fmt::print("run {}: the report differs from its record\n", id);
  for (const lab::Verified& v : verified) {
    fmt::print("run {} (seed {}), re-run: {}{}\n", v.id, v.seed,
               v.equal() ? "same bits" : "NOT the same", v.same_build ? "" : ", by another build");
    for (const auto& [name, value] : v.differences)
      fmt::print("  {} differs by {:+.3g}\n", name, value);
    if (!v.windows) fmt::print("  losses of windows differ\n");
    if (v.weights == false) fmt::print("  weights differ\n");
  }
  return equal ? 0 : kNotEqual;
}

}  // namespace

// `isodrop verify`: others can check a result.
Command verify_command() {
  Command c;
  c.summary =
      "Re-run random runs of a comparison and check that the results match bit for bit, and that "
      "every run in its report is the one in the store. Exit code 0: all match; 1: not.";
  c.settings = false;
  c.argument = "FOLDER|ID";
  c.extras = {store_flag(),
              {.flag = "runs", .hint = "N", .fallback = "1", .help = "number of runs to re-run"},
              format_flag({"text", "json"})};
  c.examples = {"isodrop verify out/compare-0123456789ab --runs 3",
                "isodrop verify 0123456789abcdef0123456789abcdef"};
  c.run = verify;
  return c;
}

}  // namespace cli
