// Weights that a run begins with, instead of drawn ones: the setting init_from.
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
  std::optional<nlohmann::ordered_json> tokenizer = {};  // likewise, where there is one
  TensorFile weights;                                    // by isodrop's names
  std::string hash;  // of the tensors, wherever they lie: 32 hex digits
};

/// Reads a run's folder, or a folder of Hugging Face's with config.json and model.safetensors, or
/// the model.safetensors in one of them. Trusts nothing: throws base::Error naming the file.
InitialWeights read_initial_weights(const std::string& path);

/// Throws base::Error unless they are of the model that the settings ask for, naming what differs
/// and the flags that would be right, and read and say what the task's data mean. Of a longer
/// block_size the first positions are taken.
void check(const InitialWeights& weights, const Settings& settings, const Task& task);

/// Fills the parameters with settings.init_from. Throws base::Error where they do not fit.
/// REQUIRES: allocated.
void load_initial_weights(engine::Params& params, const Settings& settings);

}  // namespace train
