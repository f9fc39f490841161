// Every command, in every one of its formats: the whole of what it prints and every file that it
// writes is as docs/schema says, or is a table whose rows fit its heading.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "cli/commands.h"
#include "tests/cli/output_cases.h"
#include "tests/schema/output_checks.h"
#include "tests/train/small_corpus.h"
#include "train/storage/safetensors.h"

namespace {

using namespace tests;
namespace fs = std::filesystem;

/// The schema of a file by its place; empty: it is no JSON.
std::string schema_of(const fs::path& path) {
  const std::string name = path.filename(), folder = path.parent_path().filename();
  if (name.ends_with(".jsonl")) return "lines:metrics.json";
  if (!name.ends_with(".json")) return "";
  if (folder == "specs") return "spec.json";
  if (folder == "looks") return "folder.json#/$defs/looks";
  if (folder == "claims") return "published.json";
  const std::string stem = name.substr(0, name.size() - 5);
  if (folder.ends_with("hf")) return "export.json#/$defs/" + stem;
  for (const char* part : {"study", "tuning", "speed", "budget", "seeds", "spent", "flags"})
    if (stem == part) return "folder.json#/$defs/" + stem;
  if (stem == "tokenizer") return "export.json#/$defs/tokenizer";
  if (stem == "config") return "tables.json#/$defs/config";
  if (stem == "environment") return "common.json#/$defs/environment";
  return name;
}

TEST(Outputs, NoCommandAndNoFormatIsLeftOut) {
  std::set<std::pair<std::string, std::string>> there;
  for (const Case& c : cases()) there.emplace(c.command, c.format);
  for (const cli::CommandEntry& entry : cli::commands()) {
    const cli::Command command = cli::make(entry);
    std::vector<std::string_view> formats;
    for (const cli::Extra& extra : command.extras)
      if (extra.flag == "format") formats = extra.choices;
    if (formats.empty()) formats = {""};
    for (const std::string_view format : formats)
      EXPECT_TRUE(there.contains({std::string(entry.name), std::string(format)}))
          << entry.name << " --format " << format << " has no case here";
  }
}

TEST(CliOutputs, AllIsAsDocsSchemaSays) {
  const TempFolder folder;
  folder.write("text.txt", "\xc3\xa9" + small_text(4000));
  folder.write("claim.toml", kStudy);
  std::string classes = "kind,a,b\n", numbers = "a,b\n";
  for (int i = 0; i < 120; ++i) {
    const std::string row = std::to_string(i % 7) + "," + std::to_string(i * 37 % 11) + "\n";
    classes += (i % 2 == 0 ? "x," : "y,") + row;
    numbers += row;
  }
  folder.write("t.csv", classes);
  folder.write("n.csv", numbers);
  const OutputChecks checks;
  for (const Case& c : cases()) {
    Words args = {c.command};
    for (const std::string& word : c.args) args.push_back(in_place(word, folder.path()));
    if (!c.format.empty()) args = args + Words{"--format", c.format};
    const Result r = isodrop(args, folder.path(), {"ISODROP_TUNING=off"});
    EXPECT_EQ(r.code, c.code) << describe(args, r);
    const std::string wrong = c.format == "json"  ? checks.json(r.out, c.schema)
                              : c.format == "csv" ? checks.csv(r.out, c.command)
                              : c.format == "md"  ? checks.markdown(r.out)
                                                  : checks.text(r.out);
    EXPECT_EQ(wrong, "") << describe(args, {r.code, r.out.substr(0, 2000), r.err, 0});
  }
  std::set<std::string> kinds;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    const fs::path& path = entry.path();
    if (!entry.is_regular_file()) continue;
    const std::string text = folder.read(fs::relative(path, folder.path()));
    if (path.extension() == ".html") {
      EXPECT_EQ(checks.html(text), "") << path;
      kinds.insert("html");
    }
    // A run that diverges at once has nothing to log.
    if (path.extension() == ".jsonl" && text.empty()) {
      const std::string in = fs::relative(path.parent_path(), folder.path());
      const bool one = fs::exists(path.parent_path() / "record.json");
      EXPECT_TRUE(has(folder.read(in + (one ? "/record.json" : "/summary.json")), "\"diverged\""))
          << path;
    } else if (const std::string schema = schema_of(path); !schema.empty()) {
      EXPECT_EQ(checks.json(text, schema), "") << path;
      kinds.insert(schema);
    }
    if (path.extension() != ".safetensors") continue;
    const std::string name = path.filename(), in = path.parent_path().filename();
    const std::string kind = name.starts_with("checkpoint-") ? "checkpoint"
                             : in.ends_with("hf")            ? "export"
                                                             : "model";
    base::Json metadata = base::Json::object();
    for (const auto& [key, value] : train::read_safetensors(path).metadata) metadata[key] = value;
    EXPECT_EQ(checks.json(base::json_text(metadata), "weights.json#/$defs/" + kind), "") << path;
    if (metadata.contains("budgets")) {
      EXPECT_EQ(checks.json(metadata["budgets"], "weights.json#/$defs/budgets"), "") << path;
    }
    kinds.insert(kind);
  }
  for (const char* kind : {"html",
                           "lines:metrics.json",
                           "spec.json",
                           "record.json",
                           "summary.json",
                           "data.json",
                           "report.json",
                           "advice.json",
                           "published.json",
                           "study-result.json",
                           "trace.json",
                           "folder.json#/$defs/study",
                           "folder.json#/$defs/tuning",
                           "folder.json#/$defs/speed",
                           "folder.json#/$defs/seeds",
                           "folder.json#/$defs/spent",
                           "folder.json#/$defs/looks",
                           "export.json#/$defs/config",
                           "tables.json#/$defs/config",
                           "common.json#/$defs/environment",
                           "checkpoint",
                           "model",
                           "export"})
    EXPECT_TRUE(kinds.contains(kind)) << "nothing of this kind was written: " << kind;
}

// It goes on for as long as somebody reads.
TEST(CliOutputs, ATrialTellsStepsALine) {
  const TempFolder folder;
  folder.write("text.txt", small_text(4000));
  const Words plan = Words{"compare"} + kPlanned + Words{"--plan", "specs"};
  const Result planned = isodrop(plan, folder.path());
  ASSERT_EQ(planned.code, 0) << describe(plan, planned);
  const Result r = Process::program({"/bin/sh", "-c",
                                     "'" ISODROP_BINARY "' run " + in_place("SPEC", folder.path()) +
                                         " --trial | head -n 2"},
                                    folder.path())
                       .wait();
  EXPECT_EQ(OutputChecks().json(r.out, "lines:event.json"), "") << r.out << r.err;
  EXPECT_EQ(std::count(r.out.begin(), r.out.end(), '\n'), 2);
}

}  // namespace
