#include "train/config/architecture.h"

#include <fmt/format.h>

#include "train/config/regularization.h"

namespace train {

models::GptConfig gpt_config(const Settings& s, std::int64_t vocab) {
  models::GptConfig c;
  c.n_layer = s.n_layer;
  c.n_head = s.n_head;
  c.n_embd = s.n_embd;
  c.block_size = s.block_size;
  c.vocab = vocab;
  c.bias = s.bias;
  c.mlp_hidden = s.mlp_hidden;
  c.norm = &models::norm_kind(s.norm);
  c.norm_place = &models::placement(s.norm_place);
  c.activation = &ops::activation_kind(s.activation);
  c.init = &models::init_kind(s.init);
  c.qk_norm = s.qk_norm;
  c.regularizers = regularizers(s);
  return c;
}

std::vector<std::string> architecture_notes(const Settings& s) {
  std::vector<std::string> out;
  const bool running = models::norm_kind(s.norm).running;
  if (running)
    out.push_back(fmt::format(
        "norm={}: in training its statistics let a position see later ones, so losses of training "
        "batches are optimistic",
        s.norm));
  if (running && s.micro_steps() > 1)
    out.push_back(fmt::format(
        "norm={} with {}: its statistics are those of each {} of {} rows (ghost batch norm, Hoffer "
        "et al. 2017), not of the whole batch of {}: not the same training as with {}=1{}",
        s.norm,
        s.shards == 1       ? fmt::format("grad_accum={}", s.grad_accum)
        : s.grad_accum == 1 ? fmt::format("shards={}", s.shards)
                            : fmt::format("shards={} and grad_accum={}", s.shards, s.grad_accum),
        s.grad_accum > 1 ? "micro-step" : "shard", s.micro_batch(), s.batch,
        s.shards == 1       ? "grad_accum"
        : s.grad_accum == 1 ? "shards"
                            : "shards=1 and grad_accum",
        s.shards > 1 ? "; each shard moves the running statistics from where the step found them, "
                       "and the mean over the shards is kept"
                     : ""));
  if (s.recalibrate_norm && !running)
    out.push_back(fmt::format(
        "recalibrate_norm does nothing with norm={}, which has no running statistics", s.norm));
  if (s.activation == "selu" && s.init != "lecun")
    out.push_back(fmt::format(
        "activation=selu keeps mean 0 and variance 1 with init=lecun, not with init={}", s.init));
  return out;
}

}  // namespace train
