// Hugging Face's form of GPT-2: config.json, model.safetensors, tokenizer.json. A linear layer's
// weight is (in,out) there as here, so that only names differ.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "train/storage/run_files.h"
#include "train/storage/safetensors.h"

namespace train {

/// What decides the shapes and the function of a model: settings by name, with their values.
using ModelSettings = std::vector<std::pair<std::string, std::string>>;

/// Whether a config.json is one of Hugging Face.
bool is_huggingface(const nlohmann::ordered_json& config);

/// The model that such a config.json describes, and its vocabulary. Trusts nothing: throws
/// base::Error naming `source`, what it has that isodrop has not, and its value.
struct HuggingFaceModel {
  ModelSettings settings;
  std::int64_t vocab = 0;
};
HuggingFaceModel huggingface_model(const nlohmann::ordered_json& config, const std::string& source);

/// The tensors under isodrop's names: without "transformer." where they have it, buffers of masks
/// left out, and a head that must be wte. Throws base::Error naming the file and the tensor.
TensorFile from_huggingface(TensorFile file);

/// The tokenizer.json of `tokenizers` for an encoding as Task::encoding() has it, with the
/// definition of a tokenizer that is kept in a file. Throws base::Error for one that is neither
/// char nor byte nor gpt2.
nlohmann::ordered_json huggingface_tokenizer(const nlohmann::ordered_json& encoding,
                                             const std::string& definition = {});

/// Writes the run as a folder that transformers' GPT2LMHeadModel and AutoTokenizer load. Throws
/// base::Error naming each setting that GPT-2 cannot express, with its value. A SentencePiece
/// model goes along as it is. Returns the names of the files.
std::vector<std::string> export_huggingface(const SavedRun& run,
                                            const std::filesystem::path& folder);

}  // namespace train
