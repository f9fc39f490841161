// What tests/cli/cli_outputs_test.cpp walks: every command in every one of its formats, with runs
// that end well and runs that diverge, and what there is before and after.
#pragma once
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "tests/cli/cli_harness.h"

namespace tests {

inline constexpr const char* kStudy = R"(title = "A rate of a tenth is too low"
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

inline const Words kSmall = {"--preset",  "tiny",    "--n-layer", "1",      "--n-embd",
                             "8",         "--batch", "8",         "--lr",   "0.02",
                             "--threads", "1",       "--budget",  "30steps"};
inline const Words kText = kSmall + Words{"--block-size", "8", "--text", "text.txt"};
inline const Words kProbed = {"--preset",     "tiny", "--n-layer", "1", "--n-embd", "8",
                              "--block-size", "8",    "--batch",   "4", "--text",   "text.txt",
                              "--threads",    "1",    "--masks",   "4"};
inline const Words kPlanned =
    kText + Words{"--arm", "none", "--arm", "dropout=0.1", "--seeds", "2"};
inline const Words kArms = kPlanned + Words{"--jobs", "1"};

/// One arm of which diverges, and a run that does.
inline const Words kWildArms =
    kText + Words{"--arm", "none",  "--arm",   "wild: lr=1e20,warmup=0", "--seeds", "2", "--jobs",
                  "1",     "--out", "wild-cmp"};
inline const Words kWild = {"--preset",  "tiny",    "--n-layer", "1",       "--n-embd",     "8",
                            "--batch",   "8",       "--lr",      "1e20",    "--warmup",     "0",
                            "--threads", "1",       "--budget",  "30steps", "--block-size", "8",
                            "--text",    "text.txt"};
/// All of it within a time, instead of a budget of one run.
inline const Words kTimed = {"--preset",     "tiny", "--n-layer", "1",        "--n-embd",  "8",
                             "--batch",      "8",    "--lr",      "0.02",     "--threads", "1",
                             "--block-size", "8",    "--text",    "text.txt", "--seeds",   "2",
                             "--time",       "30s"};
inline const std::string kBpe =
    "gpt2:" + (std::filesystem::path(ISODROP_SOURCE_DIR) / "tests/golden/bpe").string();

struct Case {
  std::string command, format;  // "": none is given
  Words args;
  std::string schema = {};  // of JSON; of a line each where it begins with "lines:"
  int code = 0;
};

/// The text with SPEC and LIST as files of `folder`/specs, and RUN1 and RUN2 as ids of its store.
inline std::string in_place(const std::string& text, const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
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

/// In an order in which the later ones find what the earlier ones have written.
inline std::vector<Case> cases() {
  namespace fs = std::filesystem;
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
      {"compare", "json", kWildArms, report},
      {"compare", "text", kWildArms},
      {"compare", "csv", kWildArms},
      {"compare", "md", kWildArms},
      {"train", "json", kWild + Words{"--out", "wild"}, summary, 3},
      {"train", "json", {"--resume", "wild"}, summary, 3},
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
      {"advise", "json", kTimed + Words{"--dry-run"}, "advice.json#/$defs/plan"},
      {"advise", "json", kTimed + Words{"--jobs", "1", "--out", "advt"}, "advice.json"},
      {"study", "json", {"claim.toml", "--collect"}, "missing.json", 1},
      {"study", "text", {"claim.toml", "--collect"}, {}, 1},
      {"study",
       "json",
       {"claim.toml", "--jobs", "1", "--publish", "claims"},
       "study-result.json#/$defs/all"},
      {"study", "json", {"claim.toml", "--collect"}, "study-result.json#/$defs/all"},
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
      {"train", "json", kText + Words{"--out", "bpe", "--tokenizer", kBpe}, summary},
      {"export", "", {"bpe", "--hf", "bpe-hf"}},
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

}  // namespace tests
