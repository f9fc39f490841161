// Hugging Face's GPT-2 goes in with the logits that it has there, and back out bit for bit; what is
// no such model is refused.
#include "train/storage/huggingface.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/files.h"
#include "base/hash.h"
#include "data/tokenizer/tokenizer.h"
#include "engine/plan.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"
#include "tests/train/small_corpus.h"
#include "train/config/architecture.h"
#include "train/storage/initial_weights.h"

namespace train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

fs::path golden() { return fs::path(ISODROP_SOURCE_DIR) / "tests/golden/hf_gpt2"; }

/// The settings that the golden model asks for.
Settings golden_settings() {
  Settings s;
  s.n_layer = s.n_head = 2;
  s.n_embd = 16;
  s.block_size = 12;
  s.mlp_hidden = 24;
  s.bias = true;
  s.init_from = golden().string();
  return s;
}

constexpr std::string_view kSymbols = "\n !abcdefghijklmn";  // 17 of them

LanguageModelling task_of(std::string_view symbols) {
  std::string text;
  while (text.size() < 600) text += symbols;
  const data::Source source{text, "text"};
  data::Corpus corpus;
  corpus.codec = data::char_tokenizer({&source, 1});
  corpus.tokenizer = "char";
  corpus.vocab = corpus.codec->vocab();
  corpus.train = corpus.val.ids = corpus.codec->encode(text);
  corpus.hash = std::string(32, '0');
  return LanguageModelling(std::move(corpus));
}

/// The parameters with the golden weights in them.
void fill(engine::Params& params, const Settings& settings) {
  engine::Tape tape(params);
  models::record_gpt(tape, gpt_config(settings, 17), 1, settings.block_size, models::Mode::kEval);
  params.allocate(1);
  load_initial_weights(params, settings);
}

TEST(HuggingFace, ItsLogitsAreThoseOfTransformers) {
  const TensorFile want = read_safetensors(golden() / "logits.safetensors");
  const Settings s = golden_settings();
  engine::Params params;
  fill(params, s);
  engine::Tape tape(params);
  const models::Gpt gpt = models::record_gpt(tape, gpt_config(s, 17), 1, 12, models::Mode::kEval,
                                             models::Output::kLogits);
  engine::PlanOptions options;
  options.training = false;
  options.keep = {gpt.logits};
  engine::Plan plan(std::move(tape), gpt.cross_entropy, options);
  std::vector<std::int32_t> tokens = want.at("tokens").i32(), targets(12, 0);
  plan.bind(gpt.tokens, tokens.data());
  plan.bind(gpt.targets, targets.data());
  plan.forward({});
  const std::vector<float> logits = want.at("logits").f32();
  ASSERT_EQ(logits.size(), 12U * 17);
  for (std::size_t i = 0; i < logits.size(); ++i)
    ASSERT_NEAR(plan.view(gpt.logits).f32()[i], logits[i], 1e-5F) << i;
}

TEST(HuggingFace, ComesBackOutBitForBit) {
  const tests::TempFolder folder;
  const Settings s = golden_settings();
  engine::Params params;
  fill(params, s);
  write_safetensors(folder.path() / "weights", params, {});
  const SavedRun run{folder.path(),
                     s,
                     {"lm", std::string(32, '0'), task_of(kSymbols).encoding()},
                     read_safetensors(folder.path() / "weights")};
  export_huggingface(run, folder.path() / "hf");
  const TensorFile there = read_safetensors(golden() / "model.safetensors"),
                   back = read_safetensors(folder.path() / "hf/model.safetensors");
  EXPECT_EQ(back.metadata.at("format"), "pt");
  ASSERT_EQ(back.tensors.size(), there.tensors.size());
  for (const auto& [name, tensor] : there.tensors) {
    EXPECT_EQ(back.at(name).shape, tensor.shape) << name;
    EXPECT_EQ(back.at(name).bytes, tensor.bytes) << name;
  }
  const Json was = base::read_json(golden() / "config.json"),
             is = base::read_json(folder.path() / "hf/config.json");
  for (const char* key : {"model_type", "vocab_size", "n_positions", "n_embd", "n_layer", "n_head",
                          "n_inner", "activation_function", "layer_norm_epsilon"})
    EXPECT_EQ(is[key], was[key]) << key;
  // What was written is what the run begins with, wherever it lies.
  Settings again = s;
  again.init_from = (folder.path() / "hf").string();
  const InitialWeights given = read_initial_weights(again.init_from);
  EXPECT_EQ(given.hash, read_initial_weights(s.init_from).hash);
  check(given, again, task_of(kSymbols));
  EXPECT_ERROR(check(given, again, task_of("\n !abcdefghijklmz")),
               "has other tokens than the data");
}

