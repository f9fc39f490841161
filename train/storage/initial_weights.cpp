#include "train/storage/initial_weights.h"

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"

namespace train {
namespace {

namespace fs = std::filesystem;
using base::quote;
using base::require;

constexpr const char* kWpe = "wpe.weight";

/// Settings that decide which parameters there are, and the function.
ModelSettings model_settings(Settings s) {
  if (s.mlp_hidden == 4 * s.n_embd) s.mlp_hidden = 0;  // two spellings of the same
  ModelSettings out;
  for (const char* name : {"n_layer", "n_head", "n_embd", "block_size", "bias", "norm",
                           "norm_place", "qk_norm", "activation", "mlp_hidden"})
    out.emplace_back(name, value_text(s, *find_setting(name)));
  return out;
}

/// Biases that are all 0 are none.
bool without_biases(const TensorFile& file) {
  return std::all_of(file.tensors.begin(), file.tensors.end(), [](const auto& entry) {
    const std::vector<std::byte>& bytes = entry.second.bytes;
    return !entry.first.ends_with(".bias") ||
           std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
  });
}

std::string flag(const std::string& name, const std::string& value) {
  std::string text = base::concat("--", name);
  std::replace(text.begin(), text.end(), '_', '-');
  const bool is_switch = value == "true" || value == "false";
  return is_switch ? (value == "true" ? text : text + "=false") : text + " " + value;
}

/// Throws base::Error where a folder of Hugging Face's has its weights in a form that is not read.
/// `given`: the folder, or a file in it that is there or is not.
void refuse_other_forms(const fs::path& folder, const fs::path& given) {
  constexpr const char *kOne = "model.safetensors", *kIndex = "model.safetensors.index.json",
                       *kPickled = "pytorch_model.bin";
  std::error_code none;  // what is not there is refused when it is read
  const std::string name = given == folder ? kOne : given.filename().string();
  const bool missing = name == kOne && !fs::exists(folder / kOne, none),
             part =
                 name == kIndex || (name.starts_with("model-") && name.find("-of-") != name.npos);
  require(!(missing || part) || !fs::exists(folder / kIndex, none), folder.string(),
          ": its weights are in several files (", kIndex,
          "), and isodrop reads one; save them again with max_shard_size larger than the model");
  require(name != kPickled && !(missing && fs::exists(folder / kPickled, none)), folder.string(),
          ": its weights are a ", kPickled,
          ", which is a program, and isodrop runs none; model.save_pretrained(DIR, "
          "safe_serialization=True) writes a ",
          kOne);
}

void check_model(const InitialWeights& given, const Settings& settings) {
  std::string theirs, ours, flags;
  const ModelSettings asked = model_settings(settings);
  for (const auto& [name, value] : given.model) {
    const auto it = std::find_if(asked.begin(), asked.end(),
                                 [n = &name](const auto& one) { return one.first == *n; });
    if (it->second == value) continue;
    if (name == "block_size" && settings.block_size <= std::stoll(value)) continue;
    if (name == "bias" && !settings.bias && without_biases(given.weights)) continue;
    const char* comma = theirs.empty() ? "" : ", ";
    theirs += base::concat(comma, name, "=", value);
    ours += base::concat(comma, name, "=", it->second);
    flags.append(1, ' ').append(flag(name, value));
  }
  require(theirs.empty(), given.name, ": its weights are of a model with ", theirs,
          ", and the settings ask for ", ours, "; give", flags);
}

void check_vocabulary(const InitialWeights& given, const Settings& settings, const Task& task) {
  if (given.run) return require_same_encoding(*given.run, task);
  require(settings.task == Settings{}.task, given.name,
          ": is a language model, and task=", settings.task, " is not");
  const std::int64_t vocab = task.model(settings).vocab;
  require(*given.vocab == vocab, given.name, ": has a vocabulary of ", *given.vocab,
          " tokens, and that of the data has ", vocab,
          "; give a text with the tokenizer it was trained with");
  if (!given.tokenizer) return;
  const std::vector<KeptFile> kept = task.files();
  const auto wanted =
      huggingface_tokenizer(task.encoding(), kept.empty() ? "" : kept.front().bytes);
  const auto& model = given.tokenizer->is_object() && given.tokenizer->contains("model")
                          ? (*given.tokenizer)["model"]
                          : *given.tokenizer;
  require(model.is_object() && model.contains("vocab") &&
              nlohmann::json(model["vocab"]) == nlohmann::json(wanted["model"]["vocab"]),
          given.name,
          ": its tokenizer.json has other tokens than the data; give the text it was trained on");
}

}  // namespace

InitialWeights read_initial_weights(const std::string& path) {
  std::error_code ignored;  // what is not there is neither
  const fs::path given(path);
  const fs::path folder = fs::is_directory(given, ignored)
                              ? given
                              : (given.has_parent_path() ? given.parent_path() : fs::path("."));
  refuse_other_forms(folder, given);
  require(fs::exists(given, ignored), path,
          ": no such file or folder; give a run's folder, or a model.safetensors with its "
          "config.json beside it");
  require(fs::exists(folder / "config.json", ignored), path,
          ": there is no config.json beside it to describe the model");
  const fs::path config = folder / "config.json";
  const auto json = base::read_json(config);
  InitialWeights out;
  out.name = path;
  if (is_huggingface(json)) {
    HuggingFaceModel model = huggingface_model(json, config.string());
    out.model = std::move(model.settings);
    out.vocab = model.vocab;
    out.weights =
        from_huggingface(read_safetensors(folder == given ? folder / "model.safetensors" : given));
    if (const fs::path file = folder / "tokenizer.json"; fs::exists(file, ignored))
      out.tokenizer = base::read_json(file);
  } else {
    require(folder == given || given.filename() == "model.safetensors", path,
            ": is not the model.safetensors of the run beside it; give the run's folder");
    out.run = read_run(folder);
    out.model = model_settings(out.run->settings);
    out.weights = std::move(out.run->weights);
  }
  require_finite(out.weights);
  out.hash = tensors_hash(out.weights);
  return out;
}

void check(const InitialWeights& weights, const Settings& settings, const Task& task) {
  check_vocabulary(weights, settings, task);
  check_model(weights, settings);
}

void load_initial_weights(engine::Params& params, const Settings& settings) {
  InitialWeights given = read_initial_weights(settings.init_from);
  check_model(given, settings);
  const auto row = static_cast<std::size_t>(settings.n_embd) * sizeof(float);
  const auto wanted = static_cast<std::size_t>(settings.block_size) * row;
  if (const auto wpe = given.weights.tensors.find(kWpe);
      wpe != given.weights.tensors.end() && wpe->second.shape.size() == 2 &&
      wpe->second.shape[0] > settings.block_size && wpe->second.bytes.size() > wanted) {
    wpe->second.shape[0] = settings.block_size;
    wpe->second.bytes.resize(wanted);
  }
  load_parameters(params, given.weights);
}

}  // namespace train
