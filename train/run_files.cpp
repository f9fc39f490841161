#include "train/run_files.h"

#include <fstream>
#include <vector>

#include "engine/error.h"
#include "engine/suggest.h"
#include "train/checkpoint.h"
#include "train/hash.h"
#include "train/json.h"
#include "train/log/tensorboard.h"
#include "train/tokenizer/tokenizer.h"

namespace train {
namespace {

namespace fs = std::filesystem;
using engine::quote;
using engine::require;

constexpr const char* kConfig = "config.json";
constexpr const char* kConfigToml = "config.toml";  // the same for people, never read back here
constexpr const char* kData = "data.json";
constexpr const char* kEnvironment = "environment.json";
constexpr const char* kMetrics = "metrics.jsonl";
constexpr const char* kSummary = "summary.json";
constexpr const char* kWeights = "model.safetensors";
constexpr const char* kPrevious = "previous";
constexpr const char* kId = "run";  // in the metadata of the weights

bool there(const fs::path& path) {
  std::error_code ignored;  // what is not there is not a file
  return fs::exists(path, ignored);
}

/// In which a run may keep its tokenizer.
std::vector<std::string> tokenizer_files() {
  std::vector<std::string> names;
  for (const TokenizerKind& kind : tokenizer_kinds())
    if (!kind.file.empty()) names.emplace_back(kind.file);
  return names;
}

/// Names of a run's files in a folder, its checkpoints among them. Weights first: whenever clearing
/// them away is stopped, what is left is no pair of two runs.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names = {kWeights, kSummary};
  for (const fs::path& path : checkpoints_in(folder)) names.push_back(path.filename().string());
  for (const std::string& name : tokenizer_files()) names.push_back(name);
  std::error_code none;  // no folder: no events
  for (const auto& entry : fs::directory_iterator(folder, none))
    if (const std::string name = entry.path().filename().string(); name.starts_with(kEventsPrefix))
      names.push_back(name);
  for (const char* name : {kMetrics, kData, kEnvironment, kConfigToml, kConfig})
    names.emplace_back(name);
  return names;
}

/// Moves a run that has its weights to kPrevious, where it replaces an older one; removes what one
/// without has left.
void clear_away(const fs::path& folder) {
  std::error_code code;
  const bool whole = fs::exists(folder / kWeights, code);
  const fs::path aside = folder / kPrevious;
  if (whole) {
    make_folder(aside);
    for (const std::string& name : names_in(aside)) fs::remove(aside / name, code);
  }
  for (const std::string& name : names_in(folder)) {
    if (!code && fs::exists(folder / name, code) && whole)
      fs::rename(folder / name, aside / name, code);
    else if (!code)
      fs::remove(folder / name, code);
    require(!code, "cannot clear away ", (folder / name).string(),
            " of an earlier run: ", code.message(), "; choose another folder with --out");
  }
}

/// What processes that were killed have left half written.
void remove_leftovers(const fs::path& folder) {
  for (const char* name :
       {kWeights, kSummary, kMetrics, kData, kEnvironment, kConfigToml, kConfig, "checkpoint-"})
    remove_temporaries(folder, name);
  for (const std::string& name : tokenizer_files()) remove_temporaries(folder, name);
}

std::unique_ptr<RunLock> lock_new(const fs::path& folder) {
  make_folder(folder);
  return lock_run(folder);
}

fs::path prepare(const fs::path& folder, const Settings& settings, const Task& task,
                 const nlohmann::ordered_json& environment, bool restart) {
  if (!restart) refuse_unfinished(folder);
  remove_leftovers(folder);
  clear_away(folder);
  write_json(folder / kConfig, to_json(settings));
  write_atomically(folder / kConfigToml, to_toml(settings));
  write_json(folder / kData,
             {{"task", task.name()}, {"hash", task.data_hash()}, {"encoding", task.encoding()}});
  for (const KeptFile& file : task.files()) write_atomically(folder / file.name, file.bytes);
  write_json(folder / kEnvironment, environment);
  return folder / kMetrics;
}

/// Drops what a log says of later steps, and a line that was not written to its end.
fs::path cut_log(const fs::path& path, std::int64_t step) {
  std::ifstream in(path, std::ios::binary);
  std::string kept, line;
  for (int number = 1; std::getline(in, line) && !in.eof(); ++number) {
    const auto json = parse_json(line, engine::concat(path.string(), ": line ", number),
                                 "remove the file to go on without it");
    require(json.is_object() && json.contains("step") && json["step"].is_number_integer(),
            path.string(), ": line ", number,
            ": has no whole number 'step'; remove the file to go on without it");
    if (json["step"].get<std::int64_t>() <= step) kept += line + "\n";
  }
  write_atomically(path, kept);
  return path;
}

SavedData read_data(const fs::path& path) {
  const nlohmann::ordered_json json = read_json(path);
  const auto text = [&](const char* key) {
    require(json.is_object() && json.contains(key) && json[key].is_string(), path.string(),
            ": has no text '", key, "'; train again");
    return json[key].get<std::string>();
  };
  SavedData data{text("task"), text("hash"), {}};
  require(data.hash.size() == 32 &&
              data.hash.find_first_not_of("0123456789abcdef") == std::string::npos,
          path.string(), ": hash ", quote(data.hash), " is not 32 hex digits; train again");
  require(json.contains("encoding") && json["encoding"].is_object(), path.string(),
          ": has no object 'encoding'; train again");
  data.encoding = json["encoding"];
  return data;
}

}  // namespace

std::string pairing_id(const nlohmann::ordered_json& config, std::string_view data_hash) {
  return Hash().add(config.dump()).add(data_hash).hex();
}