/// A run with a SentencePiece model, whose data.json says that its file is called `file`.
SavedRun sp_run(const fs::path& folder, const std::string& file) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += base::concat("the quick brown fox ", i * 7919 % 997, "\n");
  const data::Source source{text, "text"};
  const data::TokenizerPtr codec = data::parse_tokenizer("sp:300").kind->make("300", {&source, 1});
  base::write_atomically(folder / "tokenizer.model", codec->definition());
  engine::Params params;
  fill(params, golden_settings());
  write_safetensors(folder / "model.safetensors", params, {});
  const Json encoding = {{"tokenizer", "sp"},
                         {"vocab", codec->vocab()},
                         {"file", file},
                         {"hash", base::Hash().add(codec->definition()).hex()}};
  return {{folder, golden_settings(), {"lm", std::string(32, '0'), encoding}},
          read_safetensors(folder / "model.safetensors")};
}

// A received run's data.json named the file that was written: ../victim/.bashrc.
TEST(HuggingFace, FilesAreCalledAsTheTokenizersKindSays) {
  const tests::TempFolder folder;
  for (const std::string& file :
       {std::string("../escaped"), (folder.path() / "absolute").string(), std::string("..")}) {
    fs::create_directories(folder.path() / "run");
    const auto written =
        export_huggingface(sp_run(folder.path() / "run", file), folder.path() / "hf");
    EXPECT_EQ(written,
              (std::vector<std::string>{"config.json", "tokenizer.model", "model.safetensors"}));
    EXPECT_EQ(folder.read("hf/tokenizer.model"), folder.read("run/tokenizer.model"));
    const std::size_t entries = folder.snapshot().size();
    EXPECT_EQ(entries, 7U) << "two folders and five files";
  }
}

TEST(HuggingFace, WhatExportDidNotWriteIsNotReplaced) {
  const tests::TempFolder folder;
  fs::create_directories(folder.path() / "run");
  const SavedRun run = sp_run(folder.path() / "run", "tokenizer.model");
  for (const char* name : {"config.json", "tokenizer.model", "model.safetensors"}) {
    fs::remove_all(folder.path() / "hf");
    folder.write(std::string("hf/") + name, "mine");
    EXPECT_ERROR(export_huggingface(run, folder.path() / "hf"), std::string("holds a ") + name);
    EXPECT_EQ(folder.snapshot().at(std::string("hf/") + name), "mine");
    EXPECT_EQ(folder.snapshot().size(), 5U);
  }
  EXPECT_ERROR(export_huggingface(run, folder.path() / "run"), "did not write");
  // Its own may be replaced, and other files beside them stay.
  fs::remove_all(folder.path() / "hf");
  folder.write("hf/notes.txt", "mine");
  export_huggingface(run, folder.path() / "hf");
  const auto before = folder.snapshot();
  export_huggingface(run, folder.path() / "hf");
  EXPECT_EQ(folder.snapshot(), before);
}

TEST(HuggingFace, NamesWithoutThePrefixAndBuffersAreRead) {
  TensorFile file = read_safetensors(golden() / "model.safetensors"), bare;
  bare.path = "bare";
  for (const auto& [name, tensor] : file.tensors)
    bare.tensors[name.substr(std::string("transformer.").size())] = tensor;
  const std::string hash = tensors_hash(from_huggingface(file));
  EXPECT_EQ(tensors_hash(from_huggingface(bare)), hash);
  bare.tensors["h.0.attn.bias"] = {"BOOL", {1}, std::vector<std::byte>(1)};
  bare.tensors["h.0.attn.masked_bias"] = {"F32", {1}, std::vector<std::byte>(4)};
  bare.tensors["lm_head.weight"] = bare.tensors["wte.weight"];
  EXPECT_EQ(tensors_hash(from_huggingface(bare)), hash);
  bare.tensors["lm_head.weight"].bytes[0] ^= std::byte{1};
  EXPECT_ERROR(from_huggingface(bare), "lm_head.weight is not wte.weight");
  bare.tensors.erase("lm_head.weight");
  bare.tensors["transformer.wte.weight"] = bare.tensors["wte.weight"];
  EXPECT_ERROR(from_huggingface(bare), "with and without");
  bare.tensors.erase("transformer.wte.weight");
  bare.tensors["wte.weight"].dtype = "F16";
  EXPECT_ERROR(from_huggingface(bare), "'wte.weight' is F16");
  bare.tensors.erase("wte.weight");
  EXPECT_ERROR(from_huggingface(bare), "has no tensor 'wte.weight'");
}

