#include "models/regularizer_table.h"

#include "ops/attention.h"
#include "ops/ops.h"

namespace models {
namespace {

using ops::Granularity;
using enum HookId;
using HookIds = std::vector<HookId>;

Family family_of(const ops::NoiseKind& kind) {
  if (kind.granularity == Granularity::kWeight) return Family::kWeight;
  return kind.granularity == Granularity::kStep ? Family::kLayer : Family::kNoise;
}

/// Where a kind of noise has a meaning.
HookIds hooks_of(const ops::NoiseKind& kind) {
  switch (kind.granularity) {
    case Granularity::kElement:
      if (!ops::attention_takes(kind)) return {kEmb, kAttn, kMlpHidden, kMlp, kLast};
      return {kEmb, kAttnWeights, kAttn, kMlpHidden, kMlp, kLast};
    case Granularity::kLocked:
      return {kEmb, kAttn, kMlpHidden, kMlp, kLast};
    case Granularity::kToken:
    case Granularity::kVocabulary:
      return {kEmb};
    case Granularity::kSample:
      return {kAttn, kMlp};
    case Granularity::kHead:
      return {kAttnWeights};
    case Granularity::kWeight:
      return {kAttnWeights, kAttn, kMlpHidden, kMlp};
    case Granularity::kStep:
      return {};
  }
  return {};
}

/// Where it acts if nobody says: as GPT-2's dropout where it can. What shifts values does it to
/// suit an activation, and acts behind that.
HookIds default_hooks_of(const ops::NoiseKind& kind) {
  if (kind.granularity == Granularity::kElement)
    return kind.shifts() ? HookIds{kMlpHidden} : HookIds{kEmb, kAttnWeights, kAttn, kMlp};
  if (kind.granularity == Granularity::kLocked) return {kEmb, kAttn, kMlp};
  return hooks_of(kind);
}

std::string_view granularity_text(Granularity granularity) {
  switch (granularity) {
    case Granularity::kElement:
      return "element";
    case Granularity::kLocked:
      return "sample × channel, one for all positions";
    case Granularity::kToken:
      return "position";
    case Granularity::kSample:
      return "sample × branch, rate p·(l+1)/L in layer l of L";
    case Granularity::kHead:
      return "sample × head";
    case Granularity::kVocabulary:
      return "vocabulary row";
    case Granularity::kStep:
      return "layer × step, one for the whole batch";
    case Granularity::kWeight:
      return "weight, one for the whole batch";
  }
  return "";
}

std::vector<Regularizer> make_table() {
  std::vector<Regularizer> table;
  for (const ops::NoiseKind& kind : ops::noise_kinds())
    table.push_back({kind.name, family_of(kind), &kind, nullptr, 1, default_hooks_of(kind),
                     hooks_of(kind), kind.granularity == Granularity::kSample, true,
                     granularity_text(kind.granularity), kind.constants, kind.help, kind.source});
  const auto loss = [&](std::string_view name, AddToLoss add, int passes, bool is_share,
                        std::string_view constants, std::string_view help,
                        std::string_view source) {
    table.push_back({name,
                     Family::kLoss,
                     nullptr,
                     add,
                     passes,
                     {},
                     {},
                     false,
                     is_share,
                     "the loss",
                     constants,
                     help,
                     source});
  };
  loss("label_smoothing", ops::label_smoothing, 1, true, "targets (1 − p)·onehot + p/V",
       "cross-entropy against targets that leave a little to every token",
       "Szegedy et al. 2016, arXiv:1512.00567");
  loss("z_loss", ops::z_loss, 1, false, "p·log²Z; PaLM has p = 1e-4",
       "keeps the softmax's normalizer near 1", "Chowdhery et al. 2022, arXiv:2204.02311");
  loss("r_drop", ops::r_drop, 2, false, "p·½(KL(a‖b) + KL(b‖a))",
       "two passes with different masks must agree; a step counts twice the FLOPs",
       "Liang et al. 2021, arXiv:2106.14448");
  table.push_back({"weight_decay",
                   Family::kOptimizer,
                   nullptr,
                   nullptr,
                   1,
                   {},
                   {},
                   false,
                   false,
                   "matrices",
                   "w ← w − lr·p·w",
                   "AdamW's decay, a setting of its own: weight_decay=0.1",
                   "Loshchilov & Hutter 2019, arXiv:1711.05101"});
  return table;
}

}  // namespace

std::string_view to_string(HookId hook) {
  switch (hook) {
    case kEmb:
      return "emb";
    case kAttnWeights:
      return "attn_weights";
    case kAttn:
      return "attn";
    case kMlpHidden:
      return "mlp_hidden";
    case kMlp:
      return "mlp";
    case kLast:
      return "last";
  }
  return "?";
}

std::string_view help(HookId hook) {
  switch (hook) {
    case kEmb:
      return "the embedded tokens, positions added";
    case kAttnWeights:
      return "the attention weights, after the softmax";
    case kAttn:
      return "the attention branch, before it joins the residual stream";
    case kMlpHidden:
      return "the hidden layer of the MLP, after the activation";
    case kMlp:
      return "the MLP branch, before it joins the residual stream";
    case kLast:
      return "the last hidden state, normalized, before the head";
  }
  return "";
}

std::string_view to_string(Family family) {
  switch (family) {
    case Family::kNoise:
      return "noise";
    case Family::kWeight:
      return "weight";
    case Family::kLayer:
      return "layer";
    case Family::kLoss:
      return "loss";
    case Family::kOptimizer:
      return "optimizer";
  }
  return "?";
}

std::vector<std::string_view> names(std::span<const HookId> hooks) {
  std::vector<std::string_view> out;
  for (const HookId hook : hooks) out.push_back(to_string(hook));
  return out;
}

std::span<const Regularizer> regularizer_table() {
  static const std::vector<Regularizer> table = make_table();
  return table;
}

const Regularizer* find_regularizer(std::string_view name) {
  for (const Regularizer& row : regularizer_table())
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace models
