#include "models/regularizers.h"

#include <algorithm>

#include "engine/rng.h"

namespace models {

std::string_view to_string(HookId hook) {
  switch (hook) {
    case HookId::kEmb:
      return "emb";
    case HookId::kAttnWeights:
      return "attn_weights";
    case HookId::kAttn:
      return "attn";
    case HookId::kMlpHidden:
      return "mlp_hidden";
    case HookId::kMlp:
      return "mlp";
  }
  return "?";
}

std::vector<NoiseSetting> gpt2_dropout(double rate) {
  if (rate == 0) return {};
  return {{&ops::noise_kind("dropout"),
           rate,
           {HookId::kEmb, HookId::kAttnWeights, HookId::kAttn, HookId::kMlp}}};
}

std::vector<ops::NoiseUse> Hooks::uses(HookId hook, int layer) const {
  std::vector<ops::NoiseUse> found;
  if (mode_ == Mode::kEval) return found;
  for (const NoiseSetting& s : settings_) {
    if (s.rate == 0 || std::find(s.hooks.begin(), s.hooks.end(), hook) == s.hooks.end()) continue;
    std::string site = layer < 0 ? std::string() : "h." + std::to_string(layer) + ".";
    site += to_string(hook);
    // Two kinds at one hook must not share their masks.
    if (!found.empty()) site.append("#").append(std::to_string(found.size()));
    const double rate = s.rate;
    found.push_back({s.kind, {engine::site_id(site), [rate](double) { return rate; }}, site});
  }
  return found;
}

engine::Ref Hooks::apply(engine::Tape& tape, HookId hook, int layer, engine::Ref x,
                         engine::Ref ids) const {
  for (const ops::NoiseUse& use : uses(hook, layer)) x = ops::noise(tape, use.site, x, use, ids);
  return x;
}

ops::NoiseUse Hooks::fused(engine::Tape& tape, HookId hook, int layer, engine::Ref* branch) const {
  const std::vector<ops::NoiseUse> all = uses(hook, layer);
  if (all.empty()) return {};
  engine::require(all.size() == 1 || branch != nullptr, "hook ", to_string(hook),
                  ": takes one regularizer, not ", all.size());
  for (std::size_t i = 0; i + 1 < all.size(); ++i)
    *branch = ops::noise(tape, all[i].site, *branch, all[i]);
  return all.back();
}

}  // namespace models
