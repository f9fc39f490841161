// Hugging Face's GPT-2: config.json, model.safetensors, tokenizer.json. Linear weights are (in,out)
// there as here, so only names differ.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "train/storage/run_files.h"
#include "train/storage/safetensors.h"

namespace train {

/// Settings that decide the shapes and the function of a model, by name.
using ModelSettings = std::vector<std::pair<std::string, std::string>>;

/// Whether a config.json is Hugging Face's.
bool is_huggingface(const nlohmann::ordered_json& config);

/// The model and vocabulary of such a config.json. Trusts nothing: throws base::Error naming
/// `source` and what isodrop does not have.
struct HuggingFaceModel {
  ModelSettings settings;
  std::int64_t vocab = 0;
};
HuggingFaceModel huggingface_model(const nlohmann::ordered_json& config, const std::string& source);

/// The tensors under isodrop's names: without "transformer.", without mask buffers, the head tied
/// to wte. Throws base::Error naming file and tensor.
TensorFile from_huggingface(TensorFile file);

/// A tokenizer.json for Task::encoding(), with the tokenizer's definition. Throws base::Error for
/// kinds other than char, byte and gpt2.
nlohmann::ordered_json huggingface_tokenizer(const nlohmann::ordered_json& encoding,
                                             const std::string& definition = {});

/// Writes a folder that transformers' GPT2LMHeadModel and AutoTokenizer load; a SentencePiece model
/// is copied as it is. Returns the names of the files. Throws base::Error naming settings that
/// GPT-2 does not have.
std::vector<std::string> export_huggingface(const SavedRun& run,
                                            const std::filesystem::path& folder);

}  // namespace train
