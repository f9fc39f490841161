#include "train/storage/huggingface.h"

#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "train/storage/held_out_text.h"

namespace train {
namespace {

using base::quote;
using base::require;
using Json = nlohmann::ordered_json;

constexpr std::string_view kTransformer = "transformer.";
constexpr double kEpsilon = 1e-5;  // of the norms
constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kExported = "isodrop";  // in the metadata of the weights, for whose they are

/// transformers' names of an activation, the first of which is written.
struct Activation {
  const char *theirs, *ours;
};
constexpr Activation kActivations[] = {
    {"gelu_new", "gelu"}, {"gelu_pytorch_tanh", "gelu"}, {"relu", "relu"}};

/// A config.json, which may leave out what has a default.
class Config {
 public:
  Config(const Json& json, const std::string& source) : json_(json), source_(source) {}

  /// Where it is not there, what transformers takes: its second name's value, or the default.
  std::int64_t integer(const char* key, std::int64_t most, std::int64_t otherwise = 0,
                       const char* second = "") const {
    const char* used = !json_.contains(key) && json_.contains(second) ? second : key;
    if (!json_.contains(used) && otherwise > 0) return otherwise;
    const Json* value = find(used);
    require(value != nullptr && value->is_number_integer() && *value >= 1 && *value <= most,
            source_, ": ", used, " is ", value == nullptr ? "missing" : quote(value->dump()),
            ", not a whole number in [1, ", most, "]");
    return value->get<std::int64_t>();
  }
  const Json* find(const char* key) const {
    const auto it = json_.find(key);
    return it == json_.end() || it->is_null() ? nullptr : &*it;
  }
  /// Where it says otherwise the model is another function.
  void must_be(const char* key, const Json& wanted) const {
    const Json* value = find(key);
    require(value == nullptr || *value == wanted, source_, ": ", key, "=",
            value == nullptr ? "" : value->dump(), "; isodrop's model has ", wanted.dump());
  }

