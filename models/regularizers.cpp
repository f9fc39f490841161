#include "models/regularizers.h"

#include <algorithm>
#include <array>

#include "engine/rng.h"

namespace models {
namespace {

constexpr std::string_view kLiu = "Liu et al. 2023, arXiv:2303.01500";

constexpr std::array kKinds{
    ScheduleKind{"constant", false, [](double, double) { return 1.0; }, "p", "the same throughout",
                 "Srivastava et al. 2014, JMLR 15"},
    ScheduleKind{"early", true, [](double x, double F) { return std::max(0.0, 1 - x / F); },
                 "p·max(0, 1 − x/F)", "falls in a line from p at the start to 0 at F, then stays 0",
                 kLiu},
    ScheduleKind{"early_cut", true, [](double x, double F) { return x < F ? 1.0 : 0.0; },
                 "p while x < F, then 0", "p up to F, then cut to 0", kLiu},
    ScheduleKind{"late", true, [](double x, double F) { return x < F ? 0.0 : 1.0; },
                 "0 while x < F, then p", "0 up to F, then p",
                 "Liu et al. 2023, arXiv:2303.01500; Xue et al. 2023, arXiv:2305.13230"},
    ScheduleKind{"linear", false, [](double x, double) { return std::clamp(x, 0.0, 1.0); }, "p·x",
                 "rises in a line from 0 at the start to p at the end",
                 "Zoph et al. 2018, arXiv:1707.07012 (ScheduledDropPath)"},
};

ops::NoiseForm noise_form(Mode mode) {
  switch (mode) {
    case Mode::kTrain:
    case Mode::kNoisy:
      return ops::NoiseForm::kDrawn;
    case Mode::kCorrected:
      return ops::NoiseForm::kRootMeanSquare;
    case Mode::kEval:
    case Mode::kRecalibrate:
      break;
  }
  return ops::NoiseForm::kEvaluation;
}

}  // namespace

std::span<const ScheduleKind> schedule_kinds() { return kKinds; }

bool RegularizerSetting::acts_at(HookId hook) const {
  return std::find(hooks.begin(), hooks.end(), hook) != hooks.end();
}

std::vector<RegularizerSetting> gpt2_dropout(double rate) {
  if (rate == 0) return {};
  return {{find_regularizer("dropout"),
           rate,
           {HookId::kEmb, HookId::kAttnWeights, HookId::kAttn, HookId::kMlp}}};
}

int passes(const std::vector<RegularizerSetting>& settings) {
  int most = 1;
  for (const RegularizerSetting& s : settings)
    if (s.rate > 0) most = std::max(most, s.kind->passes);
  return most;
}

void check(const std::vector<RegularizerSetting>& settings) {
  const RegularizerSetting* first = nullptr;
  for (const RegularizerSetting& s : settings) {
    if (s.rate == 0 || s.kind->family != Family::kNoise || !s.acts_at(HookId::kAttnWeights))
      continue;
    if (first != nullptr) {
      std::string way_out;
      for (const RegularizerSetting* one : {&s, first})
        if (one->kind->hooks.size() > 1)
          way_out = base::concat("; leave it out of the hooks of one, as in ", one->kind->name, ":",
                                 one->rate, "@emb/attn/mlp");
      throw base::Error(base::concat("hook attn_weights takes one regularizer, not both ",
                                     first->kind->name, " and ", s.kind->name, way_out));
    }
    first = &s;
  }
}

std::string site_name(HookId hook, int layer) {
  std::string name = layer < 0 ? std::string() : "h." + std::to_string(layer) + '.';
  return name += to_string(hook);
}

engine::Randomness Hooks::randomness(const RegularizerSetting& s, int layer,
                                     std::string_view site) const {
  const double rate = s.kind->deepens && layer >= 0 ? s.rate * (layer + 1) / layers_ : s.rate;
  return {engine::site_id(site),
          [rate, schedule = s.schedule](double x) { return rate * schedule.share(x); }};
}

bool Hooks::add_use(std::vector<ops::NoiseUse>& uses, const RegularizerSetting& s, int layer,
                    std::string_view site, std::string place) const {
  if (s.rate == 0) return false;
  const ops::NoiseForm form = noise_form(mode_);
  if (form != ops::NoiseForm::kDrawn && ops::noise_factor(*s.kind->noise, s.rate, form) == 1)
    return false;
  place.append(".").append(s.kind->name);
  uses.push_back({s.kind->noise, randomness(s, layer, site), std::move(place), form});
  return true;
}

std::vector<ops::NoiseUse> Hooks::uses(HookId hook, int layer) const {
  const bool branch = hook == HookId::kAttn || hook == HookId::kMlp;
  std::vector<ops::NoiseUse> found;
  int noises = 0;
  for (const RegularizerSetting& s : settings_) {
    if (s.kind->family != Family::kNoise || !s.acts_at(hook)) continue;
    std::string site = site_name(hook, layer);
    // Two kinds at one hook must not share their masks.
    if (noises > 0) site.append("#").append(std::to_string(noises));
    if (add_use(found, s, layer, site, site)) ++noises;
  }
  // Last, so that nothing another one adds is left of a dropped block. Both branches have the same
  // site, thus the same draw.
  for (const RegularizerSetting& s : settings_)
    if (s.kind->family == Family::kLayer && branch)
      add_use(found, s, layer, "h." + std::to_string(layer), site_name(hook, layer));
  return found;
}

engine::Ref Hooks::apply(engine::Tape& tape, HookId hook, int layer, engine::Ref x,
                         engine::Ref ids) const {
  for (const ops::NoiseUse& use : uses(hook, layer)) x = ops::noise(tape, use.name, x, use, ids);
  return x;
}

ops::NoiseUse Hooks::fused(engine::Tape& tape, HookId hook, int layer, engine::Ref* branch) const {
  const std::vector<ops::NoiseUse> all = uses(hook, layer);
  if (all.empty()) return {};
  base::require(all.size() == 1 || branch != nullptr, "hook ", to_string(hook),
                " takes one regularizer, not ", all.size());
  for (std::size_t i = 0; i + 1 < all.size(); ++i)
    *branch = ops::noise(tape, all[i].name, *branch, all[i]);
  return all.back();
}

engine::Ref Hooks::weight(engine::Tape& tape, HookId hook, int layer, std::string_view name,
                          engine::Ref w) const {
  std::vector<ops::NoiseUse> found;
  for (const RegularizerSetting& s : settings_) {
    if (s.kind->family != Family::kWeight || !s.acts_at(hook)) continue;
    std::string site(name);
    if (!found.empty()) site.append("#").append(std::to_string(found.size()));
    add_use(found, s, layer, site, site);
  }
  for (const ops::NoiseUse& use : found) w = ops::noise(tape, use.name, w, use);
  return w;
}

bool Hooks::acts_on_loss(const RegularizerSetting& s) const {
  return mode_ == Mode::kTrain && s.kind->family == Family::kLoss && s.rate > 0;
}

bool Hooks::adds_to_loss() const {
  return std::any_of(settings_.begin(), settings_.end(),
                     [&](const RegularizerSetting& s) { return acts_on_loss(s); });
}

std::string Hooks::acting(HookId at, int layer, double progress) const {
  std::string out;
  for (const RegularizerSetting& s : settings_) {
    const bool branch = at == HookId::kAttn || at == HookId::kMlp;
    const bool here = s.kind->family == Family::kLayer ? branch : s.acts_at(at);
    const double rate = here ? randomness(s, layer, "").rate(progress) : 0;
    if (rate > 0) out += base::concat(out.empty() ? "" : " + ", s.kind->name, ":", rate);
  }
  return out;
}

engine::Ref Hooks::loss(engine::Tape& tape, engine::Ref logits, engine::Ref targets,
                        engine::Ref cross_entropy) const {
  engine::Ref loss = cross_entropy;
  for (const RegularizerSetting& s : settings_)
    if (acts_on_loss(s))
      loss = s.kind->add_to_loss(tape, s.kind->name, logits, targets, loss,
                                 randomness(s, -1, s.kind->name));
  return loss;
}

}  // namespace models