TEST(HuggingFace, WhatIsAnotherModelIsRefusedByName) {
  const Json good = base::read_json(golden() / "config.json");
  const auto refused = [&](const char* key, const Json& value, const char* why) {
    Json json = good;
    json[key] = value;
    SCOPED_TRACE(key);
    EXPECT_ERROR(huggingface_model(json, "config.json"), why);
  };
  EXPECT_EQ(huggingface_model(good, "config.json").vocab, 17);
  refused("model_type", "llama", "model_type=\"llama\"");
  refused("activation_function", "gelu", "activation_function=\"gelu\"");
  refused("activation_function", 3, "activation_function=3");
  refused("layer_norm_epsilon", 1e-6, "layer_norm_epsilon=1e-06");
  refused("scale_attn_by_inverse_layer_idx", true, "scale_attn_by_inverse_layer_idx=true");
  refused("tie_word_embeddings", false, "tie_word_embeddings=false");
  for (const Json& bad : {Json(0), Json(-1), Json(1e300), Json("12"), Json(1.5), Json(nullptr),
                          Json(std::uint64_t{1} << 63), Json::array({1})})
    for (const char* key : {"n_layer", "n_head", "n_embd", "n_positions", "vocab_size"})
      refused(key, bad, key);
  EXPECT_FALSE(is_huggingface(Json::array()));
}

// Keys that transformers has a default or a second name for, and files from before there were keys.
TEST(HuggingFace, WhatAnOldConfigLeavesOutIsWhatTransformersTakes) {
  const auto read = [](const Json& json) {
    const HuggingFaceModel model = huggingface_model(json, "config.json");
    std::map<std::string, std::string> out(model.settings.begin(), model.settings.end());
    out["vocab"] = std::to_string(model.vocab);
    return out;
  };
  auto bare = read({{"model_type", "gpt2"}});
  for (const auto& [key, value] : std::map<std::string, std::string>{{"n_layer", "12"},
                                                                     {"n_head", "12"},
                                                                     {"n_embd", "768"},
                                                                     {"block_size", "1024"},
                                                                     {"vocab", "50257"},
                                                                     {"activation", "gelu"},
                                                                     {"mlp_hidden", "0"}})
    EXPECT_EQ(bare[key], value) << key;
  EXPECT_EQ(read({{"architectures", {"GPT2LMHeadModel"}}}), bare);
  auto named = read({{"model_type", "gpt2"},
                     {"num_hidden_layers", 3},
                     {"num_attention_heads", 2},
                     {"hidden_size", 8},
                     {"max_position_embeddings", 5}});
  EXPECT_EQ(named["n_layer"] + named["n_head"] + named["n_embd"] + named["block_size"], "3285");
  const Json ours = {{"n_layer", 2}, {"n_embd", 8}};
  EXPECT_FALSE(is_huggingface(ours));
  EXPECT_ERROR(huggingface_model(ours, "c"), "c: has no model_type");
  EXPECT_ERROR(huggingface_model({{"architectures", {"LlamaForCausalLM"}}}, "c"),
               "architectures=[\"LlamaForCausalLM\"]");
  EXPECT_ERROR(huggingface_model({{"model_type", "gpt2"}, {"hidden_size", 0}}, "c"),
               "hidden_size is '0'");
}