 private:
  const Json& json_;
  const std::string& source_;
};

bool ends_with_any(const std::string& name, std::initializer_list<const char*> endings) {
  for (const char* ending : endings)
    if (name.ends_with(ending)) return true;
  return false;
}

/// A byte as the character that stands for it in byte-level tokenizers: printable ones are
/// themselves, the others follow from U+0100 on (Radford et al. 2019, bytes_to_unicode).
std::string byte_character(unsigned byte) {
  const auto printable = [](unsigned b) {
    return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
  };
  unsigned code = byte;
  if (!printable(byte)) {
    code = 0x100;
    for (unsigned b = 0; b < byte; ++b) code += printable(b) ? 0 : 1;
  }
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
}

std::vector<std::string> obstacles(const Settings& s) {
  std::vector<std::string> out;
  const auto need = [&](bool ok, const char* name, const std::string& value) {
    if (!ok) out.push_back(base::concat(name, "=", value));
  };
  bool known = false;
  for (const Activation& a : kActivations) known = known || s.activation == a.ours;
  need(s.norm == "layernorm", "norm", s.norm);
  need(s.norm_place == "pre", "norm_place", s.norm_place);
  need(known, "activation", s.activation);
  need(!s.qk_norm, "qk_norm", "true");
  return out;
}

Json config_json(const Settings& s, std::int64_t vocab) {
  const char* activation = nullptr;
  for (const Activation& a : kActivations)
    if (activation == nullptr && s.activation == a.ours) activation = a.theirs;
  return {{"architectures", {"GPT2LMHeadModel"}},
          {"model_type", "gpt2"},
          {"vocab_size", vocab},
          {"n_positions", s.block_size},
          {"n_ctx", s.block_size},
          {"n_embd", s.n_embd},
          {"n_layer", s.n_layer},
          {"n_head", s.n_head},
          {"n_inner", s.mlp_hidden > 0 ? Json(s.mlp_hidden) : Json(nullptr)},
          {"activation_function", activation},
          {"layer_norm_epsilon", kEpsilon},
          {"resid_pdrop", s.dropout},
          {"embd_pdrop", s.dropout},
          {"attn_pdrop", s.dropout},
          {"scale_attn_weights", true},
          {"tie_word_embeddings", true},
          {"bos_token_id", nullptr},
          {"eos_token_id", nullptr},
          {"torch_dtype", "float32"}};
}

/// Under transformers' names, with zeros for the biases that the run has not.
TensorFile to_huggingface(const SavedRun& run) {
  TensorFile out;
  out.metadata = {{"format", "pt"}, {kExported, "export"}};
  for (const auto& [name, tensor] : run.weights.tensors) {
    out.tensors[std::string(kTransformer) + name] = tensor;
    if (run.settings.bias || name.starts_with("wte.") || name.starts_with("wpe.")) continue;
    std::string bias = std::string(kTransformer) + name;
    bias.replace(bias.rfind('.') + 1, std::string::npos, "bias");
    const std::int64_t n = tensor.shape.back();
    out.tensors[bias] = {"F32", {n}, std::vector<std::byte>(static_cast<std::size_t>(n) * 4)};
  }
  return out;
}

/// Throws base::Error where a folder has such files and no weights that were exported.
void refuse_files_of_others(const std::filesystem::path& folder,
                            const std::vector<std::string>& names) {
  try {
    if (safetensors_metadata(folder / kModelFile).contains(kExported)) return;
  } catch (const base::Error&) {
    // none, or of something else
  }
  std::error_code none;  // what cannot be looked at cannot be replaced either
  for (const std::string& name : names)
    require(!std::filesystem::exists(std::filesystem::symlink_status(folder / name, none)), "--hf ",
            folder.string(), ": holds a ", name,
            " that 'isodrop export' did not write and would replace; choose another folder");
}

}  // namespace

bool is_huggingface(const Json& config) {
  return config.is_object() && (config.contains("model_type") || config.contains("architectures"));
}

HuggingFaceModel huggingface_model(const Json& json, const std::string& source) {
  const Config config(json, source);
  require(is_huggingface(json), source,
          ": has no model_type; only \"gpt2\" is the model that isodrop has");
  // The oldest files name the class alone.
  const Json classes = json.value("architectures", Json::array());
  const bool by_class = classes.is_array() && !classes.empty() && classes[0] == "GPT2LMHeadModel";
  const Json type = json.value("model_type", by_class ? Json("gpt2") : classes);
  require(type == "gpt2", source,
          json.contains("model_type") ? ": model_type=" : ": architectures=", type.dump(),
          "; only \"gpt2\" is the model that isodrop has");
  config.must_be("layer_norm_epsilon", kEpsilon);
  config.must_be("scale_attn_weights", true);
  config.must_be("scale_attn_by_inverse_layer_idx", false);
  config.must_be("add_cross_attention", false);
  config.must_be("tie_word_embeddings", true);
  const Json* given = config.find("activation_function");
  const Json activation = given == nullptr ? Json("gelu_new") : *given;
  const char* ours = nullptr;
  for (const Activation& a : kActivations)
    if (activation == a.theirs) ours = a.ours;
  require(ours != nullptr, source, ": activation_function=", activation.dump(),
          "; isodrop has gelu_new and relu of those");
  constexpr std::int64_t kMost = 1 << 20;
  const std::int64_t channels = config.integer("n_embd", kMost, 768, "hidden_size");
  // As the setting has it: 0 is 4 · n_embd.
  std::int64_t hidden =
      config.find("n_inner") == nullptr ? 0 : config.integer("n_inner", 4 * kMost);
  if (hidden == 4 * channels) hidden = 0;
  return {{{"n_layer", std::to_string(config.integer("n_layer", kMost, 12, "num_hidden_layers"))},
           {"n_head", std::to_string(config.integer("n_head", kMost, 12, "num_attention_heads"))},
           {"n_embd", std::to_string(channels)},
           {"block_size",
            std::to_string(config.integer("n_positions", kMost, 1024, "max_position_embeddings"))},
           {"bias", "true"},
           {"norm", "layernorm"},
           {"norm_place", "pre"},
           {"qk_norm", "false"},
           {"activation", ours},
           {"mlp_hidden", std::to_string(hidden)}},
          config.integer("vocab_size", std::int64_t{1} << 31, 50257)};
}

TensorFile from_huggingface(TensorFile file) {
  TensorFile out;
  out.path = file.path;
  std::optional<Tensor> head;
  for (auto& [name, tensor] : file.tensors) {
    const std::string bare =
        name.starts_with(kTransformer) ? name.substr(kTransformer.size()) : name;
    if (ends_with_any(bare, {".attn.bias", ".attn.masked_bias"})) continue;
    require(tensor.dtype == "F32", file.path.string(), ": tensor ", quote(name), " is ",
            tensor.dtype, ", not F32; model.float().save_pretrained(DIR) converts it");
    if (bare == "lm_head.weight") {
      head = std::move(tensor);
      continue;
    }
    require(out.tensors.emplace(bare, std::move(tensor)).second, file.path.string(), ": has ",
            quote(bare), " with and without 'transformer.'");
  }
  const Tensor& wte = out.at("wte.weight");
  require(!head || (head->shape == wte.shape && head->bytes == wte.bytes), file.path.string(),
          ": lm_head.weight is not wte.weight; isodrop's head is tied to it");
  return out;
}

Json huggingface_tokenizer(const Json& encoding, const std::string& definition) {
  const std::string kind = encoding.value("tokenizer", "");
  if (kind == "gpt2") return base::parse_json(definition, "the tokenizer", "train again");
  require(kind == "char" || kind == "byte", "tokenizer=", kind,
          " has no form here that transformers loads; only char, byte and gpt2 have");
  const bool bytes = kind == "byte";
  Json vocab = Json::object();
  std::int64_t id = 0;
  for (const Json& piece : encoding.at("pieces")) {
    std::string symbol;
    if (!bytes)
      symbol = piece.get<std::string>();
    else if (piece.is_string())
      symbol = byte_character(static_cast<unsigned char>(piece.get<std::string>().at(0)));
    else
      symbol = byte_character(piece.at(0).get<unsigned>());
    vocab[symbol] = id++;
  }
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", "[\\s\\S]"}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  const Json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", false},
                           {"use_regex", false}};
  // The unknown token is not in the vocabulary: a symbol that the model does not know is an error.
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", Json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer",
           bytes ? Json{{"type", "Sequence"}, {"pretokenizers", Json::array({byte_level, split})}}
                 : split},
          {"post_processor", nullptr},
          {"decoder", bytes ? byte_level : Json{{"type", "Fuse"}}},
          {"model", {{"type", "WordLevel"}, {"vocab", vocab}, {"unk_token", "<unknown>"}}}};
}

