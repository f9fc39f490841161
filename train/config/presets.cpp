// The table of presets.
#include "base/table.h"
#include "train/config/settings.h"

namespace train {

std::span<const Preset> presets() {
  static const std::vector<Preset> table = {
      // lr: with 1e-3 the built-in text is not learned within a thousand steps (docs/claims/06-learning-rates.md).
      {"tiny",
       "2 layers, 2 heads, 64 channels, T 64: seconds, for a try",
       {{"n_layer", "2"},
        {"n_head", "2"},
        {"n_embd", "64"},
        {"block_size", "64"},
        {"batch", "16"},
        {"bias", "false"},
        {"lr", "4e-3"}},
       65},
      {"nano",
       "4 layers, 4 heads, 128 channels, T 64: nanoGPT's CPU example",
       {{"n_layer", "4"},
        {"n_head", "4"},
        {"n_embd", "128"},
        {"block_size", "64"},
        {"batch", "12"},
        {"bias", "false"},
        {"lr", "1e-3"}},
       65},
      {"char",
       "6 layers, 6 heads, 384 channels, T 256: nanoGPT's character model",
       {{"n_layer", "6"},
        {"n_head", "6"},
        {"n_embd", "384"},
        {"block_size", "256"},
        {"batch", "64"},
        {"bias", "false"},
        {"lr", "1e-3"}},
       65},
      // Batch 4 keeps 124M parameters and their activations within a laptop's memory.
      {"gpt2",
       "12 layers, 12 heads, 768 channels, T 1024, biases: GPT-2 small",
       {{"n_layer", "12"},
        {"n_head", "12"},
        {"n_embd", "768"},
        {"block_size", "1024"},
        {"batch", "4"},
        {"bias", "true"},
        {"lr", "6e-4"}},
       50257},
  };
  return table;
}

std::vector<std::string_view> preset_names() { return base::names_of(presets()); }

const Preset& preset_of(const Settings& settings) {
  return base::row_named(presets(), settings.preset, "preset");
}

}  // namespace train
