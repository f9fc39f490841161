// Names of a run's files, and whose files they are.
#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "data/tokenizer/tokenizer.h"
#include "train/log/tensorboard.h"
#include "train/storage/checkpoint.h"
#include "train/storage/run_files.h"

namespace train {
namespace fs = std::filesystem;

namespace {

/// Whether it is a config.json as isodrop writes it, of any version.
bool ours(const fs::path& config) {
  base::Json json;
  try {
    json = base::read_json(config);
  } catch (const base::Error&) {
    return false;  // not there, or of something else
  }
  constexpr const char* kAlways[] = {"preset", "n_layer", "block_size", "budget", "seed"};
  return json.is_object() && std::all_of(std::begin(kAlways), std::end(kAlways),
                                         [&](const char* key) { return json.contains(key); });
}

void refuse_others_in(const fs::path& folder) {
  std::error_code none;  // what cannot be looked at cannot be replaced either
  if (ours(folder / run_file::kConfig)) return;
  for (const std::string& name : names_in(folder))
    base::require(!fs::exists(fs::symlink_status(folder / name, none)), "--out ", folder.string(),
                  ": holds a ", name,
                  " that isodrop did not write and would replace; choose another folder");
}

}  // namespace

std::vector<std::string> tokenizer_files() {
  std::vector<std::string> names;
  for (const data::TokenizerKind& kind : data::tokenizer_kinds())
    if (!kind.file.empty()) names.emplace_back(kind.file);
  return names;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names = {run_file::kWeights, run_file::kSummary};
  for (const fs::path& path : checkpoints_in(folder)) names.push_back(path.filename().string());
  for (const std::string& name : tokenizer_files()) names.push_back(name);
  for (const fs::path& path : base::entries_of(folder))
    if (const std::string name = path.filename().string();
        name.starts_with(kEventsPrefix) || is_set_aside(name))
      names.push_back(name);
  for (const char* name : {run_file::kMetrics, run_file::kData, run_file::kEnvironment,
                           run_file::kFlags, run_file::kConfigToml, run_file::kConfig})
    names.emplace_back(name);
  return names;
}

void refuse_others(const fs::path& folder, const Settings& settings) {
  base::refuse_link(folder / run_file::kPrevious);
  refuse_others_in(folder);
  refuse_others_in(folder / run_file::kPrevious);
  const std::vector<std::string> names = names_in(folder);
  for (const std::string& given : {settings.text, settings.val, settings.test, settings.csv})
    for (const std::string& name : names) {
      std::error_code none;  // what is not there is not the same file
      base::require(given.empty() || !fs::equivalent(given, folder / name, none),
                    base::quote(given), ": is a file of the run in --out ", folder.string(),
                    ", which a new run would move away; choose another folder");
    }
}

}  // namespace train
