#include "train/storage/run_files.h"

#include <sstream>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/open_file.h"
#include "base/text.h"
#include "train/log/tensorboard.h"
#include "train/storage/checkpoint.h"
#include "train/storage/huggingface.h"

namespace train {
namespace {

namespace fs = std::filesystem;
using base::quote;
using base::require;

constexpr std::int64_t kMostLogBytes = std::int64_t{1} << 32;  // far more than any run says
constexpr const char* kId = "run";                             // in the metadata of the weights

bool there(const fs::path& path) {
  std::error_code ignored;  // what is not there is not a file
  return fs::exists(path, ignored);
}

/// Moves a run with weights to run_file::kPrevious, replacing an older one; removes a run without.
/// Its settings go there first: if this is stopped, they tell whose the other files are.
void clear_away(const fs::path& folder) {
  std::error_code code;
  const bool whole = fs::exists(folder / run_file::kWeights, code);
  const fs::path aside = folder / run_file::kPrevious;
  if (whole) {
    base::make_folder(aside);
    for (const std::string& name : names_in(aside)) fs::remove(aside / name, code);
    fs::copy_file(folder / run_file::kConfig, aside / run_file::kConfig, code);
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

std::unique_ptr<base::RunLock> lock_new(const fs::path& folder) {
  base::make_folder(folder);
  return lock_run(folder);
}

fs::path prepare(const fs::path& folder, const Settings& settings, const Task& task,
                 const nlohmann::ordered_json& environment, bool restart) {
  if (!restart) refuse_unfinished(folder);
  refuse_others(folder, settings);
  clear_away(folder);
  base::write_json(folder / run_file::kConfig, to_json(settings));
  base::write_atomically(folder / run_file::kConfigToml, to_toml(settings));
  base::write_json(
      folder / run_file::kData,
      {{"task", task.name()}, {"hash", task.data_hash()}, {"encoding", task.encoding()}});
  for (const KeptFile& file : task.files()) base::write_atomically(folder / file.name, file.bytes);
  base::write_json(folder / run_file::kEnvironment, environment);
  return folder / run_file::kMetrics;
}

/// Drops later steps from a log, and a line that is cut off.
fs::path cut_log(const fs::path& path, std::int64_t step) {
  if (!there(path)) return path;
  std::string kept, line;
  std::istringstream in(base::read_whole(path, base::Whose::kFolder, kMostLogBytes));
  for (int number = 1; std::getline(in, line) && !in.eof(); ++number) {
    const auto json = base::parse_json(line, base::concat(path.string(), ": line ", number),
                                       "remove the file to continue without it");
    require(json.is_object() && json.contains("step") && json["step"].is_number_integer(),
            path.string(), ": line ", number,
            ": has no whole number 'step'; remove the file to continue without it");
    if (json["step"].get<std::int64_t>() <= step) kept += line + "\n";
  }
  base::write_atomically(path, kept);
  return path;
}

SavedData read_data(const fs::path& path) {
  const nlohmann::ordered_json json = base::read_json(path);
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
  return base::Hash().add(config.dump()).add(data_hash).hex();
}

void refuse_unfinished(const fs::path& folder) {
  const std::vector<fs::path> checkpoints = checkpoints_in(folder);
  require(checkpoints.empty() || there(folder / run_file::kSummary), "--out ", folder.string(),
          ": holds an unfinished run (",
          checkpoints.empty() ? "" : checkpoints[0].filename().string(),
          "); 'isodrop train --resume ", base::shell_word(folder.string()),
          "' continues it, --restart removes it, another --out leaves it there");
}

RunFiles::RunFiles(const fs::path& folder, const Settings& settings, const Task& task,
                   const nlohmann::ordered_json& environment, bool restart)
    : folder_(folder),
      lock_(lock_new(folder)),
      id_(pairing_id(to_json(settings), task.data_hash())),
      metrics_path_(prepare(folder, settings, task, environment, restart)),
      bytes_per_token_(task.constants().val_bytes_per_token) {}

RunFiles::RunFiles(std::unique_ptr<base::RunLock> lock, const fs::path& folder, const Task& task,
                   std::int64_t step)
    : folder_(folder),
      lock_(std::move(lock)),
      id_(pairing_id(base::read_json(folder / run_file::kConfig), task.data_hash())),
      metrics_path_(cut_log(folder / run_file::kMetrics, step)),
      bytes_per_token_(task.constants().val_bytes_per_token),
      continues_(true) {
  base::remove_temporaries(folder);
  cut_events(folder, step);
}

Sink& RunFiles::metrics(std::function<void(const std::string&)> note) {
  if (!metrics_) metrics_.emplace(metrics_path_, bytes_per_token_, continues_, std::move(note));
  return *metrics_;
}

void RunFiles::write_flags(const nlohmann::ordered_json& flags) const {
  if (flags != read_flags(folder_)) base::write_json(folder_ / run_file::kFlags, flags);
}

void RunFiles::write_summary(const nlohmann::ordered_json& summary) const {
  base::write_json(folder_ / run_file::kSummary, summary);
}

fs::path RunFiles::write_weights(const engine::Params& params) const {
  write_safetensors(folder_ / run_file::kWeights, params, {{kId, id_}});
  return folder_ / run_file::kWeights;
}

std::unique_ptr<base::RunLock> lock_run(const fs::path& folder) {
  auto lock = std::make_unique<base::RunLock>(folder, "--out");
  require(lock->held(), quote(folder.string()),
          ": another process is training there; wait for it, or choose another folder with --out");
  return lock;
}

Settings read_config(const fs::path& folder) {
  const std::string name = quote(folder.string());
  std::error_code ignored;  // what is not there is not a folder
  require(fs::is_directory(folder, ignored), name,
          ": no such folder; give the one that 'isodrop train --out DIR' wrote");
  require(there(folder / run_file::kConfig), name,
          ": is not a run (no config.json); give a folder that 'isodrop train --out DIR' wrote");
  const fs::path config = folder / run_file::kConfig;
  const base::Json json = base::read_json(config);
  require(!is_huggingface(json), name,
          ": is a model in Hugging Face's files, not a run; 'isodrop train --init-from ",
          base::shell_word(folder.string()), "' starts a run from its weights");
  return from_json(json, config.string());
}

BegunRun read_begun(const fs::path& folder) {
  BegunRun run{folder, read_config(folder), {}};
  require(
      there(folder / run_file::kData), quote(folder.string()),
      ": has no data.json to say what it was trained on: an older version made it; train again");
  run.data = read_data(folder / run_file::kData);
  return run;
}

nlohmann::ordered_json read_flags(const fs::path& folder) {
  const fs::path file = folder / run_file::kFlags;
  if (!there(file)) return nlohmann::ordered_json::object();
  nlohmann::ordered_json flags = base::read_json(file);
  require(flags.is_object(), file.string(),
          ": is not an object of flags; remove it to continue without");
  for (const auto& [name, value] : flags.items())
    require(value.is_string(), file.string(), ": the flag ", quote(name),
            " is not text; remove the file to continue without");
  return flags;
}

nlohmann::ordered_json read_summary(const fs::path& folder) {
  return there(folder / run_file::kSummary) ? base::read_json(folder / run_file::kSummary)
                                            : nlohmann::ordered_json();
}

SavedRun read_run(const fs::path& folder) {
  const std::string name = quote(folder.string());
  const Settings settings = read_config(folder);
  const nlohmann::ordered_json written = base::read_json(folder / run_file::kConfig);
  SavedRun run{{folder, settings, {}}, {}};
  require(there(folder / run_file::kWeights), name,
          ": has no weights (no model.safetensors): the run was stopped or diverged; ",
          checkpoints_in(folder).empty()
              ? "train again"
              : "'isodrop train --resume " + base::shell_word(folder.string()) + "' continues it");
  run.weights = read_safetensors(folder / run_file::kWeights);
  require_finite(run.weights);
  run.data = read_begun(folder).data;
  const auto id = run.weights.metadata.find(kId);
  // Of the settings as they were written: a run of before there was some setting stays readable.
  require(
      id != run.weights.metadata.end() && id->second == pairing_id(written, run.data.hash), name,
      ": model.safetensors does not belong to the run in config.json and data.json; train again");
  return run;
}

void change_settings(const fs::path& folder, const Settings& settings) {
  const fs::path aside = folder / run_file::kPrevious;
  refuse_others(folder, {});
  if (there(folder / run_file::kWeights)) {
    base::make_folder(aside);
    for (const std::string& name : names_in(aside)) fs::remove(aside / name);
    std::vector<std::string> names = {run_file::kConfig, run_file::kConfigToml,
                                      run_file::kData,   run_file::kEnvironment,
                                      run_file::kFlags,  run_file::kMetrics};
    for (const std::string& name : tokenizer_files()) names.push_back(name);
    for (const std::string& name : names)
      if (there(folder / name)) fs::copy_file(folder / name, aside / name);
    if (there(folder / run_file::kSummary))
      fs::rename(folder / run_file::kSummary, aside / run_file::kSummary);
    fs::rename(folder / run_file::kWeights, aside / run_file::kWeights);
  }
  fs::remove(folder / run_file::kSummary);
  base::write_json(folder / run_file::kConfig, to_json(settings));
  base::write_atomically(folder / run_file::kConfigToml, to_toml(settings));
}

void require_same_encoding(const BegunRun& run, const Task& task) {
  const std::string name = quote(run.folder.string());
  require(run.data.task == task.name(), name, ": was trained on the task ", quote(run.data.task),
          ", not on ", quote(task.name()));
  require(
      run.data.encoding == task.encoding(), name,
      ": the data have another vocabulary than the training data; give the text it was trained on");
}

void require_same_data(const BegunRun& run, const Task& task) {
  require_same_encoding(run, task);
  require(run.data.hash == task.data_hash(), quote(run.folder.string()),
          ": these are not the data it was trained on (hash ", task.data_hash(), ", not ",
          run.data.hash, "); restore the text, or train again");
}

}  // namespace train
