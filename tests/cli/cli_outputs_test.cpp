// Every command, in every one of its formats: the whole of what it prints and every file that it
// writes is as docs/schema says, or is a table whose rows fit its heading. In an order in which the
// later ones find what the earlier ones have written.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>

#include "cli/commands.h"
#include "lab/runs/metrics.h"
#include "tests/cli/cli_harness.h"
#include "tests/schema/output_checks.h"
#include "tests/train/small_corpus.h"
#include "train/storage/safetensors.h"

namespace {

using namespace tests;
namespace fs = std::filesystem;

constexpr const char* kStudy = R"(title = "A rate of a tenth is too low"
question = "Does it hurt?"
[base]
text = "text.txt"
n_layer = 1
n_head = 2
n_embd = 8
block_size = 8
batch = 8
lr = 0.02
threads = 1
budget = "30steps"
[study]
arms = ["right: none", "low: none,lr=0.0001"]
seeds = 2
[[figures]]
name = "harm"
of = "difference"
[rule]
supported = ["harm above 0"]
contradicted = ["harm below 0"]
)";

const Words kSmall = {"--preset", "tiny", "--n-layer", "1", "--n-embd", "8",      "--batch", "8",
                      "--lr",     "0.02", "--threads", "1", "--budget", "30steps"};
const Words kText = kSmall + Words{"--block-size", "8", "--text", "text.txt"};
const Words kProbed = {"--preset",     "tiny", "--n-layer", "1", "--n-embd", "8",
                       "--block-size", "8",    "--batch",   "4", "--text",   "text.txt",
                       "--threads",    "1",    "--masks",   "4"};
const Words kPlanned = kText + Words{"--arm", "none", "--arm", "dropout=0.1", "--seeds", "2"};
const Words kArms = kPlanned + Words{"--jobs", "1"};

struct Case {
  std::string command, format;  // "": none is given
  Words args;
  std::string schema = {};  // of JSON; of a line each where it begins with "lines:"
  int code = 0;
};

std::string in_place(const std::string& text, const fs::path& folder) {
  std::string out = text;
  for (const char* name : {"SPEC", "LIST", "RUN1", "RUN2"}) {
    const std::size_t at = out.find(name);
    if (at == out.npos) continue;
    std::vector<std::string> found;
    const bool run = std::string_view(name).starts_with("RUN");
    for (const auto& entry : fs::directory_iterator(folder / (run ? "runs" : "specs"))) {
      const std::string file = entry.path().filename();
      if (run              ? fs::exists(entry.path() / "record.json")
          : name[0] == 'S' ? file.ends_with(".json")
                           : file.starts_with("specs-"))
        found.push_back(run ? file : "specs/" + file);
    }
    std::sort(found.begin(), found.end());
    const std::size_t which = name == std::string_view("RUN2") ? 1 : 0;
    if (found.size() > which) out.replace(at, 4, found[which]);
  }
  return out;
}