std::vector<std::string> export_huggingface(const SavedRun& run,
                                            const std::filesystem::path& folder) {
  const std::string name = quote(run.folder.string());
  const data::TokenizerPtr codec = tokenizer_of(run);
  const std::vector<std::string> against = obstacles(run.settings);
  std::string all;
  for (const std::string& one : against) all += (all.empty() ? "" : ", ") + one;
  require(against.empty(), name, ": GPT-2 has no ", all,
          "; only a model with layernorm before each branch, gelu or relu, and no qk_norm is one");
  std::vector<std::pair<std::string, Json>> files = {
      {"config.json", config_json(run.settings, codec->vocab())}};
  // Of SentencePiece the model itself goes along: transformers have no GPT-2 that reads it.
  // Called as its kind has it: a name in data.json may be any path.
  std::string kept;
  for (const data::TokenizerKind& kind : data::tokenizer_kinds())
    if (kind.name == codec->name()) kept = kind.file;
  const bool own = codec->name() == "sp" || codec->pieces().empty();
  if (!own) {
    files.emplace_back("tokenizer.json",
                       huggingface_tokenizer(run.data.encoding, codec->definition()));
    files.emplace_back("tokenizer_config.json", Json{{"tokenizer_class", "PreTrainedTokenizerFast"},
                                                     {"model_max_length", run.settings.block_size},
                                                     {"clean_up_tokenization_spaces", false}});
  }
  std::vector<std::string> written;
  for (const auto& [file, json] : files) written.push_back(file);
  if (own && !kept.empty()) written.push_back(kept);
  written.emplace_back(kModelFile);
  refuse_files_of_others(folder, written);
  base::make_folder(folder);
  // Weights first: they tell that the others may be replaced.
  write_safetensors(folder / kModelFile, to_huggingface(run));
  for (const auto& [file, json] : files) base::write_json(folder / file, json);
  if (own && !kept.empty()) base::write_atomically(folder / kept, codec->definition());
  return written;
}

}  // namespace train