TEST(InitialWeights, MustBeOfTheModelAndTheData) {
  const Settings good = golden_settings();
  const InitialWeights given = read_initial_weights(good.init_from);
  const LanguageModelling task = task_of(kSymbols);
  check(given, good, task);
  const auto refused = [&](const std::function<void(Settings&)>& change, const char* why) {
    Settings s = good;
    change(s);
    EXPECT_ERROR(check(given, s, task), why);
  };
  refused([](Settings& s) { s.n_layer = 3, s.mlp_hidden = 0; },
          "n_layer=2, mlp_hidden=24, and the settings ask for n_layer=3, mlp_hidden=0; give "
          "--n-layer 2 --mlp-hidden 24");
  refused([](Settings& s) { s.n_head = 4; }, "give --n-head 2");
  refused([](Settings& s) { s.bias = false; }, "give --bias");
  refused([](Settings& s) { s.norm = "rmsnorm"; }, "give --norm layernorm");
  refused([](Settings& s) { s.block_size = 13; }, "give --block-size 12");
  EXPECT_ERROR(check(given, good, task_of("\n ab")),
               "a vocabulary of 17 tokens, and that of the "
               "data has 4");
  EXPECT_ERROR(read_initial_weights("nowhere"), "nowhere: no such file or folder");
  const tests::TempFolder folder;
  EXPECT_ERROR(read_initial_weights(folder.path().string()), "there is no config.json");
}

TEST(InitialWeights, WhatIsNotFiniteOrInSeveralFilesIsRefused) {
  const tests::TempFolder folder;
  fs::copy(golden(), folder.path() / "hf");
  const fs::path file = folder.path() / "hf/model.safetensors";
  TensorFile weights = read_safetensors(file);
  Tensor& tensor = weights.tensors.begin()->second;
  const float nan = NAN;
  std::memcpy(tensor.bytes.data() + 8, &nan, sizeof nan);
  write_safetensors(file, weights);
  EXPECT_ERROR(read_initial_weights((folder.path() / "hf").string()), "has NaN at element ");
  fs::rename(file, folder.path() / "hf/model-00001-of-00002.safetensors");
  folder.write("hf/model.safetensors.index.json", "{}");
  EXPECT_ERROR(read_initial_weights((folder.path() / "hf").string()),
               "hf: its weights are in several files (model.safetensors.index.json)");
}

TEST(InitialWeights, OfALongerContextTheFirstPositionsAreTaken) {
  Settings s = golden_settings();
  engine::Params whole, part;
  fill(whole, s);
  s.block_size = 5;
  check(read_initial_weights(s.init_from), s, task_of(kSymbols));
  fill(part, s);
  const float *want = whole.value(whole.find("wpe.weight")),
              *got = part.value(part.find("wpe.weight"));
  EXPECT_TRUE(std::equal(got, got + 5 * 16, want));
}

TEST(HuggingFace, BytesHaveTheCharactersOfByteLevelTokenizers) {
  const Json encoding = {{"tokenizer", "byte"},
                         {"pieces", {"\n", " ", "a", Json::array({0x80}), Json::array({0xFF})}}};
  const Json vocab = huggingface_tokenizer(encoding)["model"]["vocab"];
  EXPECT_EQ(vocab.dump(), "{\"\u010a\":0,\"\u0120\":1,\"a\":2,\"\u0122\":3,\"\u00ff\":4}");
  EXPECT_ERROR(huggingface_tokenizer({{"tokenizer", "sp"}}), "tokenizer=sp");
}

// Whatever a byte of the files becomes, they are read or refused in words.
TEST(HuggingFace, FilesAreTrustedInNothing) {
  const tests::TempFolder folder;
  const auto bytes = [](const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  for (const char* name : {"config.json", "model.safetensors"}) {
    fs::copy(golden(), folder.path(), fs::copy_options::overwrite_existing);
    const std::string good = bytes(golden() / name);
    const std::size_t most = std::min<std::size_t>(good.size(), 2600);
    for (std::size_t i = 0; i < most; i += 23)
      for (const char byte : {'\0', '9', '"', '\xff'}) {
        std::string bad = good;
        bad[i] = byte;
        if (i % 2 == 1) bad.resize(i + 1);
        folder.write(name, bad);
        try {
          Settings s = golden_settings();
          s.init_from = folder.path().string();
          engine::Params params;
          fill(params, s);
        } catch (const base::Error&) {
        }
      }
  }
}

}  // namespace
}  // namespace train