void refuse_unfinished(const fs::path& folder) {
  const std::vector<fs::path> checkpoints = checkpoints_in(folder);
  require(checkpoints.empty() || there(folder / kSummary), "--out ", folder.string(),
          ": holds an unfinished run (",
          checkpoints.empty() ? "" : checkpoints[0].filename().string(),
          "); 'isodrop train --resume ", engine::shell_word(folder.string()),
          "' goes on with it, --restart removes it, another --out leaves it there");
}

RunFiles::RunFiles(const fs::path& folder, const Settings& settings, const Task& task,
                   const nlohmann::ordered_json& environment, bool restart)
    : folder_(folder),
      lock_(lock_new(folder)),
      id_(pairing_id(to_json(settings), task.data_hash())),
      metrics_path_(prepare(folder, settings, task, environment, restart)),
      bytes_per_token_(task.constant("val_bytes_per_token")) {}

RunFiles::RunFiles(std::unique_ptr<RunLock> lock, const fs::path& folder, const Task& task,
                   std::int64_t step)
    : folder_(folder),
      lock_(std::move(lock)),
      id_(pairing_id(read_json(folder / kConfig), task.data_hash())),
      metrics_path_(cut_log(folder / kMetrics, step)),
      bytes_per_token_(task.constant("val_bytes_per_token")),
      goes_on_(true) {
  remove_leftovers(folder);
}

Sink& RunFiles::metrics() {
  if (!metrics_) metrics_.emplace(metrics_path_, bytes_per_token_, goes_on_);
  return *metrics_;
}

void RunFiles::write_summary(const nlohmann::ordered_json& summary) const {
  write_json(folder_ / kSummary, summary);
}

fs::path RunFiles::write_weights(const engine::Params& params) const {
  write_safetensors(folder_ / kWeights, params, {{kId, id_}});
  return folder_ / kWeights;
}

std::unique_ptr<RunLock> lock_run(const fs::path& folder) {
  auto lock = std::make_unique<RunLock>(folder, "--out");
  require(lock->held(), quote(folder.string()),
          ": another process is training there; wait for it, or choose another folder with --out");
  return lock;
}

Settings read_config(const fs::path& folder) {
  const std::string name = quote(folder.string());
  std::error_code ignored;  // what is not there is not a folder
  require(fs::is_directory(folder, ignored), name,
          ": no such folder; give the one that 'isodrop train --out DIR' wrote");
  require(there(folder / kConfig), name,
          ": holds no run (no config.json); give a folder that 'isodrop train --out DIR' wrote");
  const fs::path config = folder / kConfig;
  return from_json(read_json(config), config.string());
}

BegunRun read_begun(const fs::path& folder) {
  BegunRun run{folder, read_config(folder), {}};
  require(there(folder / kData), quote(folder.string()),
          ": does not say what it was trained on (no data.json): it was made by an older version; "
          "train again");
  run.data = read_data(folder / kData);
  return run;
}

nlohmann::ordered_json read_summary(const fs::path& folder) {
  return there(folder / kSummary) ? read_json(folder / kSummary) : nlohmann::ordered_json();
}

SavedRun read_run(const fs::path& folder) {
  const std::string name = quote(folder.string());
  const Settings settings = read_config(folder);
  const nlohmann::ordered_json written = read_json(folder / kConfig);
  SavedRun run{{folder, settings, {}}, {}};
  require(
      there(folder / kWeights), name,
      ": holds no weights (no model.safetensors): the run was stopped or diverged; ",
      checkpoints_in(folder).empty()
          ? "train again"
          : "'isodrop train --resume " + engine::shell_word(folder.string()) + "' goes on with it");
  run.weights = read_safetensors(folder / kWeights);
  run.data = read_begun(folder).data;
  const auto id = run.weights.metadata.find(kId);
  // Of the settings as they were written: a run of before there was some setting stays readable.
  require(id != run.weights.metadata.end() && id->second == pairing_id(written, run.data.hash),
          name,
          ": its model.safetensors is not of the run that config.json and data.json describe; "
          "train again");
  return run;
}

void change_settings(const fs::path& folder, const Settings& settings) {
  const fs::path aside = folder / kPrevious;
  if (there(folder / kWeights)) {
    make_folder(aside);
    for (const std::string& name : names_in(aside)) fs::remove(aside / name);
    std::vector<std::string> names = {kConfig, kConfigToml, kData, kEnvironment, kMetrics};
    for (const std::string& name : tokenizer_files()) names.push_back(name);
    for (const std::string& name : names)
      if (there(folder / name)) fs::copy_file(folder / name, aside / name);
    if (there(folder / kSummary)) fs::rename(folder / kSummary, aside / kSummary);
    fs::rename(folder / kWeights, aside / kWeights);
  }
  fs::remove(folder / kSummary);
  write_json(folder / kConfig, to_json(settings));
  write_atomically(folder / kConfigToml, to_toml(settings));
}

void require_same_encoding(const BegunRun& run, const Task& task) {
  const std::string name = quote(run.folder.string());
  require(run.data.task == task.name(), name, ": was trained on the task ", quote(run.data.task),
          ", not on ", quote(task.name()));
  require(run.data.encoding == task.encoding(), name,
          ": the data have another vocabulary than those it was trained on, so its weights mean "
          "nothing there; give the text it was trained on");
}

void require_same_data(const BegunRun& run, const Task& task) {
  require_same_encoding(run, task);
  require(run.data.hash == task.data_hash(), quote(run.folder.string()),
          ": the data are not those it was trained on (hash ", task.data_hash(), ", not ",
          run.data.hash, "); restore the text, or train again");
}

}  // namespace train
