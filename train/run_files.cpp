#include "train/run_files.h"

#include "engine/error.h"
#include "engine/suggest.h"
#include "train/hash.h"

namespace train {
namespace {

namespace fs = std::filesystem;
using engine::quote;
using engine::require;

constexpr const char* kConfig = "config.json";
constexpr const char* kData = "data.json";
constexpr const char* kEnvironment = "environment.json";
constexpr const char* kMetrics = "metrics.jsonl";
constexpr const char* kSummary = "summary.json";
constexpr const char* kWeights = "model.safetensors";
constexpr const char* kPrevious = "previous";
constexpr const char* kId = "run";  // in the metadata of the weights

/// Moves a run that has its weights to kPrevious, where it replaces an older one; removes what one
/// without has left. Weights first: whenever this is stopped, what is left is no pair of two runs.
void clear_away(const fs::path& folder) {
  std::error_code code;
  const bool whole = fs::exists(folder / kWeights, code);
  const fs::path aside = folder / kPrevious;
  if (whole) make_folder(aside);
  for (const char* name : {kWeights, kSummary, kMetrics, kData, kEnvironment, kConfig}) {
    if (whole) fs::remove(aside / name, code);
    if (!code && fs::exists(folder / name, code) && whole)
      fs::rename(folder / name, aside / name, code);
    else if (!code)
      fs::remove(folder / name, code);
    require(!code, "cannot clear away ", (folder / name).string(),
            " of an earlier run: ", code.message(), "; choose another folder with --out");
  }
}

fs::path prepare(const fs::path& folder, const Settings& settings, const Task& task,
                 const nlohmann::ordered_json& environment) {
  make_folder(folder);
  clear_away(folder);
  write_json(folder / kConfig, to_json(settings));
  write_json(folder / kData,
             {{"task", task.name()}, {"hash", task.data_hash()}, {"encoding", task.encoding()}});
  write_json(folder / kEnvironment, environment);
  return folder / kMetrics;
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

RunFiles::RunFiles(const fs::path& folder, const Settings& settings, const Task& task,
                   const nlohmann::ordered_json& environment)
    : folder_(folder),
      id_(pairing_id(to_json(settings), task.data_hash())),
      metrics_(prepare(folder, settings, task, environment), task.constant("val_bytes_per_token")) {
}

void RunFiles::write_summary(const nlohmann::ordered_json& summary) const {
  write_json(folder_ / kSummary, summary);
}

fs::path RunFiles::write_weights(const engine::Params& params) const {
  write_safetensors(folder_ / kWeights, params, {{kId, id_}});
  return folder_ / kWeights;
}

SavedRun read_run(const fs::path& folder) {
  const std::string name = quote(folder.string());
  const auto there = [&](const char* file) {
    std::error_code ignored;  // what is not there is not a file
    return fs::exists(folder / file, ignored);
  };
  std::error_code ignored;  // what is not there is not a folder
  require(fs::is_directory(folder, ignored), name,
          ": no such folder; give the one that 'isodrop train --out DIR' wrote");
  require(there(kConfig), name,
          ": holds no run (no config.json); give a folder that 'isodrop train --out DIR' wrote");
  require(
      there(kWeights), name,
      ": holds no weights (no model.safetensors): the run was stopped or diverged; train again");
  const fs::path config = folder / kConfig;
  const nlohmann::ordered_json written = read_json(config);
  SavedRun run{folder,
               from_json(written, config.string()),
               {},
               read_safetensors(folder / kWeights)};
  require(there(kData), name,
          ": does not say what it was trained on (no data.json): it was made by an older version; "
          "train again");
  run.data = read_data(folder / kData);
  const auto id = run.weights.metadata.find(kId);
  // Of the settings as they were written: a run of before there was some setting stays readable.
  require(id != run.weights.metadata.end() && id->second == pairing_id(written, run.data.hash),
          name,
          ": its model.safetensors is not of the run that config.json and data.json describe; "
          "train again");
  return run;
}

void require_same_encoding(const SavedRun& run, const Task& task) {
  const std::string name = quote(run.folder.string());
  require(run.data.task == task.name(), name, ": was trained on the task ", quote(run.data.task),
          ", not on ", quote(task.name()));
  require(run.data.encoding == task.encoding(), name,
          ": the data have another vocabulary than those it was trained on, so its weights mean "
          "nothing there; give the text it was trained on");
}

void require_same_data(const SavedRun& run, const Task& task) {
  require_same_encoding(run, task);
  require(run.data.hash == task.data_hash(), quote(run.folder.string()),
          ": the data are not those it was trained on (hash ", task.data_hash(), ", not ",
          run.data.hash, "); restore the text, or train again");
}

}  // namespace train
