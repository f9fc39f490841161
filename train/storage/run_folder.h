// The names that a run's files have in its folder, and whose the files are that have them.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "train/config/settings.h"

namespace train {

namespace run_file {
inline constexpr const char* kConfig = "config.json";
inline constexpr const char* kConfigToml = "config.toml";  // for people, never read back here
inline constexpr const char* kFlags = "flags.json";        // the command line's, for --resume
inline constexpr const char* kData = "data.json";
inline constexpr const char* kEnvironment = "environment.json";
inline constexpr const char* kMetrics = "metrics.jsonl";
inline constexpr const char* kSummary = "summary.json";
inline constexpr const char* kWeights = "model.safetensors";
inline constexpr const char* kPrevious = "previous";
}  // namespace run_file

/// In which a run may keep its tokenizer.
std::vector<std::string> tokenizer_files();

/// Names of a run's files in a folder, its checkpoints among them. Weights first: whenever clearing
/// them away is stopped, what is left is no pair of two runs. Settings last: till then the folder
/// is known as a run's.
std::vector<std::string> names_in(const std::filesystem::path& folder);

/// Throws base::Error where a folder, or previous/ in it, has files of such names and no
/// config.json of isodrop's: somebody else's, which a new run would replace. Likewise where
/// `settings` name one of them as text or table.
void refuse_others(const std::filesystem::path& folder, const Settings& settings);

}  // namespace train
