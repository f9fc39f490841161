// Initial weights from files: the setting init_from.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "train/storage/huggingface.h"
#include "train/tasks/task.h"

namespace train {

struct InitialWeights {
  std::string name;  // as given
  ModelSettings model;
  std::optional<SavedRun> run;                           // of isodrop's own, its data
  std::optional<std::int64_t> vocab;                     // of Hugging Face's
  std::optional<nlohmann::ordered_json> tokenizer = {};  // likewise, if it has one
  TensorFile weights;                                    // by isodrop's names
  std::string hash;  // of the tensors, wherever they lie: 32 hex digits
};

/// Reads a run's folder, a Hugging Face folder with config.json and model.safetensors, or the
/// model.safetensors in one. Trusts nothing: throws base::Error naming the file.
InitialWeights read_initial_weights(const std::string& path);

/// Throws base::Error unless the weights fit the settings' model and the task's data, naming what
/// differs and the flags that would fit. A longer block_size is cut to the first positions.
void check(const InitialWeights& weights, const Settings& settings, const Task& task);

/// Fills the parameters from settings.init_from. Throws base::Error if they do not fit. REQUIRES:
/// allocated.
void load_initial_weights(engine::Params& params, const Settings& settings);

}  // namespace train
