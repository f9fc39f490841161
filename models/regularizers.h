// Which regularizer acts where. Models name hooks, never a regularizer.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/regularizer_table.h"

namespace models {

// How a regularizer's rate goes over the share of the budget spent.

struct ScheduleKind {
  std::string_view name;
  bool takes_fraction;                  // written NAME:F, F in (0, 1)
  double (*share)(double x, double F);  // of the rate, in [0, 1], at share x of the budget
  std::string_view formula, help, source;
};

/// The table. Adding a schedule is adding a row; each reaches the whole rate somewhere.
std::span<const ScheduleKind> schedule_kinds();

/// A row with its fraction. The default is constant.
struct RateSchedule {
  const ScheduleKind* kind = &schedule_kinds().front();
  double fraction = 0;
  double share(double x) const { return kind->share(x, fraction); }
  bool operator==(const RateSchedule&) const = default;
};

enum class Mode : std::uint8_t {
  kTrain,
  kEval,
  kRecalibrate,  // as kEval, but norms take the batch's statistics and keep their average
  kNoisy,        // as kEval, but noise is drawn as in kTrain (Monte Carlo dropout)
  kCorrected,    // as kEval, but noise has its root mean square, √E[m²], in its place
};

/// A regularizer at a rate, at some hooks of every layer.
struct RegularizerSetting {
  const Regularizer* kind = nullptr;
  double rate = 0;
  std::vector<HookId> hooks;
  RateSchedule schedule = {};

  bool acts_at(HookId hook) const;
};

/// What nanoGPT and GPT-2 mean by dropout p: embedding, attention weights, both residual branches.
std::vector<RegularizerSetting> gpt2_dropout(double rate);

/// Passes through the model that a sample takes in a training step: R-Drop makes it 2.
int passes(const std::vector<RegularizerSetting>& settings);

/// Throws Error if more than one acts at a hook that takes one only.
void check(const std::vector<RegularizerSetting>& settings);

/// "h.3.mlp"; "emb", which is in no layer.
std::string site_name(HookId hook, int layer);

/// Hands a model what stands at its hooks. A regularizer whose rate is 0 leaves no node; where
/// noise is not drawn none does but a factor in its place that is not 1.
///
/// The site of the first kind of noise at a hook is the hook's name, "h.3.mlp", of another one
/// "h.3.mlp#1"; of a matrix its own name, of a whole block "h.3". A node of noise alone is called
/// by hook and kind, "h.3.mlp.dropout".
class Hooks {
 public:
  /// REQUIRES: `settings` outlive this.
  Hooks(const std::vector<RegularizerSetting>& settings, Mode mode, std::int64_t layers)
      : settings_(settings), mode_(mode), layers_(static_cast<double>(layers)) {}

  /// x with the noise of the hook on it, in nodes of its own; x itself if there is none.
  /// `layer` -1: the hook is not in a layer. `ids`: the tokens behind the rows of x, where they are
  /// known.
  engine::Ref apply(engine::Tape& tape, HookId hook, int layer, engine::Ref x,
                    engine::Ref ids = {}) const;

  /// The hook's noise for an op that applies it in its own loop. An op takes one: more than that go
  /// on `branch` first. Throws Error if there is no branch to take them.
  ops::NoiseUse fused(engine::Tape& tape, HookId hook, int layer, engine::Ref* branch) const;

  /// build(noise) makes a value with the hook's first noise in its own loop; what else acts there
  /// follows in nodes of its own.
  template <class F>
  engine::Ref produced(engine::Tape& tape, HookId hook, int layer, const F& build) const {
    const std::vector<ops::NoiseUse> all = uses(hook, layer);
    engine::Ref x = build(all.empty() ? ops::NoiseUse{} : all.front());
    for (std::size_t i = 1; i < all.size(); ++i) x = ops::noise(tape, all[i].name, x, all[i]);
    return x;
  }

  /// A weight matrix (in,out), called `name`, whose product arrives at the hook.
  engine::Ref weight(engine::Tape& tape, HookId hook, int layer, std::string_view name,
                     engine::Ref w) const;

  /// What acts at the hook at a share of the budget spent: noise, and weights whose product arrives
  /// there; "dropout:0.1 + drop_path:0.05", empty where nothing does.
  std::string acting(HookId hook, int layer, double progress) const;

  /// Whether loss() adds anything.
  bool adds_to_loss() const;
  /// The loss to be trained on: cross-entropy and what is added to it. But in kTrain:
  /// cross-entropy.
  engine::Ref loss(engine::Tape& tape, engine::Ref logits, engine::Ref targets,
                   engine::Ref cross_entropy) const;

 private:
  engine::Randomness randomness(const RegularizerSetting& setting, int layer,
                                std::string_view site) const;
  bool acts_on_loss(const RegularizerSetting& setting) const;
  std::vector<ops::NoiseUse> uses(HookId hook, int layer) const;
  /// Adds the setting's use at `site`, if it leaves a node there; returns whether it does. `place`:
  /// what a node of its own is named after.
  bool add_use(std::vector<ops::NoiseUse>& uses, const RegularizerSetting& setting, int layer,
               std::string_view site, std::string place) const;

  const std::vector<RegularizerSetting>& settings_;
  Mode mode_;
  double layers_;
};

}  // namespace models
