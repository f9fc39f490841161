#include "train/config/architecture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/regularizer_grammar.h"
#include "train/config/budget.h"

namespace train {
namespace {

/// Notes the true rate of 16-bit masks if it differs from the given one by more than 1 %.
void note_resolution(const std::string& name, double rate, std::vector<std::string>& out) {
  const double kept = std::round((1 - rate) * 65536) / 65536;
  if (kept == 1)
    out.push_back(
        fmt::format("{} is below the masks' resolution of 1/65536: it drops nothing", name));
  else if (std::abs((1 - kept) / rate - 1) > 0.01 || std::abs(kept / (1 - rate) - 1) > 0.01)
    out.push_back(fmt::format("{} is rounded to {}, a multiple of the masks' resolution 1/65536",
                              name, 1 - kept));
}

bool is_noisy(const models::RegularizerSetting& s) { return s.kind->noise != nullptr; }

void architecture_notes(const Settings& s, std::vector<std::string>& out) {
  const bool running = models::norm_kind(s.norm).running;
  if (running)
    out.push_back(fmt::format(
        "norm={}: its batch statistics let a position see later ones, so training losses are optimistic",
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
        "recalibrate_norm has no effect with norm={}, which has no running statistics", s.norm));
  if (s.activation == "selu" && s.init != "lecun")
    out.push_back(fmt::format(
        "activation=selu keeps mean 0 and variance 1 only with init=lecun, not init={}", s.init));
}

void regularizer_notes(const Settings& s, std::vector<std::string>& out) {
  if (s.dropout > 0) note_resolution(fmt::format("dropout={}", s.dropout), s.dropout, out);
  const auto all = regularizers(s), named = models::parse_regularizers(s.reg);
  for (const models::RegularizerSetting& item : named)
    if (is_noisy(item) && item.kind->noise->points != nullptr)
      note_resolution(fmt::format("{}:{}", item.kind->name, item.rate), item.rate, out);
  const auto budget = Budget::parse(s.budget).kind;
  const bool charged = budget == Budget::Kind::kFlops || budget == Budget::Kind::kSeconds;
  for (const models::RegularizerSetting& item : named) {
    if (is_noisy(item) && item.kind->noise->shifts() && s.activation != "selu")
      out.push_back(
          fmt::format("{} keeps mean 0 and variance 1 of values that have them, as activation=selu "
                      "makes them: with {} it will not keep the moments",
                      item.kind->name, s.activation));
    if (item.kind->passes > 1 && !charged)
      out.push_back(
          fmt::format("{} takes {} passes a step: under a budget of {} it spends {} times "
                      "the compute; a budget in flops charges it",
                      item.kind->name, item.kind->passes, s.budget, item.kind->passes));
    if (item.kind->passes > 1 && std::none_of(all.begin(), all.end(), is_noisy))
      out.push_back(
          fmt::format("{} compares passes with different masks, and nothing here draws "
                      "masks: its term is 0 at twice the FLOPs; add dropout, say",
                      item.kind->name));
  }
}

}  // namespace

std::vector<models::RegularizerSetting> regularizers(const Settings& s) {
  std::vector<models::RegularizerSetting> out = models::gpt2_dropout(s.dropout);
  for (models::RegularizerSetting& item : models::parse_regularizers(s.reg))
    out.push_back(std::move(item));
  models::check(out);
  return out;
}

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

std::vector<std::string> notes(const Settings& s) {
  std::vector<std::string> out;
  architecture_notes(s, out);
  regularizer_notes(s, out);
  return out;
}

}  // namespace train