std::vector<Case> cases() {
  const Words regression = {"--task",   "regression", "--csv",        "n.csv",
                            "--target", "b",          "--block-size", "1"},
              classes = {"--task",   "classification", "--csv",        "t.csv",
                         "--target", "kind",           "--block-size", "2"},
              context = {"--task", "in_context", "--block-size", "4"},
              measures = {"--measure", "calibration+mode_gap+moments+reliability+stability"};
  const std::string summary = "summary.json", report = "report.json", dry = "dry-run.json";
  std::vector<Case> all = {
      {"train", "json", kText + measures + Words{"--out", "tr", "--log", "jsonl,tensorboard"},
       summary},
      {"train", "json", {"--resume", "tr", "--budget", "40steps"}, summary},
      {"train", "text", kText + Words{"--out", "tr2", "--tokenizer", "byte", "--time-limit", "1h"}},
      {"train", "json", kSmall + regression + Words{"--measure", "calibration", "--out", "re"},
       summary},
      {"train", "json", kSmall + classes + Words{"--measure", "calibration", "--out", "cl"},
       summary},
      {"train", "json", kSmall + context + Words{"--measure", "calibration", "--out", "co"},
       summary},
      {"train", "json", kText + Words{"--dry-run"}, dry},
      {"train", "json",
       kSmall + context + Words{"--compare", "--reg", "dropout:0.1", "--seeds", "2", "--jobs", "1"},
       report},
      {"train", "json",
       kSmall + regression + Words{"--compare", "--dropout", "0.1", "--seeds", "2", "--jobs", "1"},
       report},
      {"compare", "json",
       kArms + Words{"--shares", "0.5,1", "--tune", "lr=0.02,0.04", "--tuning-seeds", "1", "--out",
                     "cmp"},
       report},
      {"compare", "json", kArms + Words{"--epochs", "1,2", "--equivalent", "--keep-weights"},
       report},
      {"compare", "json", kArms + Words{"--dry-run"}, dry},
      {"compare", "text", kArms},
      {"compare", "csv", kArms},
      {"compare", "md", kArms},
      {"compare", "", kPlanned + Words{"--seed", "50", "--plan", "specs", "--engine", "parallel"}},
      {"compare", "json", kArms + Words{"--seed", "50", "--collect"}, "missing.json", 1},
      {"run", "json", {"SPEC"}, "lines:event.json"},
      {"run", "text", {"SPEC"}},
      {"run", "json", {"--list", "LIST"}, "lines:event.json"},
      {"verify", "json", {"cmp", "--runs", "1"}, "verify.json"},
      {"verify", "text", {"RUN1"}},
      {"runs", "json", {}, "runs.json"},
      {"runs", "text", {"ls"}},
      {"runs", "json", {"show", "RUN1"}, "runs.json"},
      {"runs", "text", {"show", "RUN1"}},
      {"runs", "json", {"diff", "RUN1", "RUN2"}, "runs.json"},
      {"runs", "text", {"diff", "RUN1", "RUN2"}},
      {"runs", "json", {"rm", "RUN1"}, "runs.json"},
      {"runs", "json", {"gc"}, "runs.json"},
      {"advise", "json", kText + Words{"--seeds", "2", "--jobs", "1", "--out", "adv"},
       "advice.json"},
      {"advise", "text", kText + Words{"--seeds", "2", "--jobs", "1", "--out", "adv"}},
      {"advise", "json", kText + Words{"--dry-run"}, "advice.json#/$defs/plan"},
      {"study",
       "json",
       {"claim.toml", "--jobs", "1", "--publish", "claims"},
       "study-result.json#/$defs/all"},
      {"study", "text", {"claim.toml", "--jobs", "1"}},
      {"study", "md", {"claim.toml", "--jobs", "1"}},
      {"study", "json", {"claim.toml", "--dry-run", "--jobs", "1"}, dry},
      {"study",
       "json",
       {"--all", "--from", (fs::path(ISODROP_SOURCE_DIR) / "docs/claims").string()},
       "study-result.json#/$defs/all"},
      {"eval", "json", {"tr"}, "eval.json"},
      {"eval", "json", {"re"}, "eval.json"},
      {"eval", "json", {"tr", "--metrics", "loss,perplexity"}, "eval.json"},
      {"eval", "text", {"cl"}},
      {"sample", "json", {"tr", "--tokens", "3", "--samples", "2"}, "sample.json"},
      {"sample", "json", {"tr2", "--tokens", "3", "--prompt", "\xc3\xa9"}, "sample.json"},
      {"sample", "text", {"tr", "--tokens", "3"}},
      {"probe", "json", kProbed + Words{"--reg", "dropout:0.1"}, "probe.json"},
      {"probe", "csv", kProbed + Words{"--reg", "dropout:0.1"}},
      {"probe", "md", kProbed + Words{"--reg", "dropout:0.1", "--html", "probe.html"}},
      {"probe", "text", kProbed + Words{"--reg", "dropout:0.1"}},
      {"profile",
       "json",
       {"--preset", "tiny", "--steps", "5", "--arm", "none", "--arm", "dropout=0.1", "--trace",
        "trace.json"},
       "profile.json"},
      {"profile", "text", {"--preset", "tiny", "--steps", "5", "--html", "profile.html"}},
      {"export", "", {"tr", "--hf", "hf"}},
      {"doctor", "json", {}, "doctor.json"},
      {"doctor", "text", {}},
      {"report", "", {"tr", "cl", "--out", "curves.html"}},
      {"tokenize", "", {"train", "--text", "text.txt", "--vocab", "280", "--out", "t.model"}},
      {"tokenize", "ids", {"encode", "--text", "text.txt", "--tokenizer", "sp:t.model"}},
      {"tokenize", "pieces", {"encode", "--text", "text.txt", "--tokenizer", "sp:t.model"}},
      {"completion", "", {"bash"}},
      {"completion", "", {"zsh"}},
      {"man", "", {}},
  };
  for (const cli::Listing& listing : cli::listings())
    for (const char* format : {"text", "json"})
      all.push_back({"list", format, {std::string(listing.name)}, "list.json"});
  return all;
}

/// The schema of a file by its place; empty: it is no JSON.
std::string schema_of(const fs::path& path) {
  const std::string name = path.filename(), folder = path.parent_path().filename();
  if (name.ends_with(".jsonl")) return "lines:metrics.json";
  if (!name.ends_with(".json")) return "";
  if (folder == "specs") return "spec.json";
  if (folder == "looks") return "folder.json#/$defs/looks";
  if (folder == "claims") return "published.json";
  const std::string stem = name.substr(0, name.size() - 5);
  if (folder == "hf") return "export.json#/$defs/" + stem;
  for (const char* part : {"study", "tuning", "speed", "budget", "seeds", "spent", "flags"})
    if (stem == part) return "folder.json#/$defs/" + stem;
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
    if (const std::string schema = schema_of(path); !schema.empty()) {
      EXPECT_EQ(checks.json(text, schema), "") << path;
      kinds.insert(schema);
    }
    if (path.extension() != ".safetensors") continue;
    const std::string name = path.filename(), in = path.parent_path().filename();
    const std::string kind = name.starts_with("checkpoint-") ? "checkpoint"
                             : in == "hf"                    ? "export"
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
