#include "train/watches.h"

#include <algorithm>
#include <cmath>

#include "data/tokenizer/tokenizer.h"
#include "train/sampling.h"

namespace train {

std::string layer_of(std::string_view parameter) {
  std::size_t end = parameter.find('.');
  if (parameter.starts_with("h.")) end = parameter.find('.', 2);
  return std::string(parameter.substr(0, end));
}

void NormWatch::before(const Trainer& trainer) {
  weights_.clear();
  if (interval_ == 0 || (trainer.state().step + 1) % interval_ != 0) return;
  const engine::Params& params = *trainer.state().params;
  for (int i = 0; i < static_cast<int>(params.list().size()); ++i)
    if (params[i].trainable)
      weights_.insert(weights_.end(), params.value(i), params.value(i) + params[i].shape.numel());
}

std::optional<StepNorms> NormWatch::after(Trainer& trainer) {
  if (weights_.empty()) return {};
  try {
    trainer.gather_gradients();
  } catch (const RankLost&) {
    if (trainer.finished()) return {};  // and needs nobody any more
    throw;
  }
  StepNorms norms{trainer.state().step, {}};
  const engine::Params& params = trainer.params();
  const float* old = weights_.data();
  for (int i = 0; i < static_cast<int>(params.list().size()); ++i) {
    if (!params[i].trainable) continue;
    const std::string name = layer_of(params[i].name);
    auto at = std::find_if(norms.layers.begin(), norms.layers.end(),
                           [&](const LayerNorms& l) { return l.name == name; });
    if (at == norms.layers.end()) at = norms.layers.insert(at, {name});
    LayerNorms& layer = *at;  // of squares, until all are there
    const float *weight = params.value(i), *gradient = params.grad(i);
    for (std::int64_t k = 0; k < params[i].shape.numel(); ++k, ++old) {
      const double w = weight[k], g = gradient[k], u = w - *old;
      layer.weight += w * w, layer.gradient += g * g, layer.update += u * u;
    }
  }
  for (LayerNorms& layer : norms.layers)
    for (double* sum : {&layer.weight, &layer.gradient, &layer.update}) *sum = std::sqrt(*sum);
  return norms;
}

TextWatch::TextWatch(Trainer& trainer, const data::Tokenizer& tokenizer, std::int64_t tokens,
                     Sink& told)
    : tokenizer_(tokenizer),
      opening_(opening(tokenizer)),
      decoder_(trainer.params(), trainer.planned().config),
      tokens_(tokens),
      told_(told) {
  if (opening_.empty()) opening_ = {0};
  decoder_.allocate();
}

void TextWatch::progress(const Progress& p) {
  if (!p.val_loss) return;
  std::vector<std::int32_t> ids;
  generate(decoder_, opening_, tokens_, default_keep(decoder_.limit()), {}, 0,
           [&](const Sampled& s) { ids.push_back(s.token); });
  told_.text({p.step, base::replaced_utf8(tokenizer_.decode(ids))});
}

}  // namespace train
